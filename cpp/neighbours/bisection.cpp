// O(n d log(n / leaf)): all nodes of a level are halved at once.

#include "neighbours/bisection.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/prefetch.h"
#include "core/random.h"
#include "core/threads.h"
#include "kernels/vectors.h"

namespace kf::neighbours {
namespace {

constexpr std::size_t most_sample = 128, rounds = 4;

struct Node {
  std::size_t begin, end;
};

// The difference of two means that share out a sample of the node's rows between them.
void direction(const VectorKernels& table, const float* x, std::size_t d, const std::uint32_t* rows,
               std::size_t count, Random& random, float* out) {
  const std::size_t sample = std::min(count, most_sample);
  std::vector<const float*> points(sample);
  for (const float*& point : points) point = x + rows[random.below(count)] * d;
  std::vector<float> means(2 * d);
  std::copy(points[0], points[0] + d, means.begin());
  // The second mean begins at the point that is farthest from the first.
  const auto far = std::max_element(points.begin(), points.end(), [&](auto a, auto b) {
    return table.squared_l2(means.data(), a, d) < table.squared_l2(means.data(), b, d);
  });
  std::copy(*far, *far + d, means.begin() + static_cast<std::ptrdiff_t>(d));
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<float> sums(2 * d, 0.0f);
    std::size_t counts[2] = {0, 0};
    for (const float* point : points) {
      const std::size_t side =
          table.squared_l2(means.data(), point, d) > table.squared_l2(means.data() + d, point, d);
      ++counts[side];
      for (std::size_t j = 0; j < d; ++j) sums[side * d + j] += point[j];
    }
    if (counts[0] == 0 || counts[1] == 0) break;
    for (std::size_t j = 0; j < d; ++j) {
      means[j] = sums[j] / static_cast<float>(counts[0]);
      means[d + j] = sums[d + j] / static_cast<float>(counts[1]);
    }
  }
  for (std::size_t j = 0; j < d; ++j) out[j] = means[j] - means[d + j];
}

}  // namespace

std::vector<std::uint32_t> bisect(const float* x, std::size_t n, std::size_t d, std::size_t leaf,
                                  std::uint64_t seed) {
  const VectorKernels& table = kernels<VectorKernels>();
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::vector<std::pair<float, std::uint32_t>> keys(n);
  std::vector<Node> nodes{{0, n}};
  std::vector<float> directions;
  while (nodes.front().end - nodes.front().begin > leaf) {
    directions.resize(nodes.size() * d);
    parallel_for(nodes.size(), 1, [&](std::size_t at, std::size_t) {
      const Node& node = nodes[at];
      Random random(seed ^ (node.begin * 0x9e3779b97f4a7c15ull + nodes.size()));
      direction(table, x, d, order.data() + node.begin, node.end - node.begin, random,
                directions.data() + at * d);
    });
    parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
      auto node =
          std::upper_bound(nodes.begin(), nodes.end(), begin,
                           [](std::size_t row, const Node& other) { return row < other.end; });
      for (std::size_t i = begin; i < end; ++i) {
        if (i == node->end) ++node;
        const float* normal =
            directions.data() + static_cast<std::size_t>(node - nodes.begin()) * d;
        if (i + 8 < end) prefetch(x + order[i + 8] * d, d * sizeof(float));
        keys[i] = {table.inner_product(normal, x + order[i] * d, d), order[i]};
      }
    });
    // A whole number of leaves to the left, so that all leaves but the last are full.
    std::vector<Node> halves(2 * nodes.size());
    parallel_for(nodes.size(), 1, [&](std::size_t at, std::size_t) {
      const Node& node = nodes[at];
      const std::size_t leaves = (node.end - node.begin + leaf - 1) / leaf;
      const std::size_t middle = std::min(node.end, node.begin + (leaves + 1) / 2 * leaf);
      const auto key = [&](std::size_t i) { return keys.begin() + static_cast<std::ptrdiff_t>(i); };
      if (middle < node.end) std::nth_element(key(node.begin), key(middle), key(node.end));
      for (std::size_t i = node.begin; i < node.end; ++i) order[i] = keys[i].second;
      halves[2 * at] = {node.begin, middle};
      halves[2 * at + 1] = {middle, node.end};
    });
    std::erase_if(halves, [](const Node& node) { return node.begin == node.end; });
    nodes = std::move(halves);
  }
  return order;
}

}  // namespace kf::neighbours
