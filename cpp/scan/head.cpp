#include "scan/head.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/threads.h"
#include "scan/distance.h"

namespace kf::scan {
namespace {

constexpr std::size_t most_sample = 4096;
// Of a sample: queries, the rank whose distance is the bound that decides, and the share of pairs
// that may pass at it. In a set of many more rows bounds are tighter.
constexpr std::size_t asked = 32, deciding = 2;
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
  std::vector<float> values(n), seems(n);
  for (std::size_t i = 0; i < asked; ++i) {
    const std::size_t row = i * (n / asked);
    const float* q = sample.data() + row * d;
    for (std::size_t j = 0; j < n; ++j) {
      values[j] = value(q, sample.data() + j * d);
      seems[j] = squared(along.data() + row * dimensions, along.data() + j * dimensions);
    }
    // The first is the row itself.
    std::partial_sort(values.begin(), values.begin() + ranks[std::size(ranks) - 1] + 1,
                      values.end());
    std::sort(seems.begin(), seems.end());
    for (std::size_t r = 0; r < std::size(ranks); ++r) {
      const float reach = head.reach(metric, values[ranks[r]], norm_of(q, d), largest_norm);
      head.passed_[r] +=
          static_cast<double>(std::upper_bound(seems.begin(), seems.end(), reach) - seems.begin());
    }
  }
  for (double& passed : head.passed_) passed /= static_cast<double>(asked * n);
  head.sample_ = n;
  if (head.passed_[deciding] > most_passed) return std::nullopt;
  return head;
}

// Between ranks a power of the rank; below the first, where it flattens, half of that power; beyond
// the last, everything.
double Head::passed_at(double rank) const {
  std::size_t r = 0;
  while (r + 2 < std::size(ranks) && rank > static_cast<double>(ranks[r + 1])) ++r;
  const auto low = static_cast<double>(ranks[r]), high = static_cast<double>(ranks[r + 1]);
  if (rank > high) return 1;
  const double power = std::log(passed_[r + 1] / passed_[r]) / std::log(high / low);
  return passed_[r] * std::pow(rank / low, rank < low ? power / 2 : power);
}

// While a scan has seen i rows, its bound is that of the k-th of i: in a sample, of rank k / i. The
// first rows are left out: what passes there is near, and passes every filter.
double Head::expected(std::size_t k, std::size_t n) const {
  const double rank =
      static_cast<double>(k) * static_cast<double>(sample_) / static_cast<double>(n);
  return (2 * passed_at(rank / 0.75) + passed_at(rank / 0.375)) / 3;
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
