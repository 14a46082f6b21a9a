#include "graph/csr.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/threads.h"

namespace kf::graph {
namespace {

void check_starts(const std::int64_t* starts, std::size_t lists, std::size_t entries,
                  const char* message) {
  if (starts[0] != 0 || starts[lists] != static_cast<std::int64_t>(entries))
    throw InvalidArgument(message);
  parallel_for(lists, 1 << 18, [&](std::size_t begin, std::size_t end) {
    bool falls = false;
    for (std::size_t i = begin; i < end; ++i) falls |= starts[i + 1] < starts[i];
    if (falls) throw InvalidArgument(message);
  });
}

void check_positions(const std::int32_t* positions, std::size_t entries, std::size_t n,
                     const char* message) {
  parallel_for(entries, 1 << 20, [&](std::size_t begin, std::size_t end) {
    // Negative positions are huge as unsigned numbers: one comparison for both ends.
    std::uint32_t largest = 0;
    for (std::size_t e = begin; e < end; ++e)
      largest = std::max(largest, static_cast<std::uint32_t>(positions[e]));
    if (largest >= n) throw InvalidArgument(message);
  });
}

}  // namespace

void check(const Csr& graph) {
  if (graph.n > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw InvalidArgument("graph: expected fewer than 2**31 nodes");
  check_starts(graph.starts, graph.n, graph.entries,
               "starts: expected list starts rising from 0 to the number of neighbours");
  check_positions(graph.neighbours, graph.entries, graph.n,
                  "neighbours: expected nodes of the graph");
}

void check(const RightSides& sides, std::size_t n) {
  check_starts(sides.starts, sides.count, sides.entries,
               "starts: expected list starts rising from 0 to the number of ids");
  check_positions(sides.ids, sides.entries, n, "ids: expected nodes of the graph");
}

}  // namespace kf::graph
