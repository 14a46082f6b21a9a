// Dijkstra's algorithm with a binary heap; the bottleneck path replaces the sum by the maximum.

#include "graph/shortest_paths.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <queue>
#include <string>
#include <utility>

#include "core/error.h"
#include "graph/pulse.h"

namespace kf::graph {
namespace {

constexpr std::int32_t nowhere = -1;
constexpr double unreached = std::numeric_limits<double>::infinity();

// The tree of best paths as far as it was grown.
struct Tree {
  std::vector<double> costs;
  std::vector<std::int32_t> parents;  // nowhere at sources
  std::vector<float> steps;           // weight of the step to the node
};

// Cost of a step; a weight of zero or NaN leads nowhere. Similarities above 1 (inner products) cost
// nothing.
double cost_of(float weight, PathKind kind, double gamma) {
  if (!(weight > 0)) return unreached;
  const auto w = static_cast<double>(weight);
  switch (kind) {
    case PathKind::bottleneck:
      return -w;
    case PathKind::negative_log:
      return std::max(0.0, -std::log(w) / gamma);
    case PathKind::one_minus:
      return std::max(0.0, 1 - std::pow(w, 1 / gamma));
  }
  return unreached;
}

Tree grow(const Csr& graph, const Sources& sources, std::size_t target, PathKind kind,
          double gamma) {
  Tree tree{std::vector<double>(graph.n, unreached), std::vector<std::int32_t>(graph.n, nowhere),
            std::vector<float>(graph.n, 0.0f)};
  using Entry = std::pair<double, std::int32_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  for (std::size_t s = 0; s < sources.count; ++s) {
    const auto node = static_cast<std::size_t>(sources.ids[s]);
    const double cost = cost_of(sources.weights[s], kind, gamma);
    if (cost >= tree.costs[node]) continue;
    tree.costs[node] = cost;
    tree.steps[node] = sources.weights[s];
    queue.emplace(cost, static_cast<std::int32_t>(node));
  }
  Pulse pulse;
  for (std::size_t visited = 0; !queue.empty(); ++visited) {
    if (visited % 1024 == 0) pulse();
    const auto [cost, entry] = queue.top();
    queue.pop();
    const auto node = static_cast<std::size_t>(entry);
    if (cost > tree.costs[node]) continue;
    if (node == target) break;
    for (auto e = graph.starts[node]; e < graph.starts[node + 1]; ++e) {
      const auto next = static_cast<std::size_t>(graph.neighbours[e]);
      const double step = cost_of(graph.weights[e], kind, gamma);
      const double through = kind == PathKind::bottleneck ? std::max(cost, step) : cost + step;
      if (through >= tree.costs[next]) continue;
      tree.costs[next] = through;
      tree.parents[next] = entry;
      tree.steps[next] = graph.weights[e];
      queue.emplace(through, static_cast<std::int32_t>(next));
    }
  }
  return tree;
}

// Of the paths whose steps all weigh at least `least`, one of fewest steps: breadth first.
Tree grow_within(const Csr& graph, const Sources& sources, std::size_t target, float least) {
  Tree tree{std::vector<double>(graph.n, unreached), std::vector<std::int32_t>(graph.n, nowhere),
            std::vector<float>(graph.n, 0.0f)};
  std::vector<std::int32_t> queue;
  const auto reach = [&](std::size_t node, float weight, std::int32_t parent, double steps) {
    if (!(weight >= least) || tree.costs[node] < unreached) return;
    tree.costs[node] = steps;
    tree.parents[node] = parent;
    tree.steps[node] = weight;
    queue.push_back(static_cast<std::int32_t>(node));
  };
  for (std::size_t s = 0; s < sources.count; ++s)
    reach(static_cast<std::size_t>(sources.ids[s]), sources.weights[s], nowhere, 0);
  Pulse pulse;
  for (std::size_t head = 0; head < queue.size(); ++head) {
    if (head % 1024 == 0) pulse();
    const auto node = static_cast<std::size_t>(queue[head]);
    if (node == target) break;
    for (auto e = graph.starts[node]; e < graph.starts[node + 1]; ++e)
      reach(static_cast<std::size_t>(graph.neighbours[e]), graph.weights[e], queue[head],
            tree.costs[node] + 1);
  }
  return tree;
}

}  // namespace

Path shortest_path(const Csr& graph, const Sources& sources, std::int64_t target, PathKind kind,
                   double gamma) {
  const auto inside = [&](std::int64_t id) {
    return id >= 0 && id < static_cast<std::int64_t>(graph.n);
  };
  if (!inside(target))
    throw InvalidArgument("target: expected a node of the graph, got " + std::to_string(target));
  for (std::size_t s = 0; s < sources.count; ++s)
    if (!inside(sources.ids[s]))
      throw InvalidArgument("source_ids: expected nodes of the graph, got " +
                            std::to_string(sources.ids[s]));
  const auto goal = static_cast<std::size_t>(target);
  Tree tree = grow(graph, sources, goal, kind, gamma);
  Path path;
  if (tree.costs[goal] == unreached) return path;
  if (kind == PathKind::bottleneck)
    tree = grow_within(graph, sources, goal, static_cast<float>(-tree.costs[goal]));
  for (auto node = static_cast<std::int32_t>(target); node != nowhere;
       node = tree.parents[static_cast<std::size_t>(node)]) {
    path.ids.push_back(node);
    path.weights.push_back(tree.steps[static_cast<std::size_t>(node)]);
  }
  std::reverse(path.ids.begin(), path.ids.end());
  std::reverse(path.weights.begin(), path.weights.end());
  return path;
}

}  // namespace kf::graph
