// Vectors times the graph, without a solver around: what eigenvectors are found by.

#include "core/buffer.h"
#include "core/checked.h"
#include "graph/interleave.h"
#include "graph/pulse.h"
#include "kernels/table.h"

namespace kf::graph {

void multiply(const Sliced& graph, const float* x, std::size_t count, float* out) {
  const SlicedView view = graph.view();
  const KernelTable& kernel = kernels();
  Pulse pulse;
  by_width(count, [&](std::size_t first, std::size_t used, std::size_t width) {
    pulse();
    const std::size_t n = graph.nodes(), size = checked_mul(graph.rows(), width);
    Buffer<float> in(size, 0.0f), product(size, 0.0f);
    join(graph, x + first * n, used, width, 1.0f, in.data());
    for_each_block(graph, width, [&](std::size_t row, std::size_t rows, std::size_t) {
      const std::size_t slice = row / Sliced::lanes;
      kernel.sliced_product(view, in.data(), width, slice, slice + rows / Sliced::lanes,
                            &product[row * width]);
    });
    part(graph, product.data(), used, width, 1.0f, out + first * n);
  });
}

}  // namespace kf::graph
