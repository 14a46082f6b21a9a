#pragma once
// Vectors side by side: (rows, Width), so that one neighbour's values of all vectors lie together.
// Callers see vectors by node, solvers by place.

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "core/checked.h"
#include "core/threads.h"
#include "graph/csr.h"
#include "graph/sliced.h"
#include "kernels/graph.h"

namespace kf::graph {

// The most vectors that are handled together.
constexpr std::size_t widest = 32;

// x (rows, width) := right-hand sides first to first + used; the rest zero. x is zero before.
inline void scatter(const Sliced& graph, const RightSides& sides, std::size_t first,
                    std::size_t used, std::size_t width, float* x) {
  const std::int32_t* places = graph.places().data();
  for (std::size_t c = 0; c < used; ++c)
    for (auto e = sides.starts[first + c]; e < sides.starts[first + c + 1]; ++e)
      x[static_cast<std::size_t>(places[sides.ids[e]]) * width + c] += sides.values[e];
}

// Calls copy(vector, node, entry of x (rows, width)) for all nodes of `used` vectors, a tile of
// nodes at a time.
template <class Copy>
void for_each_entry(const Sliced& graph, std::size_t used, std::size_t width, Copy&& copy) {
  constexpr std::size_t block = 1 << 14, tile = 16;
  const std::int32_t* places = graph.places().data();
  parallel_for(graph.nodes(), block, [&](std::size_t begin, std::size_t end) {
    for (std::size_t at = begin; at < end; at += tile)
      for (std::size_t c = 0; c < used; ++c)
        for (std::size_t i = at; i < std::min(at + tile, end); ++i)
          copy(c, i, static_cast<std::size_t>(places[i]) * width + c);
  });
}

// out (used, nodes) := scale * x.
inline void part(const Sliced& graph, const float* x, std::size_t used, std::size_t width,
                 float scale, float* out) {
  const std::size_t n = graph.nodes();
  for_each_entry(graph, used, width, [=](std::size_t c, std::size_t i, std::size_t entry) {
    out[c * n + i] = scale * x[entry];
  });
}

// x := scale * in (used, nodes).
inline void join(const Sliced& graph, const float* in, std::size_t used, std::size_t width,
                 float scale, float* x) {
  const std::size_t n = graph.nodes();
  for_each_entry(graph, used, width, [=](std::size_t c, std::size_t i, std::size_t entry) {
    x[entry] = scale * in[c * n + i];
  });
}

// Calls solve(first, used, width) for all right-hand sides, in the widest groups that are not
// mostly empty.
template <class Solve>
void by_width(std::size_t count, Solve&& solve) {
  for (std::size_t first = 0; first < count;) {
    const std::size_t used = std::min(count - first, widest);
    std::size_t width = used > 1 ? 4 : 1;
    while (width < used) width *= 2;
    solve(first, used, width);
    first += used;
  }
}

// Calls body(first row, rows, number of the window) for all windows, in parallel. Sums over rows
// are taken window by window and then over the windows in order, so that they do not depend on the
// number of threads, nor on how many vectors are handled together.
template <class Body>
void for_each_window(const Sliced& graph, std::size_t width, Body&& body) {
  const std::size_t rows = graph.rows();
  // Enough work to be worth handing out, a few milliseconds at most.
  const std::size_t work = (graph.entries() / (rows + 1) + 4) * Sliced::window * width;
  parallel_for(graph.windows(), 1 + (std::size_t{1} << 18) / std::max<std::size_t>(work, 1),
               [&](std::size_t begin, std::size_t end) {
                 for (std::size_t w = begin; w < end; ++w) {
                   const std::size_t row = w * Sliced::window;
                   body(row, std::min(Sliced::window, rows - row), w);
                 }
               });
}

// out := W x, then body as of for_each_window while a window's rows are at hand. One vector goes
// through the matrix block by block, so that its part of x stays near; several go window by window,
// so that their sums do.
template <class Number, class Body>
void for_each_product(const Sliced& graph, const Number* x, std::size_t width, float* out,
                      Body&& body) {
  const SlicedView view = graph.view();
  const GraphKernels& kernel = kernels<GraphKernels>();
  const auto multiply = [&](std::size_t block, std::size_t row, std::size_t rows, std::size_t w) {
    float* to = out + row * width;
    if (graph.blocks() > 1 && block == 0) std::fill_n(to, rows * width, 0.0f);
    const auto [first, last] = graph.slices(block, w);
    if constexpr (std::is_same_v<Number, float>)
      kernel.sliced_product(view, x, width, first, last, to);
    else
      kernel.sliced_product_half(view, x, width, first, last, to);
  };
  const std::size_t passes = width == 1 ? graph.blocks() : 1, last = passes - 1;
  for (std::size_t pass = 0; pass < passes; ++pass)
    for_each_window(graph, width, [&](std::size_t row, std::size_t rows, std::size_t w) {
      const std::size_t end = width == 1 ? pass + 1 : graph.blocks();
      for (std::size_t block = pass; block < end; ++block) multiply(block, row, rows, w);
      if (pass == last) body(row, rows, w);
    });
}

// Sums of a few columns, window by window.
class WindowSums {
 public:
  WindowSums(const Sliced& graph, std::size_t width)
      : width_(width), partial_(checked_mul(graph.windows(), width)) {}
  double* window(std::size_t w) { return partial_.data() + w * width_; }
  void total(double* out) const {
    std::fill_n(out, width_, 0.0);
    for (std::size_t at = 0; at < partial_.size(); at += width_)
      for (std::size_t c = 0; c < width_; ++c) out[c] += partial_[at + c];
  }

 private:
  std::size_t width_;
  std::vector<double> partial_;
};

}  // namespace kf::graph
