// The points of a ball in a k-d tree, in no order. A box that lies inside as a whole is
// taken without a look at its points, so that counting costs what the ball's surface costs.

#include "kernels/kd_norm.h"
#include "kernels/tree.h"

namespace kf::KF_LEVEL {
namespace {

template <class T>
struct Collector {
  const KdBall<T>& ball;
  std::size_t found = 0;

  void take(std::size_t position) {
    if (found < ball.room) ball.found[found] = static_cast<std::uint32_t>(position);
    ++found;
  }
  void take(std::size_t begin, std::size_t end) {
    if (begin < ball.first) begin = ball.first;
    if (begin >= end) return;
    if (found >= ball.room)
      found += end - begin;
    else
      for (std::size_t position = begin; position < end; ++position) take(position);
  }
};

struct Pending {
  std::uint32_t node, level;
};

template <class Norm, class T>
std::size_t collect(const KdView<T>& tree, const KdBall<T>& ball) {
  Pending stack[kd_levels * lane_count];
  std::size_t top = 0;
  // Points below one node of each level.
  std::size_t span[kd_levels];
  span[0] = tree.blocks * lane_count;
  for (std::size_t level = 1; level <= tree.levels; ++level)
    span[level] = span[level - 1] * lane_count;
  Collector<T> collector{ball};
  const Lanes<T> radius = Lanes<T>::set(ball.radius);
  if (tree.n > 0) stack[top++] = {0, static_cast<std::uint32_t>(tree.levels)};
  while (top > 0) {
    const Pending next = stack[--top];
    const std::size_t node = next.node;
    if (next.level == 0) {
      for (std::size_t at = node * span[0]; at < (node + 1) * span[0] && at < tree.n;
           at += lane_count) {
        std::uint32_t inside =
            at_most(point_distances<Norm, 0>(ball.query, tree.points + at * tree.d, tree.d),
                    radius) &
            places(tree.n - at);
        if (at + lane_count <= ball.first) continue;
        if (at < ball.first) inside &= ~places(ball.first - at);
        for (; inside != 0; inside &= inside - 1)
          collector.take(at + static_cast<std::size_t>(__builtin_ctz(inside)));
      }
      continue;
    }
    const std::size_t child = node * lane_count, below = next.level - 1;
    const T* boxes = tree.boxes + (tree.first[next.level] + node) * 2 * lane_count * tree.d;
    std::uint32_t near =
        at_most(least_distances<Norm, 0>(ball.query, boxes, tree.d), Lanes<T>::set(ball.near)) &
        places(tree.count[below] - child);
    if (near == 0) continue;
    const std::uint32_t whole =
        near & at_most(largest_distances<Norm>(ball.query, boxes, tree.d), Lanes<T>::set(ball.far));
    for (; near != 0; near &= near - 1) {
      const auto lane = static_cast<std::size_t>(__builtin_ctz(near));
      const std::size_t begin = (child + lane) * span[below];
      if (begin + span[below] <= ball.first) continue;
      if (whole >> lane & 1) {
        const std::size_t end = begin + span[below];
        collector.take(begin, end < tree.n ? end : tree.n);
      } else {
        stack[top++] = {static_cast<std::uint32_t>(child + lane),
                        static_cast<std::uint32_t>(below)};
      }
    }
  }
  return collector.found;
}

template <class T>
std::size_t points_of(const KdView<T>& tree, const KdBall<T>& ball) {
  switch (ball.norm) {
    case KdNorm::l1:
      return collect<SumOfAbsolutes<T>>(tree, ball);
    case KdNorm::max:
      return collect<LargestAbsolute<T>>(tree, ball);
    case KdNorm::l2:
      break;
  }
  return collect<SumOfSquares<T>>(tree, ball);
}

}  // namespace

std::size_t kd_ball_f32(const KdView<float>& tree, const KdBall<float>& ball) {
  return points_of(tree, ball);
}

std::size_t kd_ball_f64(const KdView<double>& tree, const KdBall<double>& ball) {
  return points_of(tree, ball);
}

}  // namespace kf::KF_LEVEL
