// The walk of Zhou et al. 2003: its limit is what conjugate_gradient solves for; its error falls by
// alpha a step at worst. A step reads the graph once, reads vectors four times and writes two.

#include "graph/random_walk.h"

#include <cmath>
#include <limits>

#include "core/checked.h"
#include "core/huge.h"
#include "graph/interleave.h"
#include "graph/pulse.h"
#include "kernels/graph.h"

namespace kf::graph {
namespace {

void walk(const Sliced& graph, const RightSides& sides, const FlowOptions& options,
          const float* start, float* out, const FlowReport& report, std::size_t first,
          std::size_t used, std::size_t width) {
  const std::size_t size = checked_mul(graph.rows(), width), n = graph.nodes();
  const GraphKernels& kernel = kernels<GraphKernels>();
  HugeBuffer<float> y(size, 0.0f), f(size, 0.0f), product(size, 0.0f);
  WindowSums changes(graph, width), lengths(graph, width);
  scatter(graph, sides, first, used, width, y.data());
  if (start) join(graph, start + first * n, used, width, 1.0f, f.data());

  float alpha[widest] = {}, restart[widest] = {};
  for (std::size_t c = 0; c < used; ++c) {
    alpha[c] = static_cast<float>(options.alpha);
    restart[c] = static_cast<float>(1 - options.alpha);
    report.iterations[first + c] = 0;
    report.residuals[first + c] = std::numeric_limits<double>::quiet_NaN();
  }
  Pulse pulse;
  bool any = true;
  for (std::size_t step = 1; any && step <= options.iterations; ++step) {
    pulse();
    for_each_product(graph, f.data(), width, product.data(),
                     [](std::size_t, std::size_t, std::size_t) {});
    for_each_window(graph, width, [&](std::size_t row, std::size_t rows, std::size_t w) {
      const std::size_t at = row * width;
      kernel.flow_walk(&product[at], &y[at], &f[at], rows, width, alpha, restart, changes.window(w),
                       lengths.window(w));
    });
    double change[widest], length[widest];
    changes.total(change);
    lengths.total(length);
    any = false;
    for (std::size_t c = 0; c < used; ++c) {
      if (restart[c] == 0) continue;
      const double relative = length[c] > 0 ? std::sqrt(change[c] / length[c]) : 0.0;
      report.history[step * sides.count + first + c] = relative;
      report.iterations[first + c] = static_cast<std::int32_t>(step);
      report.residuals[first + c] = relative;
      if (relative > options.tolerance)
        any = true;
      else
        alpha[c] = restart[c] = 0;  // this column is at rest
    }
  }
  part(graph, f.data(), used, width, 1.0f, out + first * n);
}

}  // namespace

void random_walk(const Sliced& graph, const RightSides& sides, const FlowOptions& options,
                 const float* start, float* out, const FlowReport& report) {
  std::fill_n(report.history, (options.iterations + 1) * sides.count,
              std::numeric_limits<double>::quiet_NaN());
  by_width(sides.count, [&](std::size_t first, std::size_t used, std::size_t width) {
    walk(graph, sides, options, start, out, report, first, used, width);
  });
}

}  // namespace kf::graph
