// Conjugate gradients (Hestenes & Stiefel 1952) on L f = y with L = (I - alpha W) / (1 - alpha),
// symmetric positive definite with eigenvalues in [1, (1 + alpha) / (1 - alpha)] (Iscen et al.,
// CVPR 2017, eq. 7). Inside, (I - alpha W) z = y is solved and f = (1 - alpha) z: same iterates,
// same relative residuals. Vectors are float32, inner products float64. An iteration reads the
// graph once, reads vectors eight times and writes four.

#include "graph/conjugate_gradient.h"

#include <cmath>
#include <limits>

#include "core/buffer.h"
#include "core/checked.h"
#include "graph/interleave.h"
#include "graph/pulse.h"
#include "kernels/table.h"

namespace kf::graph {
namespace {

// Up to `width` systems at once; the state of each column is its own.
class Solver {
 public:
  Solver(const Sliced& graph, const FlowOptions& options, std::size_t width)
      : graph_(graph),
        view_(graph.view()),
        kernels_(kernels()),
        options_(options),
        width_(width),
        sums_(graph.rows(), width) {
    for (auto* v : {&z_, &r_, &p_, &q_}) v->assign(checked_mul(graph.rows(), width), 0.0f);
  }

  void solve(const RightSides& sides, std::size_t first, std::size_t used, const float* start,
             float* out, const FlowReport& report) {
    double norm[widest], rr[widest], curvature[widest], before[widest];
    scatter(graph_, sides, first, used, width_, r_.data());
    const float none[widest] = {};
    subtract(none, norm);
    for (std::size_t c = 0; c < width_; ++c) rr[c] = norm[c];
    if (start) {
      join(graph_, start + first * graph_.nodes(), used, width_,
           static_cast<float>(1 / (1 - options_.alpha)), z_.data());
      apply(z_.data(), curvature);
      float whole[widest];
      std::fill_n(whole, widest, 1.0f);
      subtract(whole, rr);
    }
    p_ = r_;

    bool active[widest] = {};
    const auto judge = [&](std::size_t iteration) {
      bool any = false;
      for (std::size_t c = 0; c < used; ++c) {
        if (iteration > 0 && !active[c]) continue;
        const double residual = norm[c] > 0 ? std::sqrt(rr[c] / norm[c]) : 0.0;
        report.history[iteration * sides.count + first + c] = residual;
        report.iterations[first + c] = static_cast<std::int32_t>(iteration);
        report.residuals[first + c] = residual;
        active[c] = residual > options_.tolerance;
        any |= active[c];
      }
      return any;
    };

    Pulse pulse;
    bool any = judge(0);
    for (std::size_t iteration = 1; any && iteration <= options_.iterations; ++iteration) {
      pulse();
      apply(p_.data(), curvature);
      float step[widest] = {}, beta[widest] = {};
      for (std::size_t c = 0; c < width_; ++c) {
        before[c] = rr[c];
        // Also false for NaN: a damaged graph ends the column, not the process.
        active[c] = active[c] && curvature[c] > 0;
        if (active[c]) step[c] = static_cast<float>(rr[c] / curvature[c]);
      }
      subtract(step, rr);
      any = judge(iteration);
      for (std::size_t c = 0; c < used; ++c)
        if (active[c]) beta[c] = static_cast<float>(rr[c] / before[c]);
      for_each_block(graph_, width_, [&](std::size_t row, std::size_t rows, std::size_t) {
        const std::size_t at = row * width_;
        kernels_.flow_direction(&r_[at], &p_[at], &z_[at], rows, width_, step, beta);
      });
    }
    part(graph_, z_.data(), used, width_, static_cast<float>(1 - options_.alpha),
         out + first * graph_.nodes());
  }

 private:
  // q := (I - alpha W) x, dots := x . q.
  void apply(const float* x, double* dots) {
    const auto alpha = static_cast<float>(options_.alpha);
    for_each_block(graph_, width_, [&](std::size_t row, std::size_t rows, std::size_t b) {
      const std::size_t slice = row / Sliced::lanes;
      float* q = &q_[row * width_];
      kernels_.sliced_product(view_, x, width_, slice, slice + rows / Sliced::lanes, q);
      kernels_.flow_apply(x + row * width_, q, rows, width_, alpha, sums_.block(b));
    });
    sums_.total(dots);
  }

  // r := r - step q, squares := r . r.
  void subtract(const float* step, double* squares) {
    for_each_block(graph_, width_, [&](std::size_t row, std::size_t rows, std::size_t b) {
      const std::size_t at = row * width_;
      kernels_.flow_residual(&q_[at], &r_[at], rows, width_, step, sums_.block(b));
    });
    sums_.total(squares);
  }

  const Sliced& graph_;
  SlicedView view_;
  const KernelTable& kernels_;
  FlowOptions options_;
  std::size_t width_;
  BlockSums sums_;
  Buffer<float> z_, r_, p_, q_;
};

}  // namespace

void conjugate_gradient(const Sliced& graph, const RightSides& sides, const FlowOptions& options,
                        const float* start, float* out, const FlowReport& report) {
  std::fill_n(report.history, (options.iterations + 1) * sides.count,
              std::numeric_limits<double>::quiet_NaN());
  by_width(sides.count, [&](std::size_t first, std::size_t used, std::size_t width) {
    Solver(graph, options, width).solve(sides, first, used, start, out, report);
  });
}

}  // namespace kf::graph
