// The k nearest points of each query in a k-d tree (Friedman, Bentley & Finkel 1977): depth first,
// the nearest box first, boxes beyond the k-th best passed over; (1 + eps) as Arya & Mount 1993.
// Sixteen tight boxes, which stand for four binary splits, are measured at once, and so are sixteen
// points: 8 d bytes a child, 4 d bytes a point.

#include "kernels/kd_norm.h"
#include "kernels/tree.h"

#if KF_HAS_AVX512
#include "kernels/kd_search.avx512.h"
#endif

namespace kf::KF_LEVEL {
namespace {

// The best of k = 1.
template <class T>
struct Nearest {
  T distance;
  std::int64_t id = -1;
  Nearest(T bound, std::size_t, T*, std::int64_t*) : distance(bound) {}
  T worst() const { return distance; }
  void offer(T x, std::int64_t candidate) {
    if (x < distance || (x == distance && candidate < id)) {
      distance = x;
      id = candidate;
    }
  }
  void write(T* distances, std::int64_t* ids) const {
    distances[0] = distance;
    ids[0] = id;
  }
};

// Few: ascending, a newcomer is moved to its place. Lives in the rows of the results.
template <class T>
struct Ascending {
  T* distances;
  std::int64_t* ids;
  std::size_t last;
  Ascending(T bound, std::size_t k, T* d, std::int64_t* i) : distances(d), ids(i), last(k - 1) {
    for (std::size_t at = 0; at < k; ++at) {
      distances[at] = bound;
      ids[at] = -1;
    }
  }
  T worst() const { return distances[last]; }
  void offer(T x, std::int64_t candidate) {
    const T least = distances[last];
    if (!(x < least || (x == least && candidate < ids[last]))) return;
    std::size_t at = last;
    for (; at > 0; --at) {
      const T before = distances[at - 1];
      if (before < x || (before == x && ids[at - 1] < candidate)) break;
      distances[at] = before;
      ids[at] = ids[at - 1];
    }
    distances[at] = x;
    ids[at] = candidate;
  }
  void write(T*, std::int64_t*) const {}
};

// Many: a heap whose top is the worst, sorted in place at the end. An id of -1, missing, sorts
// last.
template <class T>
struct Heap {
  T* distances;
  std::int64_t* ids;
  std::size_t k;
  Heap(T bound, std::size_t size, T* d, std::int64_t* i) : distances(d), ids(i), k(size) {
    for (std::size_t at = 0; at < k; ++at) {
      distances[at] = bound;
      ids[at] = -1;
    }
  }
  T worst() const { return distances[0]; }
  void offer(T x, std::int64_t candidate) {
    if (x < distances[0] || (x == distances[0] && candidate < ids[0])) sink(x, candidate, k);
  }
  void write(T*, std::int64_t*) {
    for (std::size_t size = k; size-- > 1;) {
      const T x = distances[size];
      const std::int64_t id = ids[size];
      distances[size] = distances[0];
      ids[size] = ids[0];
      sink(x, id, size);
    }
  }

 private:
  // Whether a is worse than b; no id is below -1, so a missing place never beats one that is
  // filled.
  static bool worse(T a, std::int64_t a_id, T b, std::int64_t b_id) {
    return a > b || (a == b && a_id > b_id);
  }
  // Puts an item in the place of the top of the first `size`.
  void sink(T x, std::int64_t id, std::size_t size) {
    std::size_t hole = 0;
    for (;;) {
      std::size_t child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size &&
          worse(distances[child + 1], ids[child + 1], distances[child], ids[child]))
        ++child;
      if (!worse(distances[child], ids[child], x, id)) break;
      distances[hole] = distances[child];
      ids[hole] = ids[child];
      hole = child;
    }
    distances[hole] = x;
    ids[hole] = id;
  }
};

// Nodes that are still to be visited: the bound beside the node, whose level is in the upper bits.
// Two arrays, since a load of several members at once would wait for their separate stores.
template <class T>
struct Stack {
  static constexpr std::uint32_t level_shift = 28;
  static constexpr std::uint32_t node_mask = (1u << level_shift) - 1;
  // A path leaves at most 15 siblings at each level.
  T bounds[kd_levels * lane_count];
  std::uint32_t nodes[kd_levels * lane_count];
};

template <class Norm, int D, class T, class Keeper>
void scan_leaf(const KdView<T>& tree, std::size_t leaf, const T* query, Keeper& keep) {
  const std::size_t begin = leaf * tree.blocks;
  for (std::size_t block = begin; block < begin + tree.blocks; ++block) {
    const std::size_t position = block * lane_count;
    if (position >= tree.n) return;
    const Lanes<T> distances =
        point_distances<Norm, D>(query, tree.points + position * dimension<D>(tree.d), tree.d);
    std::uint32_t near =
        at_most(distances, Lanes<T>::set(keep.worst())) & places(tree.n - position);
    if (near == 0) continue;
    alignas(64) T values[lane_count];
    distances.store(values);
    do {
      const auto lane = static_cast<std::size_t>(__builtin_ctz(near));
      keep.offer(values[lane], tree.ids[position + lane]);
      near &= near - 1;
    } while (near != 0);
  }
}

// For one answer the least distance of a leaf is found first: few leaves have a nearer point, and
// most of those that have have one.
template <class Norm, int D, class T>
void scan_leaf(const KdView<T>& tree, std::size_t leaf, const T* query, Nearest<T>& keep) {
  const std::size_t begin = leaf * tree.blocks * lane_count;
  const std::size_t end = begin + tree.blocks * lane_count;
  const auto distances = [&](std::size_t position) {
    return point_distances<Norm, D>(query, tree.points + position * dimension<D>(tree.d), tree.d);
  };
  Lanes<T> nearest = distances(begin);
  for (std::size_t position = begin + lane_count; position < end && position < tree.n;
       position += lane_count)
    nearest = smaller(nearest, distances(position));
  const T found = least(nearest);
  if (found > keep.worst()) return;
  for (std::size_t position = begin; position < end && position < tree.n; position += lane_count) {
    std::uint32_t same =
        at_most(distances(position), Lanes<T>::set(found)) & places(tree.n - position);
    for (; same != 0; same &= same - 1)
      keep.offer(found, tree.ids[position + static_cast<std::size_t>(__builtin_ctz(same))]);
  }
}

constexpr std::uint32_t nowhere = 0xffffffffu;

// `home` is a leaf to begin with, where there is one: that of the query before, often the right
// one, so that most boxes are passed over from the root on. It becomes the leaf nearest to this
// query.
template <class Norm, int D, class T, class Keeper>
std::uint32_t search_one(const KdView<T>& tree, const T* query, T shrink, Keeper& keep,
                         std::uint32_t& home) {
  using Pending = Stack<T>;
  Pending stack;
  std::size_t top = 0;
  std::uint32_t leaves = 0;
  const std::uint32_t begun = home;
  T nearest_leaf = __builtin_inff();
  if (begun != nowhere) {
    ++leaves;
    scan_leaf<Norm, D>(tree, begun, query, keep);
  }
  if (tree.n > 0) {
    stack.bounds[top] = 0;
    stack.nodes[top++] = static_cast<std::uint32_t>(tree.levels) << Pending::level_shift;
  }
  while (top > 0) {
    --top;
    const T bound = stack.bounds[top];
    if (bound > keep.worst() * shrink) continue;
    const std::uint32_t level = stack.nodes[top] >> Pending::level_shift;
    const std::size_t node = stack.nodes[top] & Pending::node_mask;
    if (level == 0) {
      if (bound < nearest_leaf) {
        nearest_leaf = bound;
        home = static_cast<std::uint32_t>(node);
      }
      if (node == begun) continue;
      ++leaves;
      scan_leaf<Norm, D>(tree, node, query, keep);
      continue;
    }
    const std::size_t child = node * lane_count;
    const T* boxes =
        tree.boxes + (tree.first[level] + node) * 2 * lane_count * dimension<D>(tree.d);
    const Lanes<T> bounds = least_distances<Norm, D>(query, boxes, tree.d);
    std::uint32_t near = at_most(bounds, Lanes<T>::set(keep.worst() * shrink)) &
                         places(tree.count[level - 1] - child);
    if (near == 0) continue;
    alignas(64) T values[lane_count];
    bounds.store(values);
    const auto first_child =
        (level - 1) << Pending::level_shift | static_cast<std::uint32_t>(child);
    // The nearest on top: few survive, so that they are put in order one by one.
    const std::size_t bottom = top;
    do {
      const auto lane = static_cast<std::uint32_t>(__builtin_ctz(near));
      near &= near - 1;
      const T value = values[lane];
      std::size_t at = top++;
      for (; at > bottom && stack.bounds[at - 1] < value; --at) {
        stack.bounds[at] = stack.bounds[at - 1];
        stack.nodes[at] = stack.nodes[at - 1];
      }
      stack.bounds[at] = value;
      stack.nodes[at] = first_child + lane;
    } while (near != 0);
  }
  return leaves;
}

template <class Norm, int D, class Keeper, class T>
void search_all(const KdView<T>& tree, const KdNearest<T>& search) {
  std::uint32_t home = nowhere;
  for (std::size_t i = 0; i < search.count; ++i) {
    const std::size_t row = search.order[i];
    T* distances = search.distances + row * search.k;
    std::int64_t* ids = search.ids + row * search.k;
    Keeper keep(search.bound, search.k, distances, ids);
    const std::uint32_t leaves =
        search_one<Norm, D>(tree, search.queries + row * tree.d, search.shrink, keep, home);
    keep.write(distances, ids);
    if (search.leaves != nullptr) search.leaves[row] = leaves;
  }
}

// Beyond this many a heap costs less than moving.
constexpr std::size_t few = 24;

template <class Norm, int D, class T>
void with_keeper(const KdView<T>& tree, const KdNearest<T>& search) {
  if (search.k == 1) search_all<Norm, D, Nearest<T>>(tree, search);
#if KF_HAS_AVX512
  else if (search.k <= lane_count)
    search_all<Norm, D, InLanes<T>>(tree, search);
#endif
  else if (search.k <= few)
    search_all<Norm, D, Ascending<T>>(tree, search);
  else
    search_all<Norm, D, Heap<T>>(tree, search);
}

template <class T>
void nearest(const KdView<T>& tree, const KdNearest<T>& search) {
  switch (search.norm) {
    case KdNorm::l1:
      return with_keeper<SumOfAbsolutes<T>, 0>(tree, search);
    case KdNorm::max:
      return with_keeper<LargestAbsolute<T>, 0>(tree, search);
    case KdNorm::l2:
      break;
  }
  switch (tree.d) {
    case 2:
      return with_keeper<SumOfSquares<T>, 2>(tree, search);
    case 3:
      return with_keeper<SumOfSquares<T>, 3>(tree, search);
    default:
      return with_keeper<SumOfSquares<T>, 0>(tree, search);
  }
}

}  // namespace

void kd_nearest_f32(const KdView<float>& tree, const KdNearest<float>& search) {
  nearest(tree, search);
}

void kd_nearest_f64(const KdView<double>& tree, const KdNearest<double>& search) {
  nearest(tree, search);
}

}  // namespace kf::KF_LEVEL
