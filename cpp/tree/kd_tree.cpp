#include "tree/kd_tree.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/checked.h"
#include "core/error.h"
#include "core/radix.h"
#include "core/threads.h"
#include "tree/kd_order.h"

namespace kf::tree {
namespace {

constexpr std::size_t lanes = 16;
// Queries and leaves of one piece of work. In more dimensions a query may take milliseconds, and
// interrupts are looked for between pieces.
constexpr std::size_t query_block = 256;
constexpr std::size_t slow_query_block = 16;
constexpr std::size_t slow_dimension = 9;
constexpr std::size_t pack_block = 64;
// Points ahead of the one that is copied.
constexpr std::size_t ahead = 24;
// Fewer queries are asked in the order in which they came.
constexpr std::size_t worth_ordering = 64;

// Distances as the kernels have them: squares for l2.
double raised(double distance, KdNorm norm) {
  return norm == KdNorm::l2 ? distance * distance : distance;
}

// The largest T that is not above x, and the smallest that is not below: a comparison of a T with
// them is the comparison with x.
template <class T>
T rounded_down(double x) {
  const T y = static_cast<T>(std::min(x, static_cast<double>(std::numeric_limits<T>::max())));
  if (std::isinf(x)) return std::numeric_limits<T>::infinity();
  return static_cast<double>(y) > x ? std::nextafter(y, T{-1}) : y;
}
template <class T>
T rounded_up(double x) {
  const double most = std::numeric_limits<T>::max();
  if (x > most) return std::numeric_limits<T>::infinity();
  const T y = static_cast<T>(x);
  return static_cast<double>(y) < x ? std::nextafter(y, std::numeric_limits<T>::infinity()) : y;
}

}  // namespace

template <class T>
KdTree<T>::KdTree(const T* data, std::size_t n, std::size_t d, std::size_t bucket,
                  const std::uint32_t* order)
    : order_(n), least_(d), most_(d) {
  if (d == 0) throw InvalidArgument("data: expected at least one dimension");
  if (n >= std::numeric_limits<std::uint32_t>::max() / 2)
    throw InvalidArgument("data: expected fewer than 2**31 points");
  if (bucket == 0 || bucket % lanes != 0 || bucket > (1u << 20))
    throw InvalidArgument("bucket: expected a multiple of 16");
  if (order == nullptr) {
    kd_order(data, n, d, bucket, order_.data());
  } else {
    std::vector<bool> seen(n, false);
    for (std::size_t i = 0; i < n; ++i) {
      if (order[i] >= n || seen[order[i]]) throw InvalidArgument("order: expected each row once");
      seen[order[i]] = true;
    }
    std::copy_n(order, n, order_.data());
  }
  view_.n = n;
  view_.d = d;
  view_.blocks = bucket / lanes;
  view_.count[0] = (n + bucket - 1) / bucket;
  std::size_t level = 0;
  do {
    ++level;
    view_.count[level] = (view_.count[level - 1] + lanes - 1) / lanes;
  } while (view_.count[level] > 1);
  view_.levels = level;
  std::size_t nodes = 0;
  for (; level > 0; --level) {
    view_.first[level] = nodes;
    nodes += view_.count[level];
  }
  const std::size_t padded = (n + lanes - 1) / lanes * lanes;
  points_.assign(checked_mul(padded, d), std::numeric_limits<T>::infinity());
  boxes_.resize(checked_mul(checked_mul(nodes, 2 * lanes), d));
  pack(data);
  view_.boxes = boxes_.data();
  view_.points = points_.data();
  view_.ids = order_.data();
}

template <class T>
void KdTree<T>::pack(const T* data) {
  const std::size_t n = view_.n, d = view_.d, bucket = view_.blocks * lanes;
  const auto side = [&](std::size_t level, std::size_t child) {
    return boxes_.data() + (view_.first[level] + child / lanes) * 2 * lanes * d + child % lanes;
  };
  // The points of each leaf, dimension by dimension, and its box.
  parallel_for(view_.count[0], pack_block, [&](std::size_t begin, std::size_t end) {
    for (std::size_t leaf = begin; leaf < end; ++leaf) {
      T* box = side(1, leaf);
      const std::size_t first = leaf * bucket, last = std::min(n, first + bucket);
      for (std::size_t at = first; at < last; ++at) {
        if (at + ahead < n) __builtin_prefetch(data + std::size_t{order_[at + ahead]} * d);
        const T* x = data + std::size_t{order_[at]} * d;
        T* to = points_.data() + at / lanes * lanes * d + at % lanes;
        for (std::size_t j = 0; j < d; ++j) to[j * lanes] = x[j];
      }
      for (std::size_t j = 0; j < d; ++j) {
        T least = data[std::size_t{order_[first]} * d + j], most = least;
        for (std::size_t at = first; at < last; ++at) {
          const T x = points_[at / lanes * lanes * d + j * lanes + at % lanes];
          least = std::min(least, x);
          most = std::max(most, x);
        }
        box[2 * j * lanes] = least;
        box[(2 * j + 1) * lanes] = most;
      }
    }
  });
  // A node's box is that of its children's boxes.
  const auto join = [&](std::size_t level, std::size_t node, std::size_t j) {
    const T* sides = side(level, node * lanes) + 2 * j * lanes;
    const std::size_t children = std::min(lanes, view_.count[level - 1] - node * lanes);
    return std::pair{*std::min_element(sides, sides + children),
                     *std::max_element(sides + lanes, sides + lanes + children)};
  };
  for (std::size_t level = 2; level <= view_.levels; ++level)
    for (std::size_t node = 0; node < view_.count[level - 1]; ++node)
      for (std::size_t j = 0; j < d; ++j) {
        const auto [least, most] = join(level - 1, node, j);
        side(level, node)[2 * j * lanes] = least;
        side(level, node)[(2 * j + 1) * lanes] = most;
      }
  for (std::size_t j = 0; n > 0 && j < d; ++j)
    std::tie(least_[j], most_[j]) = join(view_.levels, 0, j);
}

template <class T>
std::vector<std::uint32_t> KdTree<T>::visiting_order(const T* queries, std::size_t nq) const {
  std::vector<std::uint32_t> order(nq);
  std::iota(order.begin(), order.end(), 0u);
  if (nq < worth_ordering || view_.n == 0) return order;
  // Morton codes of 24 bits: the cells of a grid over the points' box.
  const std::size_t used = std::min<std::size_t>(view_.d, 12), bits = 24 / used;
  const auto cells = static_cast<float>(1u << bits);
  std::vector<float> scale(used);
  for (std::size_t j = 0; j < used; ++j) {
    const auto width = static_cast<float>(most_[j] - least_[j]);
    scale[j] = width > 0 && cells / width < std::numeric_limits<float>::max() ? cells / width : 0;
  }
  std::vector<std::uint64_t> items(nq);
  // Each bit of a coordinate, spread to its place. One coordinate is its own code.
  std::vector<std::uint32_t> spread(used == 1 ? 0 : std::size_t{1} << bits);
  for (std::uint32_t value = 0; value < spread.size(); ++value)
    spread[value] = spread[value >> 1] << used | (value & 1u);
  parallel_for(nq, 1 << 14, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      std::uint64_t code = 0;
      for (std::size_t j = 0; j < used; ++j) {
        const float cell = static_cast<float>(queries[i * view_.d + j] - least_[j]) * scale[j];
        // Also false for NaN, of an overflow.
        const std::uint32_t clipped =
            cell > 0 ? static_cast<std::uint32_t>(std::min(cell, cells - 1)) : 0;
        code |= std::uint64_t{used == 1 ? clipped : spread[clipped]} << j;
      }
      items[i] = code << 32 | i;
    }
  });
  std::vector<std::uint64_t> spare(nq);
  const std::uint64_t* sorted = radix_sort(items.data(), spare.data(), nq, 32, 56);
  for (std::size_t i = 0; i < nq; ++i) order[i] = static_cast<std::uint32_t>(sorted[i]);
  return order;
}

template <class T>
void KdTree<T>::nearest(const T* queries, std::size_t nq, const NearestOptions& options,
                        T* distances, std::int64_t* ids, std::uint32_t* leaves) const {
  if (options.k == 0) throw InvalidArgument("k: expected at least 1");
  if (nq >= std::numeric_limits<std::uint32_t>::max())
    throw InvalidArgument("queries: expected fewer than 2**32");
  const TreeKernels& table = kernels<TreeKernels>();
  const std::vector<std::uint32_t> order = visiting_order(queries, nq);
  const T bound = rounded_up<T>(raised(options.bound, options.norm));
  const T shrink = std::max(static_cast<T>(raised(1 / (1 + options.eps), options.norm)),
                            std::numeric_limits<T>::min());
  const auto missing = static_cast<std::int64_t>(view_.n);
  parallel_for(
      nq, view_.d < slow_dimension ? query_block : slow_query_block,
      [&](std::size_t begin, std::size_t end) {
        const KdNearest<T> search{queries,      order.data() + begin,
                                  end - begin,  options.k,
                                  options.norm, bound,
                                  shrink,       distances,
                                  ids,          leaves};
        if constexpr (sizeof(T) == sizeof(float))
          table.kd_nearest_f32(view_, search);
        else
          table.kd_nearest_f64(view_, search);
        for (std::size_t i = begin; i < end; ++i) {
          T* row = distances + order[i] * options.k;
          std::int64_t* row_ids = ids + order[i] * options.k;
          for (std::size_t j = 0; j < options.k; ++j) {
            if (row_ids[j] < 0) {
              row_ids[j] = missing;
              row[j] = std::numeric_limits<T>::infinity();
            } else if (options.norm == KdNorm::l2) {
              row[j] = std::sqrt(row[j]);
            }
          }
        }
      },
      options.threads);
}

template <class T>
std::size_t KdTree<T>::ball(const TreeKernels& table, const KdBall<T>& search) const {
  if constexpr (sizeof(T) == sizeof(float))
    return table.kd_ball_f32(view_, search);
  else
    return table.kd_ball_f64(view_, search);
}

namespace {

template <class T>
KdBall<T> ball_of(const T* query, double radius, const BallOptions& options) {
  const double grown = 1 + options.eps;
  return {query,
          options.norm,
          rounded_down<T>(raised(radius, options.norm)),
          rounded_down<T>(raised(radius / grown, options.norm)),
          rounded_down<T>(raised(radius * grown, options.norm)),
          0,
          nullptr,
          0};
}

// What one piece of work found.
struct Found {
  std::vector<std::uint32_t> positions;
  std::vector<std::size_t> sizes;
};

}  // namespace

// Room grows to the largest ball: one that does not fit is asked for again.
template <class T>
std::size_t KdTree<T>::positions_in(const TreeKernels& table, KdBall<T> search,
                                    std::vector<std::uint32_t>& room) const {
  for (;;) {
    search.found = room.data();
    search.room = room.size();
    const std::size_t size = ball(table, search);
    if (size <= room.size()) return size;
    room.resize(size);
  }
}

template <class T>
void KdTree<T>::balls(const T* queries, const double* radii, std::size_t nq,
                      const BallOptions& options, std::vector<std::int64_t>& starts,
                      std::vector<std::int64_t>& ids) const {
  const TreeKernels& table = kernels<TreeKernels>();
  const std::vector<std::uint32_t> order = visiting_order(queries, nq);
  std::vector<Found> blocks((nq + query_block - 1) / query_block);
  parallel_for(
      nq, query_block,
      [&](std::size_t begin, std::size_t end) {
        std::vector<std::uint32_t> room(1024);
        Found& found = blocks[begin / query_block];
        for (std::size_t i = begin; i < end; ++i) {
          const std::size_t row = order[i];
          const KdBall<T> search = ball_of(queries + row * view_.d, radii[row], options);
          const std::size_t size = positions_in(table, search, room);
          for (std::size_t j = 0; j < size; ++j) room[j] = order_[room[j]];
          const auto last = room.begin() + static_cast<std::ptrdiff_t>(size);
          if (options.sorted) std::sort(room.begin(), last);
          found.positions.insert(found.positions.end(), room.begin(), last);
          found.sizes.push_back(size);
          if (i % 16 == 0) poll_interrupt();
        }
      },
      options.threads);
  starts.assign(nq + 1, 0);
  for (std::size_t i = 0; i < nq; ++i)
    starts[order[i] + 1] =
        static_cast<std::int64_t>(blocks[i / query_block].sizes[i % query_block]);
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  ids.resize(static_cast<std::size_t>(starts[nq]));
  parallel_for(
      nq, query_block,
      [&](std::size_t begin, std::size_t end) {
        const Found& found = blocks[begin / query_block];
        auto from = found.positions.begin();
        for (std::size_t i = begin; i < end; ++i) {
          const auto size = static_cast<std::ptrdiff_t>(found.sizes[i - begin]);
          std::copy(from, from + size, ids.begin() + starts[order[i]]);
          from += size;
        }
      },
      options.threads);
}

template <class T>
void KdTree<T>::count_balls(const T* queries, const double* radii, std::size_t nq,
                            const BallOptions& options, std::int64_t* counts) const {
  const TreeKernels& table = kernels<TreeKernels>();
  const std::vector<std::uint32_t> order = visiting_order(queries, nq);
  parallel_for(
      nq, query_block,
      [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          const std::size_t row = order[i];
          counts[row] = static_cast<std::int64_t>(
              ball(table, ball_of(queries + row * view_.d, radii[row], options)));
          if (i % 16 == 0) poll_interrupt();
        }
      },
      options.threads);
}

template <class T>
std::vector<std::int64_t> KdTree<T>::pairs(double radius, const BallOptions& options) const {
  const TreeKernels& table = kernels<TreeKernels>();
  using Pair = std::pair<std::uint32_t, std::uint32_t>;
  std::vector<std::vector<Pair>> blocks((view_.n + query_block - 1) / query_block);
  parallel_for(
      view_.n, query_block,
      [&](std::size_t begin, std::size_t end) {
        std::vector<std::uint32_t> room(1024);
        std::vector<T> point(view_.d);
        for (std::size_t at = begin; at < end; ++at) {
          for (std::size_t j = 0; j < view_.d; ++j)
            point[j] = points_[at / lanes * lanes * view_.d + j * lanes + at % lanes];
          // Each pair once, by its earlier point.
          KdBall<T> search = ball_of(point.data(), radius, options);
          search.first = at + 1;
          const std::size_t size = positions_in(table, search, room);
          const std::uint32_t one = order_[at];
          for (std::size_t j = 0; j < size; ++j) {
            const std::uint32_t other = order_[room[j]];
            blocks[begin / query_block].emplace_back(std::min(one, other), std::max(one, other));
          }
          if (at % 16 == 0) poll_interrupt();
        }
      },
      options.threads);
  // In order: counted by the smaller row, then each row's partners.
  std::vector<std::size_t> starts(view_.n + 1, 0);
  for (const auto& block : blocks)
    for (const Pair& pair : block) ++starts[pair.first + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::uint32_t> partners(starts[view_.n]);
  std::vector<std::size_t> next(starts.begin(), starts.end() - 1);
  for (auto& block : blocks) {
    for (const Pair& pair : block) partners[next[pair.first]++] = pair.second;
    block = {};
  }
  std::vector<std::int64_t> flat(2 * partners.size());
  parallel_for(
      view_.n, 1 << 12,
      [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          std::sort(partners.begin() + static_cast<std::ptrdiff_t>(starts[i]),
                    partners.begin() + static_cast<std::ptrdiff_t>(starts[i + 1]));
          for (std::size_t at = starts[i]; at < starts[i + 1]; ++at) {
            flat[2 * at] = static_cast<std::int64_t>(i);
            flat[2 * at + 1] = partners[at];
          }
        }
      },
      options.threads);
  return flat;
}

template class KdTree<float>;
template class KdTree<double>;

}  // namespace kf::tree
