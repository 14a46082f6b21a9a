#include "quantize/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/random.h"
#include "core/threads.h"
#include "core/topk.h"
#include "kernels/filters.h"
#include "kernels/vectors.h"
#include "scan/byte_filter.h"
#include "scan/float_filter.h"
#include "scan/search.h"

namespace kf::quantize {

// What a point collects: the nearest centroid.
struct Clustering::Nearest {
  float distance = scan::infinity;
  std::int64_t id = std::numeric_limits<std::int64_t>::max();
  float bound() const { return distance; }
  bool knows(std::size_t row) const { return static_cast<std::int64_t>(row) == id; }
  void take(const scan::FloatScorer&, float value, std::size_t row) {
    const Neighbour item{value, static_cast<std::int64_t>(row)};
    if (item < Neighbour{distance, id}) distance = item.distance, id = item.id;
  }
};

// What is searched.
struct Clustering::Centroids {
  scan::Base base;
  std::vector<float> bias;  // -||c||^2 / 2
  double largest_norm;

  Centroids(const float* centroids, std::size_t k, std::size_t d)
      : base{centroids, nullptr, nullptr, k},
        bias(k),
        largest_norm(scan::float_biases(centroids, k, d, scan::Metric::l2, bias.data())) {}
  const float* row(std::size_t c, std::size_t d) const { return base.vectors + c * d; }
  scan::FloatFilter filter(const float* queries, std::size_t n, std::size_t d) const {
    return {base.vectors, bias.data(), scan::Metric::l2, queries, n, d, largest_norm};
  }
};

namespace {

// Takes the nearest of all centroids in float64, where no square of a float32 vanishes.
void look_again(const float* point, const float* centroids, std::size_t k, std::size_t d,
                float& distance, std::int64_t& id) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < k; ++c) {
    double sum = 0;
    for (std::size_t j = 0; j < d && sum < least; ++j) {
      const double gap = static_cast<double>(point[j]) - static_cast<double>(centroids[c * d + j]);
      sum += gap * gap;
    }
    if (sum < least) least = sum, id = static_cast<std::int64_t>(c);
  }
  distance = static_cast<float>(least);
}

constexpr std::size_t block =
    4096;  // points summed together; fixed, so that sums do not depend on threads
// Centroids below which looking along a few directions does not pay.
constexpr std::size_t least_cells = 64;

}  // namespace

Clustering::Clustering(const float* points, std::size_t n, std::size_t d)
    : points_(points),
      n_(n),
      d_(d),
      bytes_(scan::bytes_beat_floats()),
      sound_(scan::all_sound(points, n * d)),
      shadow_(d, scan::Metric::l2) {
  if (bytes_) {
    shadow_.fit(points, n);
    codes_ = shadow_.quantize(points, n);
  } else if (sound_) {
    const Centroids all(points, n, d);
    head_ =
        scan::Head::where_it_pays({nullptr, 0, points, n}, d, scan::Metric::l2, all.largest_norm);
    if (head_) along_ = head_->project(points, n);
  }
}

void Clustering::by_bytes(const Centroids& centroids, std::size_t first, std::size_t count,
                          bool warm, Nearest* nearest) const {
  const std::size_t k = centroids.base.n;
  scan::ByteFilter filter(shadow_.view(), scan::Metric::l2, codes_, first, count, d_,
                          centroids.largest_norm);
  if (!warm) {
    float bounds[scan::most_group];
    filter.nearest_bounds(k, bounds);
    for (std::size_t i = 0; i < count; ++i) nearest[i].distance = bounds[i];
  }
  // With a bound from the start there is nothing to gain from small first chunks.
  const scan::FloatScorer scorer(centroids.base, scan::Metric::l2, points_ + first * d_, d_);
  scan::scan_range(filter, scorer, count, {0, k, scan::Shadow::chunk}, nearest);
}

void Clustering::by_head(const Centroids& centroids, std::size_t first, std::size_t count,
                         bool warm, Nearest* nearest) const {
  const std::size_t k = centroids.base.n;
  const float* points = points_ + first * d_;
  const scan::FloatScorer scorer(centroids.base, scan::Metric::l2, points, d_);
  scan::HeadFilter filter(*head_, scan::Metric::l2, along_, first, count, centroids.largest_norm);
  if (!warm) {
    // What is nearest along the directions is near.
    constexpr std::size_t chunk = scan::HeadFilter::most_chunk;
    std::vector<std::int32_t> most(count, std::numeric_limits<std::int32_t>::min());
    auto* sums = thread_scratch<std::int32_t, Clustering>(filter.padded() * chunk);
    for (std::size_t at = 0; at < k; at += chunk) {
      const std::size_t n = std::min(chunk, k - at);
      filter.sums(at, n, sums, chunk);
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t* own = sums + i * chunk;
        const auto best = static_cast<std::size_t>(std::max_element(own, own + n) - own);
        if (own[best] > most[i] || at == 0)
          most[i] = own[best], nearest[i].id = static_cast<std::int64_t>(at + best);
      }
    }
    for (std::size_t i = 0; i < count; ++i)
      nearest[i].distance = scorer.value(i, static_cast<std::size_t>(nearest[i].id));
  }
  scan::scan_in_turns(
      filter, [&] { return centroids.filter(points, count, d_); }, scan::most_past_head, scorer,
      count, {0, k, scan::HeadFilter::most_chunk}, nearest);
}

void Clustering::by_floats(const Centroids& centroids, std::size_t first, std::size_t count,
                           Nearest* nearest) const {
  const std::size_t k = centroids.base.n;
  const float* points = points_ + first * d_;
  float best[scan::most_group], second[scan::most_group], where[scan::most_group];
  const scan::FloatFilter filter = centroids.filter(points, count, d_);
  filter.nearest(k, {best, second, where});
  const scan::FloatScorer scorer(centroids.base, scan::Metric::l2, points, d_);
  std::uint32_t unsure[scan::most_group];
  std::size_t left = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = static_cast<std::size_t>(where[i]);
    nearest[i] = {scorer.value(i, row), static_cast<std::int64_t>(row)};
    if (!filter.tells(i, best[i], second[i])) unsure[left++] = static_cast<std::uint32_t>(i);
  }
  if (left == 0) return;
  // Those to which two centroids are about equally near, once more by canonical distances.
  auto* some = thread_scratch<float, Centroids>(left * d_);
  Nearest found[scan::most_group];
  for (std::size_t u = 0; u < left; ++u) {
    std::copy_n(points + unsure[u] * d_, d_, some + u * d_);
    found[u] = nearest[unsure[u]];
  }
  scan::FloatFilter again = centroids.filter(some, left, d_);
  const scan::FloatScorer values(centroids.base, scan::Metric::l2, some, d_);
  scan::scan_range(again, values, left, {0, k, scan::FloatFilter::most_chunk}, found);
  for (std::size_t u = 0; u < left; ++u) nearest[unsure[u]] = found[u];
}

void Clustering::assign(const float* vectors, std::size_t k, bool warm, std::int64_t* labels,
                        float* distances) {
  const Centroids centroids(vectors, k, d_);
  const bool sound = sound_ && scan::sound(centroids.largest_norm) && k < (1 << 24);
  const bool along = head_ && sound && k >= least_cells;
  if (bytes_) {
    shadow_.clear();
    shadow_.append(vectors, k);
  } else if (along) {
    head_->clear();
    head_->append(vectors, k);
  }
  const auto squared_l2 = kernels<VectorKernels>().squared_l2;
  const std::size_t group = scan::group_size(bytes_ || along ? d_ : d_ * sizeof(float));
  parallel_for((n_ + group - 1) / group, 1, [&](std::size_t task, std::size_t) {
    const std::size_t first = task * group, count = std::min(group, n_ - first);
    Nearest nearest[scan::most_group];
    if (warm && (bytes_ || along))
      for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t label = labels[first + i];
        nearest[i] = {squared_l2(points_ + (first + i) * d_,
                                 centroids.row(static_cast<std::size_t>(label), d_), d_),
                      label};
      }
    if (bytes_) {
      by_bytes(centroids, first, count, warm, nearest);
    } else if (along) {
      by_head(centroids, first, count, warm, nearest);
    } else if (sound) {
      by_floats(centroids, first, count, nearest);
    } else {
      // Numbers of which float32 has no bounds.
      scan::NoFilter filter(count);
      const scan::FloatScorer scorer(centroids.base, scan::Metric::l2, points_ + first * d_, d_);
      scan::scan_range(filter, scorer, count, {0, k, scan::NoFilter::most_chunk}, nearest);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const float* point = points_ + (first + i) * d_;
      // So near, float32 does not tell centroids apart, unless the point is one of them.
      if (!(static_cast<double>(nearest[i].distance) >= 2 * scan::vanished(d_)) &&
          !(nearest[i].id < static_cast<std::int64_t>(k) &&
            std::equal(point, point + d_,
                       centroids.row(static_cast<std::size_t>(nearest[i].id), d_))))
        look_again(point, vectors, k, d_, nearest[i].distance, nearest[i].id);
      labels[first + i] = nearest[i].id;
      distances[first + i] = nearest[i].distance;
    }
  });
}

void Clustering::update(const std::int64_t* labels, std::size_t k, float* centroids,
                        std::int64_t* counts) const {
  // Members of each cell in ascending order: a counting sort.
  std::vector<std::size_t> starts(k + 1, 0);
  for (std::size_t i = 0; i < n_; ++i) ++starts[static_cast<std::size_t>(labels[i]) + 1];
  for (std::size_t c = 0; c < k; ++c) starts[c + 1] += starts[c];
  std::vector<std::size_t> members(n_), next(starts.begin(), starts.end() - 1);
  for (std::size_t i = 0; i < n_; ++i) members[next[static_cast<std::size_t>(labels[i])]++] = i;
  parallel_for(k, std::max<std::size_t>(1, 64 * k / std::max(n_, k)),
               [&](std::size_t begin, std::size_t end) {
                 std::vector<double> sum(d_);
                 for (std::size_t c = begin; c < end; ++c) {
                   const std::size_t count = starts[c + 1] - starts[c];
                   counts[c] = static_cast<std::int64_t>(count);
                   if (count == 0) continue;
                   std::fill(sum.begin(), sum.end(), 0.0);
                   for (std::size_t m = starts[c]; m < starts[c + 1]; ++m) {
                     if (m + 4 < starts[c + 1])
                       prefetch_row(points_ + members[m + 4] * d_, d_ * sizeof(float));
                     const float* x = points_ + members[m] * d_;
                     for (std::size_t j = 0; j < d_; ++j) sum[j] += static_cast<double>(x[j]);
                   }
                   for (std::size_t j = 0; j < d_; ++j)
                     centroids[c * d_ + j] =
                         static_cast<float>(sum[j] / static_cast<double>(count));
                 }
               });
}

std::vector<std::int64_t> Clustering::seed(std::size_t k, const double* weights,
                                           std::uint64_t seed) const {
  Random random(seed);
  const auto distance = kernels<VectorKernels>().squared_l2;
  const std::size_t blocks = (n_ + block - 1) / block;
  std::vector<double> mass(n_), sums(blocks);
  std::vector<float> nearest(n_, scan::infinity);
  std::vector<std::int64_t> chosen;
  const auto draw = [&]() -> std::size_t {
    double total = 0;
    for (double sum : sums) total += sum;
    if (!(total > 0)) return n_;  // every point coincides with a drawn one
    double left = random.uniform() * total;
    std::size_t b = 0;
    while (b + 1 < blocks && left >= sums[b]) left -= sums[b++];
    std::size_t last = n_;
    for (std::size_t i = b * block; i < std::min(n_, (b + 1) * block); ++i) {
      if (mass[i] <= 0) continue;
      last = i;
      if (left < mass[i]) return i;
      left -= mass[i];
    }
    if (last < n_) return last;
    return static_cast<std::size_t>(std::max_element(mass.begin(), mass.end()) - mass.begin());
  };
  for (std::size_t i = 0; i < n_; ++i) {
    mass[i] = weights ? weights[i] : 1;
    sums[i / block] += mass[i];
  }
  std::vector<bool> taken(n_, false);
  std::size_t unused = 0;
  while (chosen.size() < k) {
    std::size_t pick = draw();
    if (pick == n_) {  // fewer distinct points than cells: fill with the first unused rows
      while (unused < n_ && taken[unused]) ++unused;
      if (unused == n_) throw InvalidArgument("k: more cells than points");
      pick = unused;
    }
    taken[pick] = true;
    chosen.push_back(static_cast<std::int64_t>(pick));
    const float* centre = points_ + pick * d_;
    parallel_for(blocks, 1, [&](std::size_t b, std::size_t) {
      double sum = 0;
      for (std::size_t i = b * block; i < std::min(n_, (b + 1) * block); ++i) {
        nearest[i] = std::min(nearest[i], distance(points_ + i * d_, centre, d_));
        mass[i] = static_cast<double>(nearest[i]) * (weights ? weights[i] : 1);
        sum += mass[i];
      }
      sums[b] = sum;
    });
  }
  return chosen;
}

}  // namespace kf::quantize
