#include "scan/head.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/threads.h"
#include "scan/distance.h"

namespace kf::scan {
namespace {

constexpr std::size_t most_sample = 4096;
// Of a sample: queries, the neighbours whose distances are their bounds, and the share of pairs
// that may pass at the farther. In a set of many more rows bounds are tighter.
constexpr std::size_t asked = 32, nearest = 1, neighbour = 10;
constexpr double most_passed = 0.25;

// Rounded up.
double norm_of(const float* x, std::size_t d) {
  double sum = 0;
  for (std::size_t j = 0; j < d; ++j) sum += static_cast<double>(x[j]) * static_cast<double>(x[j]);
  return std::sqrt(sum) * (1 + 1e-12);
}

}  // namespace

std::optional<Head> Head::where_it_pays(const Rows& rows, std::size_t d, Metric metric,
                                        double largest_norm) {
  const std::size_t total = rows.before + rows.n, n = std::min(total, most_sample);
  if (d < least_dimension || total < least_rows || !sound(largest_norm)) return std::nullopt;
  Buffer<float> sample(n * d);
  for (std::size_t i = 0; i < n; ++i)
    std::copy_n(rows.row(i * total / n, d), d, sample.data() + i * d);
  Head head(std::make_shared<const Directions>(sample.data(), n, d, dimensions), d);
  const Buffer<float> along = head.directions_->project(sample.data(), n, dimensions);
  head.shadow_.fit(along.data(), n);
  const Distance value(metric, d), squared(Metric::l2, dimensions);
  std::vector<float> values(n);
  std::size_t passed = 0, passed_nearest = 0;
  for (std::size_t i = 0; i < asked; ++i) {
    const std::size_t row = i * (n / asked);
    const float* q = sample.data() + row * d;
    for (std::size_t j = 0; j < n; ++j) values[j] = value(q, sample.data() + j * d);
    std::partial_sort(values.begin(), values.begin() + neighbour + 1, values.end());
    const double norm = norm_of(q, d);
    const float reach = head.reach(metric, values[neighbour], norm, largest_norm),
                reach_nearest = head.reach(metric, values[nearest], norm, largest_norm);
    for (std::size_t j = 0; j < n; ++j) {
      const float seems =
          squared(along.data() + row * dimensions, along.data() + j * dimensions);
      passed += seems <= reach, passed_nearest += seems <= reach_nearest;
    }
  }
  const auto pairs = static_cast<double>(asked * n);
  head.passed_ = static_cast<double>(passed) / pairs;
  if (head.passed_ > most_passed) return std::nullopt;
  head.at_ = neighbour / static_cast<double>(n);
  head.power_ = std::log(static_cast<double>(passed) / static_cast<double>(passed_nearest)) /
                 std::log(static_cast<double>(neighbour) / nearest);
  return head;
}

// The share is taken for a power of k / n. While a scan has seen i rows, its bound is that of k / i.
double Head::expected(std::size_t k, std::size_t n) const {
  const double nearness = static_cast<double>(k) / static_cast<double>(n);
  return passed_ * std::pow(nearness / at_, power_) / std::max(1 - power_, 0.1);
}

void Head::append(const float* x, std::size_t n) {
  // What is kept meanwhile is bounded: an eighth of the rows at once.
  const std::size_t slice = std::max<std::size_t>(65536, (n + 7) / 8);
  for (std::size_t at = 0; at < n; at += slice) {
    const std::size_t count = std::min(slice, n - at);
    const Buffer<float> along = directions_->project(x + at * d_, count, dimensions);
    shadow_.append(along.data(), count);
  }
}

Head::Queries Head::project(const float* queries, std::size_t n) const {
  Queries out;
  const Buffer<float> along = directions_->project(queries, n, dimensions);
  out.codes = shadow_.quantize(along.data(), n);
  out.norm.resize(n);
  parallel_for(n, 1024, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) out.norm[i] = norm_of(queries + i * d_, d_);
  });
  return out;
}

float Head::reach(Metric metric, float bound, double norm, double largest_norm) const {
  const double value = static_cast<double>(bound), canonical = canonical_error(d_);
  double squared = (value > 0 ? value : 0) * (1 + canonical) + vanished(d_);
  if (metric == Metric::inner_product) {
    // ||q - x||^2 = ||q||^2 + ||x||^2 - 2 <q, x>.
    squared = norm * norm + largest_norm * largest_norm +
              2 * (value + canonical * norm * largest_norm + vanished(d_));
  }
  const double reach = std::sqrt(squared > 0 ? squared : 0) + directions_->rounding(norm) +
                       directions_->rounding(largest_norm);
  return std::nextafter(static_cast<float>(reach * reach * (1 + 1e-12)), infinity);
}

void HeadFilter::thresholds(const float* bounds, Threshold* out) const {
  auto* reaches = thread_scratch<float, HeadFilter>(nq_);
  for (std::size_t i = 0; i < nq_; ++i)
    reaches[i] = head_.reach(metric_, bounds[i], norm_[i], largest_norm_);
  bytes_.thresholds(reaches, out);
}

}  // namespace kf::scan
