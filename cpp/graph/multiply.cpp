// Vectors times the graph, without a solver around: what eigenvectors are found by.

#include "core/checked.h"
#include "core/huge.h"
#include "graph/interleave.h"
#include "graph/pulse.h"

namespace kf::graph {

void multiply(const Sliced& graph, const float* x, std::size_t count, float* out) {
  Pulse pulse;
  by_width(count, [&](std::size_t first, std::size_t used, std::size_t width) {
    pulse();
    const std::size_t n = graph.nodes(), size = checked_mul(graph.rows(), width);
    HugeBuffer<float> in(size, 0.0f), product(size, 0.0f);
    join(graph, x + first * n, used, width, 1.0f, in.data());
    for_each_product(graph, in.data(), width, product.data(),
                     [](std::size_t, std::size_t, std::size_t) {});
    part(graph, product.data(), used, width, 1.0f, out + first * n);
  });
}

}  // namespace kf::graph
