#include "graph/order.h"

#include <algorithm>
#include <numeric>

#include "graph/pulse.h"

namespace kf::graph {

std::vector<std::int32_t> local_order(const Csr& graph) {
  const auto degree = [&](std::int32_t i) { return graph.starts[i + 1] - graph.starts[i]; };
  const auto before = [&](std::int32_t a, std::int32_t b) {
    return degree(a) != degree(b) ? degree(a) < degree(b) : a < b;
  };
  std::vector<std::int32_t> seeds(graph.n), order, row;
  std::iota(seeds.begin(), seeds.end(), 0);
  std::stable_sort(seeds.begin(), seeds.end(), before);
  order.reserve(graph.n);
  std::vector<char> seen(graph.n, 0);
  Pulse pulse;
  for (const std::int32_t seed : seeds) {
    if (seen[static_cast<std::size_t>(seed)]) continue;
    seen[static_cast<std::size_t>(seed)] = 1;
    std::size_t at = order.size();
    for (order.push_back(seed); at < order.size(); ++at) {
      if (at % 4096 == 0) pulse();
      row.clear();
      for (auto e = graph.starts[order[at]]; e < graph.starts[order[at] + 1]; ++e) {
        const std::int32_t next = graph.neighbours[e];
        if (seen[static_cast<std::size_t>(next)]) continue;
        seen[static_cast<std::size_t>(next)] = 1;
        row.push_back(next);
      }
      std::sort(row.begin(), row.end(), before);
      order.insert(order.end(), row.begin(), row.end());
    }
  }
  std::reverse(order.begin(), order.end());
  return order;
}

}  // namespace kf::graph
