// Every row's own list and the list of those who name it, both ascending, are merged: O(n k log k).

#include "graph/symmetrize.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "core/checked.h"
#include "core/error.h"
#include "core/threads.h"

namespace kf::graph {
namespace {

constexpr std::size_t rows_at_a_time = 1 << 12;

using Edge = std::pair<std::int32_t, float>;

// Lists of edges, ascending by node.
struct Adjacency {
  std::vector<std::size_t> starts;
  std::vector<Edge> edges;
};

std::vector<std::size_t> running_sum(const std::vector<std::size_t>& counts) {
  std::vector<std::size_t> starts(counts.size() + 1, 0);
  for (std::size_t i = 0; i < counts.size(); ++i) starts[i + 1] = starts[i] + counts[i];
  return starts;
}

// A row's first k ids other than itself, ascending.
template <class Id>
void cut(const NeighbourLists<Id>& lists, std::size_t row, std::size_t k,
         std::vector<Edge>& edges) {
  edges.clear();
  for (std::size_t at = row * lists.width; at < (row + 1) * lists.width && edges.size() < k; ++at) {
    const std::int64_t id = lists.ids[at];
    if (id == -1 || id == static_cast<std::int64_t>(row)) continue;
    if (id < 0 || id >= static_cast<std::int64_t>(lists.n))
      throw InvalidArgument("ids: expected ids from 0 to " + std::to_string(lists.n - 1) +
                            " or -1, got " + std::to_string(id) + " in row " + std::to_string(row));
    edges.emplace_back(static_cast<std::int32_t>(id), lists.weights[at]);
  }
  std::sort(edges.begin(), edges.end());
  for (std::size_t e = 1; e < edges.size(); ++e)
    if (edges[e].first == edges[e - 1].first)
      throw InvalidArgument("ids: expected each id once in a list, got " +
                            std::to_string(edges[e].first) + " more than once in row " +
                            std::to_string(row));
}

template <class Id>
Adjacency own_lists(const NeighbourLists<Id>& lists, std::size_t k) {
  const std::size_t most = std::min(k, lists.width);
  std::vector<Edge> slots(checked_mul(lists.n, most));
  std::vector<std::size_t> counts(lists.n);
  parallel_for(lists.n, rows_at_a_time, [&](std::size_t begin, std::size_t end) {
    std::vector<Edge> edges;
    for (std::size_t row = begin; row < end; ++row) {
      cut(lists, row, most, edges);
      // After the cut: an edge without weight has taken its place in the list.
      std::erase_if(edges, [](const Edge& edge) { return !(edge.second > 0); });
      std::copy(edges.begin(), edges.end(),
                slots.begin() + static_cast<std::ptrdiff_t>(row * most));
      counts[row] = edges.size();
    }
  });
  Adjacency own{running_sum(counts), std::move(slots)};
  for (std::size_t row = 0; row < lists.n; ++row)
    std::copy_n(own.edges.begin() + static_cast<std::ptrdiff_t>(row * most), counts[row],
                own.edges.begin() + static_cast<std::ptrdiff_t>(own.starts[row]));
  own.edges.resize(own.starts.back());
  return own;
}

// Rows are visited in order, so the lists come out ascending.
Adjacency transpose(const Adjacency& own) {
  const std::size_t n = own.starts.size() - 1;
  std::vector<std::size_t> counts(n, 0);
  for (const Edge& edge : own.edges) ++counts[static_cast<std::size_t>(edge.first)];
  Adjacency other{running_sum(counts), std::vector<Edge>(own.edges.size())};
  std::vector<std::size_t> at(other.starts.begin(), other.starts.end() - 1);
  for (std::size_t row = 0; row < n; ++row)
    for (std::size_t e = own.starts[row]; e < own.starts[row + 1]; ++e)
      other.edges[at[static_cast<std::size_t>(own.edges[e].first)]++] = {
          static_cast<std::int32_t>(row), own.edges[e].second};
  return other;
}

// Calls keep(node, weight) for the edges of a row, ascending.
template <class Keep>
void merge(const Adjacency& own, const Adjacency& other, std::size_t row, bool reciprocal,
           Keep&& keep) {
  std::size_t a = own.starts[row], b = other.starts[row];
  const std::size_t a_end = own.starts[row + 1], b_end = other.starts[row + 1];
  constexpr std::int32_t past = std::numeric_limits<std::int32_t>::max();
  while (a < a_end || b < b_end) {
    const std::int32_t left = a < a_end ? own.edges[a].first : past;
    const std::int32_t right = b < b_end ? other.edges[b].first : past;
    if (left == right) {
      keep(left, std::max(own.edges[a].second, other.edges[b].second));
    } else if (!reciprocal) {
      keep(std::min(left, right), left < right ? own.edges[a].second : other.edges[b].second);
    }
    const std::int32_t least = std::min(left, right);
    a += left == least;
    b += right == least;
  }
}

}  // namespace

template <class Id>
OwnedCsr symmetrize(const NeighbourLists<Id>& lists, std::size_t k, bool reciprocal) {
  if (lists.n >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw InvalidArgument("ids: expected fewer than 2**31 rows");
  const Adjacency own = own_lists(lists, k), other = transpose(own);
  std::vector<std::size_t> counts(lists.n, 0);
  parallel_for(lists.n, rows_at_a_time, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row)
      merge(own, other, row, reciprocal, [&](std::int32_t, float) { ++counts[row]; });
  });
  const std::vector<std::size_t> starts = running_sum(counts);
  OwnedCsr graph;
  graph.starts.assign(starts.begin(), starts.end());
  graph.neighbours.resize(starts.back());
  graph.weights.resize(starts.back());
  parallel_for(lists.n, rows_at_a_time, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      std::size_t at = starts[row];
      merge(own, other, row, reciprocal, [&](std::int32_t node, float weight) {
        graph.neighbours[at] = node;
        graph.weights[at++] = weight;
      });
    }
  });
  return graph;
}

template OwnedCsr symmetrize(const NeighbourLists<std::int32_t>&, std::size_t, bool);
template OwnedCsr symmetrize(const NeighbourLists<std::int64_t>&, std::size_t, bool);

}  // namespace kf::graph
