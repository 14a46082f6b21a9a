#include "quantize/cluster_tree.h"

#include <algorithm>
#include <vector>

#include "core/threads.h"
#include "core/topk.h"
#include "kernels/vectors.h"

namespace kf::quantize {
namespace {

// Points that descend together: those that are at one node share its children.
constexpr std::size_t together = 4096;
// Children that are compared with all of them before the next.
constexpr std::size_t rows_at_once = 16;

// A point at a node.
struct Visit {
  std::uint64_t node;
  std::uint32_t point;
};

// Offers the children of one node to the points that are there.
void offer(const VectorKernels& table, const ClusterTree& tree, const float* level,
           const float* points, const Visit* begin, const Visit* end, TopK* best) {
  const std::size_t first = begin->node * tree.branch;
  for (std::size_t at = 0; at < tree.branch; at += rows_at_once) {
    const std::size_t stop = std::min(at + rows_at_once, tree.branch);
    for (const Visit* visit = begin; visit != end; ++visit) {
      TopK& own = best[visit->point];
      const float* point = points + visit->point * tree.d;
      for (std::size_t row = first + at; row < first + stop; ++row) {
        const float distance = table.squared_l2(point, level + row * tree.d, tree.d);
        if (distance <= own.worst()) own.push({distance, static_cast<std::int64_t>(row)});
      }
    }
  }
}

}  // namespace

void descend(const ClusterTree& tree, const float* points, std::size_t n, std::size_t paths,
             std::size_t m, std::size_t threads, float* distances, std::int64_t* leaves) {
  const VectorKernels& table = kernels<VectorKernels>();
  parallel_for(
      n, together,
      [&](std::size_t from, std::size_t to) {
        std::vector<Visit> visits;
        for (std::size_t i = from; i < to; ++i)
          visits.push_back({0, static_cast<std::uint32_t>(i - from)});
        const float* level = tree.inner;
        std::size_t rows = tree.branch;
        for (std::size_t depth = 1; depth <= tree.depth; ++depth) {
          const bool last = depth == tree.depth;
          if (last) level = tree.leaves;
          std::vector<TopK> best(to - from, TopK(last ? m : paths));
          std::size_t end = 0;
          for (std::size_t begin = 0; begin < visits.size(); begin = end) {
            poll_interrupt();
            while (end < visits.size() && visits[end].node == visits[begin].node) ++end;
            offer(table, tree, level, points + from * tree.d, &visits[begin], &visits[end - 1] + 1,
                  best.data());
          }
          if (last) {
            for (std::size_t i = from; i < to; ++i)
              best[i - from].write(distances + i * m, leaves + i * m);
            return;
          }
          visits.clear();
          for (std::size_t i = 0; i < best.size(); ++i)
            for (const Neighbour& node : best[i].items())
              visits.push_back(
                  {static_cast<std::uint64_t>(node.id), static_cast<std::uint32_t>(i)});
          std::sort(visits.begin(), visits.end(), [](const Visit& a, const Visit& b) {
            return a.node < b.node || (a.node == b.node && a.point < b.point);
          });
          level += rows * tree.d;
          rows *= tree.branch;
        }
      },
      threads);
}

}  // namespace kf::quantize
