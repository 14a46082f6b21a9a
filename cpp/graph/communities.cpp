// O(entries) a round; rounds shrink the graph quickly. Weights are summed in float64, in the order
// of the entries.

#include "graph/communities.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "core/threads.h"

namespace kf::graph {
namespace {

using Node = std::uint32_t;

constexpr std::size_t most_rounds = 20, most_idle = 2;
// Every move gains where weights are symmetric, and tens of sweeps do; where a damaged file's are
// not, nodes may follow one another in circles.
constexpr std::size_t most_sweeps = 1000;
constexpr double least_gain = 1e-6;

// Numbers labels by their first appearance.
std::vector<std::int64_t> number(const std::vector<Node>& labels) {
  std::vector<std::int64_t> names(labels.size(), -1), out(labels.size());
  std::int64_t next = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::int64_t& name = names[labels[i]];
    if (name < 0) name = next++;
    out[i] = name;
  }
  return out;
}

// A graph of a round: its nodes are groups of nodes of the round before.
struct Level {
  std::vector<std::size_t> starts;
  std::vector<std::pair<Node, double>> edges;  // without loops
  std::vector<double> strength;                // sum of a node's weights, loops included

  std::size_t size() const { return strength.size(); }
};

Level first_level(const Csr& graph) {
  Level level;
  level.starts.reserve(graph.n + 1);
  level.edges.reserve(graph.entries);
  level.strength.resize(graph.n, 0.0);
  level.starts.push_back(0);
  for (std::size_t i = 0; i < graph.n; ++i) {
    for (auto e = static_cast<std::size_t>(graph.starts[i]);
         e < static_cast<std::size_t>(graph.starts[i + 1]); ++e) {
      const auto other = static_cast<Node>(graph.neighbours[e]);
      const auto weight = static_cast<double>(graph.weights[e]);
      level.strength[i] += weight;
      if (other != i) level.edges.emplace_back(other, weight);
    }
    level.starts.push_back(level.edges.size());
  }
  return level;
}

// Sums by label, of few labels at a time.
class Sums {
 public:
  explicit Sums(std::size_t n) : values_(n, 0.0), seen_(n, false) {}
  void add(Node label, double value) {
    if (!seen_[label]) seen_[label] = true, labels_.push_back(label);
    values_[label] += value;
  }
  double of(Node label) const { return values_[label]; }
  const std::vector<Node>& labels() const { return labels_; }
  void clear() {
    for (Node label : labels_) values_[label] = 0, seen_[label] = false;
    labels_.clear();
  }

 private:
  std::vector<double> values_;
  std::vector<bool> seen_;
  std::vector<Node> labels_;
};

std::vector<Node> shuffled(std::size_t n, Random& random) {
  std::vector<Node> order(n);
  std::iota(order.begin(), order.end(), Node{0});
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

class Leiden {
 public:
  // total: sum of all strengths.
  Leiden(double total, double resolution, Random& random)
      : penalty_(total > 0 ? resolution / total : 0), random_(random) {}

  // Communities of all nodes: moves, refinement and aggregation until nothing moves.
  std::vector<Node> round(const Level& nodes, std::vector<Node> community) {
    const Level* level = &nodes;
    Level smaller;
    // Where each node is in this level, and the community of each node of the level.
    std::vector<Node> place(nodes.size());
    std::iota(place.begin(), place.end(), Node{0});
    while (move(*level, community)) {
      const std::vector<std::int64_t> parts = number(refine(*level, community));
      const auto count =
          static_cast<std::size_t>(*std::max_element(parts.begin(), parts.end()) + 1);
      if (count == level->size()) break;
      const std::vector<Node> group(parts.begin(), parts.end());
      // A community keeps its parts together at first; it is named by the first of them.
      constexpr Node nameless = std::numeric_limits<Node>::max();
      std::vector<Node> next(count), name(level->size(), nameless);
      for (Node i = 0; i < level->size(); ++i) {
        Node& of = name[community[i]];
        if (of == nameless) of = group[i];
        next[group[i]] = of;
      }
      for (Node& node : place) node = group[node];
      smaller = aggregate(*level, group, count);
      level = &smaller;
      community = std::move(next);
    }
    for (Node& node : place) node = community[node];
    return place;
  }

 private:
  // Moves nodes to the neighbouring community of the largest gain until none gains. Returns whether
  // any moved.
  bool move(const Level& level, std::vector<Node>& community) {
    const std::size_t n = level.size();
    std::vector<double> strength(n, 0.0);
    std::vector<std::size_t> members(n, 0);
    for (std::size_t i = 0; i < n; ++i) {
      strength[community[i]] += level.strength[i];
      ++members[community[i]];
    }
    std::vector<Node> empty;
    for (Node c = 0; c < n; ++c)
      if (members[c] == 0) empty.push_back(c);
    std::vector<Node> queue = shuffled(n, random_), later;
    std::vector<bool> waiting(n, true);
    Sums links(n);
    bool moved = false;
    for (std::size_t sweep = 0; sweep < most_sweeps && !queue.empty(); ++sweep) {
      std::size_t visits = 0;
      for (Node i : queue) {
        if (++visits % 1024 == 0) poll_interrupt();
        waiting[i] = false;
        const Node from = community[i];
        strength[from] -= level.strength[i];
        if (--members[from] == 0) {
          strength[from] = 0;
          empty.push_back(from);
        }
        for_edges(level, i, [&](Node other, double w) { links.add(community[other], w); });
        const auto gain = [&](Node c) {
          return links.of(c) - penalty_ * level.strength[i] * strength[c];
        };
        Node best = from;
        double most = gain(from);
        // Alone in an empty community the gain is nothing.
        if (most < 0 && !empty.empty()) best = empty.back(), most = 0;
        for (Node c : links.labels())
          if (gain(c) > most + tolerance * level.strength[i]) best = c, most = gain(c);
        links.clear();
        community[i] = best;
        strength[best] += level.strength[i];
        // An empty one that was chosen is the last.
        if (members[best]++ == 0) empty.pop_back();
        if (best == from) continue;
        moved = true;
        for_edges(level, i, [&](Node other, double) {
          if (community[other] != best && !waiting[other]) {
            waiting[other] = true;
            later.push_back(other);
          }
        });
      }
      queue.swap(later);
      later.clear();
    }
    return moved;
  }

  // Parts of each community: single nodes that merge into well connected parts.
  std::vector<Node> refine(const Level& level, const std::vector<Node>& community) {
    const std::size_t n = level.size();
    std::vector<double> whole(n, 0.0), strength = level.strength, outward(n, 0.0);
    for (std::size_t i = 0; i < n; ++i) whole[community[i]] += level.strength[i];
    std::vector<Node> part(n);
    std::iota(part.begin(), part.end(), Node{0});
    std::vector<std::size_t> members(n, 1);
    // The weight that leads from each part to the rest of its community.
    for (Node i = 0; i < n; ++i)
      for_edges(level, i, [&](Node other, double w) {
        if (community[other] == community[i]) outward[i] += w;
      });
    const auto well_connected = [&](Node p, Node in) {
      return outward[p] >= penalty_ * strength[p] * (whole[in] - strength[p]);
    };
    Sums links(n);
    std::size_t visits = 0;
    for (Node i : shuffled(n, random_)) {
      if (++visits % 1024 == 0) poll_interrupt();
      if (part[i] != i || members[i] != 1 || !well_connected(i, community[i])) continue;
      for_edges(level, i, [&](Node other, double w) {
        if (community[other] == community[i]) links.add(part[other], w);
      });
      Node best = i;
      double most = 0;
      for (Node p : links.labels()) {
        const double gain = links.of(p) - penalty_ * strength[i] * strength[p];
        if (gain > most && well_connected(p, community[i])) best = p, most = gain;
      }
      if (best != i) {
        outward[best] += outward[i] - 2 * links.of(best);
        strength[best] += strength[i];
        ++members[best];
        members[i] = 0;
        part[i] = best;
      }
      links.clear();
    }
    return part;
  }

  // Every part becomes a node; group[i] is the node of i.
  static Level aggregate(const Level& level, const std::vector<Node>& group, std::size_t count) {
    std::vector<std::size_t> starts(count + 1, 0);
    for (Node g : group) ++starts[g + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    std::vector<Node> members(group.size());
    std::vector<std::size_t> at(starts.begin(), starts.end() - 1);
    for (Node i = 0; i < group.size(); ++i) members[at[group[i]]++] = i;
    Level out;
    out.strength.resize(count, 0.0);
    out.starts.reserve(count + 1);
    out.starts.push_back(0);
    Sums links(count);
    for (std::size_t g = 0; g < count; ++g) {
      for (std::size_t m = starts[g]; m < starts[g + 1]; ++m) {
        out.strength[g] += level.strength[members[m]];
        for_edges(level, members[m], [&](Node other, double w) {
          if (group[other] != g) links.add(group[other], w);
        });
      }
      for (Node other : links.labels()) out.edges.emplace_back(other, links.of(other));
      links.clear();
      out.starts.push_back(out.edges.size());
    }
    return out;
  }

  // Gains below this share of a node's strength are rounding.
  static constexpr double tolerance = 1e-12;

  template <class Visit>
  static void for_edges(const Level& level, Node i, Visit&& visit) {
    for (std::size_t e = level.starts[i]; e < level.starts[i + 1]; ++e)
      visit(level.edges[e].first, level.edges[e].second);
  }

  double penalty_;
  Random& random_;
};

// The components along the edges (i, j, weight) that are kept.
template <class Keep>
std::vector<std::int64_t> components_along(const Csr& graph, Keep&& keep) {
  // A forest in which every root is the smallest node of its tree.
  std::vector<Node> parent(graph.n);
  std::iota(parent.begin(), parent.end(), Node{0});
  const auto root = [&](Node i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (Node i = 0; i < graph.n; ++i) {
    if (i % 4096 == 0) poll_interrupt();
    for (auto e = static_cast<std::size_t>(graph.starts[i]);
         e < static_cast<std::size_t>(graph.starts[i + 1]); ++e) {
      const auto other = static_cast<Node>(graph.neighbours[e]);
      if (!keep(i, other, graph.weights[e])) continue;
      const Node a = root(i), b = root(other);
      parent[std::max(a, b)] = std::min(a, b);
    }
  }
  for (Node i = 0; i < graph.n; ++i) parent[i] = root(i);
  return number(parent);
}

}  // namespace

std::vector<std::int64_t> components(const Csr& graph, float least) {
  return components_along(graph, [&](Node, Node, float weight) { return weight >= least; });
}

std::vector<std::int64_t> communities(const Csr& graph, double resolution, std::uint64_t seed) {
  Random random(seed);
  const Level nodes = first_level(graph);
  const double total = std::accumulate(nodes.strength.begin(), nodes.strength.end(), 0.0);
  Leiden leiden(total, resolution, random);
  std::vector<Node> found(graph.n);
  std::iota(found.begin(), found.end(), Node{0});
  std::vector<std::int64_t> labels = number(found);
  double best = modularity(graph, labels.data(), resolution);
  // Each round begins with the communities of the one before; random visits may find better ones.
  for (std::size_t round = 0, idle = 0; round < most_rounds && idle < most_idle; ++round) {
    found = leiden.round(nodes, std::move(found));
    // What a node that moved away has left in two pieces are two communities.
    std::vector<std::int64_t> connected =
        components_along(graph, [&](Node i, Node j, float) { return found[i] == found[j]; });
    const double value = modularity(graph, connected.data(), resolution);
    idle = value > best + least_gain ? 0 : idle + 1;
    if (value > best) best = value, labels = connected;
    found.assign(connected.begin(), connected.end());
  }
  return labels;
}

double modularity(const Csr& graph, const std::int64_t* labels, double resolution) {
  std::vector<double> strength(graph.n, 0.0);
  double within = 0, total = 0;
  for (std::size_t i = 0; i < graph.n; ++i) {
    if (labels[i] < 0 || labels[i] >= static_cast<std::int64_t>(graph.n))
      throw InvalidArgument("labels: expected numbers from 0 to the number of nodes");
    for (auto e = static_cast<std::size_t>(graph.starts[i]);
         e < static_cast<std::size_t>(graph.starts[i + 1]); ++e) {
      const auto weight = static_cast<double>(graph.weights[e]);
      total += weight;
      strength[static_cast<std::size_t>(labels[i])] += weight;
      if (labels[static_cast<std::size_t>(graph.neighbours[e])] == labels[i]) within += weight;
    }
  }
  if (!(total > 0)) return 0;
  double expected = 0;
  for (double s : strength) expected += (s / total) * (s / total);
  return within / total - resolution * expected;
}

}  // namespace kf::graph
