#include "scan/exact.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include "core/error.h"
#include "core/threads.h"
#include "kernels/table.h"

namespace kf::scan {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::size_t cache_bytes = 32 << 10;  // queries of one group stay in L1
constexpr std::size_t most_group = 256;

// A canonical float32 value lies within this relative distance of the true one: 32 lanes of d / 32 fused
// multiply-adds, five levels of the tree, the subtraction (twice: squared), each 2^-24; doubled for safety.
double canonical_error(std::size_t d) { return (static_cast<double>(d) / 32 + 16) * 0x1p-23; }

// Results of one query: the k best, or all within a radius.
struct Best {
  TopK heap;
  float bound() const { return heap.worst(); }
  void take(Neighbour item) { heap.push(item); }
  void merge(const Best& other) { heap.merge(other.heap); }
};
struct Within {
  float radius;
  std::vector<Neighbour> found;
  float bound() const { return radius; }
  void take(Neighbour item) {
    if (item.distance <= radius) found.push_back(item);
  }
  void merge(const Within& other) { found.insert(found.end(), other.found.begin(), other.found.end()); }
};

// Thresholds of the 8-bit filter for one group of queries.
class ByteFilter {
 public:
  static constexpr std::size_t granule = 32, most_chunk = Shadow::chunk;
  using Threshold = std::int32_t;
  static constexpr Threshold never = std::numeric_limits<Threshold>::max();

  ByteFilter(const Shadow& shadow, Metric metric, const float* queries, std::size_t nq, std::size_t d, double largest_norm)
      : shadow_(shadow), metric_(metric), d_(d), queries_(shadow.quantize(queries, nq)) {
    slack_.resize(nq);
    for (std::size_t i = 0; i < nq; ++i) {
      double norm = 0;
      for (std::size_t j = 0; j < d; ++j) norm += static_cast<double>(queries[i * d + j]) * static_cast<double>(queries[i * d + j]);
      slack_[i] = canonical_error(d) * std::sqrt(norm) * largest_norm;
    }
  }

  std::size_t padded() const { return queries_.padded_n; }
  void begin_chunk(std::size_t begin, std::size_t end) { residual_ = static_cast<double>(shadow_.residual(begin, end)); }

  Threshold threshold(std::size_t i, float bound) const {
    if (bound == infinity) return std::numeric_limits<Threshold>::min();
    double least;
    if (metric_ == Metric::l2) {
      // ||q^ - x^|| <= ||q - x|| + residuals, squared, in units of the scale.
      const double reach = (std::sqrt(std::max(0.0, static_cast<double>(bound)) * (1 + canonical_error(d_))) +
                            queries_.residual[i] + residual_) / queries_.scale[i] * (1 + 1e-12);
      least = (queries_.squared_norm[i] - reach * reach) / 2 + queries_.sum[i];
    } else {
      const double margin = queries_.residual[i] * shadow_.radius() + queries_.norm[i] * residual_ + slack_[i];
      least = (-static_cast<double>(bound) - queries_.offset[i] - margin * (1 + 1e-12)) / queries_.scale[i] + queries_.sum[i];
    }
    least = std::floor(least) - 1 - std::abs(least) * 1e-14;
    return static_cast<Threshold>(std::clamp(least, -2147483648.0, 2147483646.0));
  }

  std::size_t run(const KernelTable& kernels, std::size_t begin, std::size_t n, const Threshold* thresholds,
                  std::uint32_t* hits) const {
    return kernels.filter_u8(queries_.codes.data(), queries_.wide.data(), queries_.padded_n, shadow_.codes(begin),
                             shadow_.bias(begin), (n + 31) / 32 * 2, shadow_.padded_d(), thresholds, hits);
  }

 private:
  const Shadow& shadow_;
  Metric metric_;
  std::size_t d_;
  Shadow::Queries queries_;
  std::vector<double> slack_;
  double residual_ = 0;
};

// Thresholds of the float32 filter.
class FloatFilter {
 public:
  static constexpr std::size_t granule = 6, most_chunk = 1536;
  using Threshold = float;
  static constexpr Threshold never = infinity;

  FloatFilter(const float* base, const float* bias, Metric metric, const float* queries, std::size_t nq, std::size_t d,
              double largest_norm)
      : base_(base), bias_(bias), metric_(metric), d_(d), nq_(nq) {
    packed_.resize(padded() * d);
    squared_norm_.resize(nq);
    slack_.resize(nq);
    // Rounding of the product, of the stored half norm and of the sum, each bounded by (d + 8) * 2^-24 of the
    // norms (Higham 2002, eq. 3.5); doubled.
    const double unit = (static_cast<double>(d) + 16) * 0x1p-23;
    for (std::size_t i = 0; i < nq; ++i) {
      double norm = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const float v = queries[i * d + j];
        packed_[i / 16 * 16 * d + 16 * j + i % 16] = v;
        norm += static_cast<double>(v) * static_cast<double>(v);
      }
      squared_norm_[i] = norm;
      slack_[i] = unit * (std::sqrt(norm) * largest_norm + largest_norm * largest_norm / 2 + norm / 2);
    }
  }

  std::size_t padded() const { return (nq_ + 15) / 16 * 16; }
  void begin_chunk(std::size_t, std::size_t) {}

  Threshold threshold(std::size_t i, float bound) const {
    if (bound == infinity) return -infinity;
    const double b = static_cast<double>(bound);
    const double least = metric_ == Metric::l2 ? (squared_norm_[i] - std::max(0.0, b) * (1 + canonical_error(d_))) / 2 - slack_[i]
                                               : -b - slack_[i];
    return std::nextafter(static_cast<float>(least), -infinity);
  }

  std::size_t run(const KernelTable& kernels, std::size_t begin, std::size_t n, const Threshold* thresholds,
                  std::uint32_t* hits) const {
    return kernels.filter_f32(packed_.data(), nq_, base_ + begin * d_, bias_ + begin, n, d_, thresholds, hits);
  }

 private:
  const float* base_;
  const float* bias_;
  Metric metric_;
  std::size_t d_, nq_;
  Buffer<float> packed_;
  std::vector<double> squared_norm_, slack_;
};

// Every pair: for tiny work, where a filter's preparation costs more than it saves.
class NoFilter {
 public:
  static constexpr std::size_t granule = 1, most_chunk = 1024;
  using Threshold = float;
  static constexpr Threshold never = infinity;
  explicit NoFilter(std::size_t nq) : nq_(nq) {}
  std::size_t padded() const { return nq_; }
  void begin_chunk(std::size_t, std::size_t) {}
  Threshold threshold(std::size_t, float) const { return 0; }
  std::size_t run(const KernelTable&, std::size_t, std::size_t n, const Threshold*, std::uint32_t* hits) const {
    std::size_t found = 0;
    for (std::uint32_t q = 0; q < nq_; ++q)
      for (std::uint32_t i = 0; i < n; ++i) hits[found++] = q << 16 | i;
    return found;
  }

 private:
  std::size_t nq_;
};

// One group of queries over the base rows [begin, end).
template <class FilterType, class Result>
void scan_range(FilterType& filter, const ExactScan::Base& base, Metric metric, const float* queries, std::size_t nq,
                std::size_t d, std::size_t begin, std::size_t end, std::size_t first_chunk, Result* results) {
  const KernelTable& table = kernels();
  const auto distance = metric == Metric::l2 ? table.squared_l2 : table.inner_product;
  const float sign = metric == Metric::l2 ? 1.0f : -1.0f;
  std::vector<typename FilterType::Threshold> thresholds(filter.padded(), FilterType::never);
  std::vector<float> bounds(nq, infinity);
  const std::size_t most = FilterType::most_chunk;
  Buffer<std::uint32_t> hits(filter.padded() * (most + 32));
  // Chunks double: the k-th distance tightens as the logarithm of what was seen, and so few points of each
  // chunk survive.
  std::size_t chunk = std::min(most, (first_chunk + FilterType::granule - 1) / FilterType::granule * FilterType::granule);
  for (std::size_t at = begin; at < end;) {
    poll_interrupt();
    const std::size_t n = std::min(chunk, end - at);
    filter.begin_chunk(at, at + n);
    for (std::size_t i = 0; i < nq; ++i) {
      bounds[i] = results[i].bound();
      thresholds[i] = filter.threshold(i, bounds[i]);
    }
    const std::size_t found = filter.run(table, at, n, thresholds.data(), hits.data());
    constexpr std::size_t ahead = 6;
    for (std::size_t h = 0; h < found; ++h) {
      if (h + ahead < found) {
        const char* next = reinterpret_cast<const char*>(base.vectors + (at + (hits[h + ahead] & 0xffff)) * d);
        for (std::size_t byte = 0; byte < d * sizeof(float) && byte < 1024; byte += 64) __builtin_prefetch(next + byte);
      }
      const std::size_t q = hits[h] >> 16, row = at + (hits[h] & 0xffff);
      if (row >= end || (base.alive && !base.alive[row])) continue;
      const float value = sign * distance(queries + q * d, base.vectors + row * d, d);
      if (value <= bounds[q]) {
        results[q].take({value, base.ids ? base.ids[row] : static_cast<std::int64_t>(row)});
        bounds[q] = results[q].bound();
      }
    }
    at += n;
    chunk = std::min(most, 2 * chunk);
  }
}

}  // namespace

ExactScan::ExactScan(std::size_t d, Metric metric, bool shadow) : d_(d), metric_(metric) {
  // 255 * 128 * d must fit 32 bits with the bias.
  if (shadow && d <= 32768) shadow_ = std::make_unique<Shadow>(d, metric);
}

std::size_t ExactScan::size() const {
  std::shared_lock lock(mutex_);
  return bias_.size();
}

std::size_t ExactScan::shadow_bytes() const {
  std::shared_lock lock(mutex_);
  return (shadow_ ? shadow_->bytes() : 0) + bias_.size() * sizeof(float);
}

void ExactScan::append(const float* x, std::size_t n) {
  std::unique_lock lock(mutex_);
  const std::size_t before = bias_.size();
  bias_.resize(before + n, 0.0f);
  const auto inner_product = kernels().inner_product;
  std::vector<double> largest((n + 4095) / 4096, 0.0);
  parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
    float norm = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const float squared = inner_product(x + i * d_, x + i * d_, d_);
      if (metric_ == Metric::l2) bias_[before + i] = -squared / 2;
      norm = std::max(norm, squared);
    }
    largest[begin / 4096] = std::sqrt(static_cast<double>(norm) * (1 + canonical_error(d_)));
  });
  for (double norm : largest) largest_norm_ = std::max(largest_norm_, norm);
  if (shadow_) shadow_->append(x, n);
}

template <class Result>
void ExactScan::scan(const Base& base, const float* queries, std::size_t nq, Filter filter, std::size_t threads,
                     std::vector<Result>& results) const {
  std::shared_lock lock(mutex_);
  if (base.n > bias_.size()) throw InvalidArgument("base: more rows than were appended");
  if (filter == Filter::u8 && !shadow_) throw InvalidArgument("filter: this index keeps no 8-bit copy");
  // Squares of huge numbers overflow float32, and with them every bound.
  if (!(largest_norm_ < 1e18)) filter = Filter::none;
  if (filter == Filter::automatic) {
    if (shadow_ && base.n > 64)
      filter = Filter::u8;
    else
      filter = nq >= 8 && base.n > 64 ? Filter::f32 : Filter::none;
  }
  const std::size_t use = threads > 0 ? threads : kf::threads();
  std::size_t group = std::clamp<std::size_t>(cache_bytes / (d_ * (filter == Filter::u8 ? 1 : 4)), 32, most_group) / 32 * 32;
  // Few queries: the base is split among the threads; many: the queries.
  const std::size_t groups = (nq + group - 1) / group;
  std::size_t parts = 1;
  if (use > 1 && groups < 4 * use) parts = std::min<std::size_t>((4 * use + groups - 1) / groups, base.n / 8192 + 1);
  const std::size_t span = ((base.n + parts - 1) / parts + 1023) / 1024 * 1024;
  const std::vector<Result> empty(results.begin(), results.end());
  std::vector<std::mutex> merging(groups);
  parallel_for(groups * parts, 1, [&](std::size_t task, std::size_t) {
    const std::size_t g = task / parts, part = task % parts;
    const std::size_t begin = std::min(part * span, base.n), end = std::min(begin + span, base.n);
    const std::size_t first = g * group, count = std::min(group, nq - first);
    if (begin == end) return;
    std::vector<Result> own(empty.begin() + static_cast<std::ptrdiff_t>(first),
                            empty.begin() + static_cast<std::ptrdiff_t>(first + count));
    const float* q = queries + first * d_;
    if (filter == Filter::u8) {
      ByteFilter f(*shadow_, metric_, q, count, d_, largest_norm_);
      scan_range(f, base, metric_, q, count, d_, begin, end, 64, own.data());
    } else if (filter == Filter::f32) {
      FloatFilter f(base.vectors, bias_.data(), metric_, q, count, d_, largest_norm_);
      scan_range(f, base, metric_, q, count, d_, begin, end, 64, own.data());
    } else {
      NoFilter f(count);
      scan_range(f, base, metric_, q, count, d_, begin, end, 64, own.data());
    }
    std::lock_guard guard(merging[g]);
    for (std::size_t i = 0; i < count; ++i) results[first + i].merge(own[i]);
  }, use);
}

void ExactScan::search(const Base& base, const float* queries, std::size_t nq, std::size_t k, Filter filter,
                       std::size_t threads, float* distances, std::int64_t* ids) const {
  std::vector<Best> results(nq, Best{TopK(k)});
  scan(base, queries, nq, filter, threads, results);
  for (std::size_t i = 0; i < nq; ++i) results[i].heap.write(distances + i * k, ids + i * k);
}

std::vector<std::vector<Neighbour>> ExactScan::range(const Base& base, const float* queries, std::size_t nq, float radius,
                                                     Filter filter, std::size_t threads) const {
  std::vector<Within> results(nq, Within{radius, {}});
  scan(base, queries, nq, filter, threads, results);
  std::vector<std::vector<Neighbour>> out;
  for (Within& result : results) {
    std::sort(result.found.begin(), result.found.end());
    out.push_back(std::move(result.found));
  }
  return out;
}

}  // namespace kf::scan
