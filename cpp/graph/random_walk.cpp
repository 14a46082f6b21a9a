// The walk of Zhou et al. 2003: its limit is what conjugate_gradient solves for; its error falls by
// alpha a step at worst. One pass over the graph and three vectors a step.

#include "graph/random_walk.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/checked.h"
#include "core/threads.h"
#include "graph/interleave.h"
#include "graph/pulse.h"

namespace kf::graph {
namespace {

template <std::size_t Width>
void walk(const Csr& graph, const RightSides& sides, const FlowOptions& options, const float* start,
          float* out, const FlowReport& report, std::size_t first, std::size_t used) {
  const std::size_t n = graph.n, size = checked_mul(n, Width), blocks = reduction_blocks(n);
  const auto alpha = static_cast<float>(options.alpha),
             restart = static_cast<float>(1 - options.alpha);
  Buffer<float> y(size, 0.0f), f(size, 0.0f), next(size, 0.0f);
  std::vector<double> changes(checked_mul(blocks, Width)), lengths(changes.size());
  scatter<Width>(sides, first, used, y.data());
  if (start) join<Width>(start + first * n, n, used, 1.0f, f.data());

  bool active[Width] = {};
  for (std::size_t c = 0; c < used; ++c) {
    active[c] = true;
    report.iterations[first + c] = 0;
    report.residuals[first + c] = std::numeric_limits<double>::quiet_NaN();
  }
  Pulse pulse;
  bool any = true;
  for (std::size_t step = 1; any && step <= options.iterations; ++step) {
    pulse();
    parallel_for(blocks, blocks_at_a_time(graph, Width), [&](std::size_t begin, std::size_t end) {
      for (std::size_t b = begin; b < end; ++b) {
        double change[Width] = {}, length[Width] = {};
        multiply_rows<Width>(
            graph, f.data(), b * reduction_rows, std::min((b + 1) * reduction_rows, n),
            [&](std::size_t i, const float* sum) {
              for (std::size_t c = 0; c < Width; ++c) {
                const std::size_t at = i * Width + c;
                const float moved = alpha * sum[c] + restart * y[at];
                next[at] = active[c] ? moved : f[at];
                const double difference =
                    static_cast<double>(next[at]) - static_cast<double>(f[at]);
                change[c] += difference * difference;
                length[c] += static_cast<double>(next[at]) * static_cast<double>(next[at]);
              }
            });
        for (std::size_t c = 0; c < Width; ++c) {
          changes[b * Width + c] = change[c];
          lengths[b * Width + c] = length[c];
        }
      }
    });
    std::swap(f, next);
    any = false;
    for (std::size_t c = 0; c < used; ++c) {
      if (!active[c]) continue;
      double change = 0, length = 0;
      for (std::size_t b = 0; b < blocks; ++b) {
        change += changes[b * Width + c];
        length += lengths[b * Width + c];
      }
      const double relative = length > 0 ? std::sqrt(change / length) : 0.0;
      report.history[step * sides.count + first + c] = relative;
      report.iterations[first + c] = static_cast<std::int32_t>(step);
      report.residuals[first + c] = relative;
      active[c] = relative > options.tolerance;
      any |= active[c];
    }
  }
  part<Width>(f.data(), n, used, 1.0f, out + first * n);
}

}  // namespace

void random_walk(const Csr& graph, const RightSides& sides, const FlowOptions& options,
                 const float* start, float* out, const FlowReport& report) {
  for (std::size_t i = 0; i < (options.iterations + 1) * sides.count; ++i)
    report.history[i] = std::numeric_limits<double>::quiet_NaN();
  by_width(sides.count, [&]<std::size_t Width>(std::size_t first, std::size_t used) {
    walk<Width>(graph, sides, options, start, out, report, first, used);
  });
}

}  // namespace kf::graph
