// Conjugate gradients (Hestenes & Stiefel 1952) on L f = y with L = (I - alpha W) / (1 - alpha),
// symmetric positive definite with eigenvalues in [1, (1 + alpha) / (1 - alpha)] (Iscen et al.,
// CVPR 2017, eq. 7). Inside, (I - alpha W) z = y is solved and f = (1 - alpha) z: same iterates,
// same relative residuals. Vectors are float32, inner products float64.
//
// Of large graphs the search directions are rounded to half precision: half the bytes are gathered.
// That is no error of the answer, since the steps are taken along the rounded directions and
// residuals follow them; it only costs that a direction is conjugate to those before to 2^-12 of
// itself. A direction is scaled by a power of two to lie in range.
//
// With d = scale r + beta d' conjugate to d', r . q = d . q / scale for q = (I - alpha W) d, so
// that the next direction is known before r is, and one pass updates all vectors. An iteration
// reads the graph once, vectors six times and writes four.

#include "graph/conjugate_gradient.h"

#include <cmath>
#include <limits>

#include "core/checked.h"
#include "core/huge.h"
#include "graph/interleave.h"
#include "graph/pulse.h"
#include "kernels/graph.h"

namespace kf::graph {
namespace {

// Vectors of fewer nodes lie in the second cache as floats.
constexpr std::size_t halves_from = 8192;
// Directions have at most this length, a quarter of the largest half.
constexpr int most_exponent = 14;

// The power of two that brings a vector of this length near the largest.
double scale_of(double length) {
  int exponent = 0;
  if (!(length > 0) || !std::isfinite(length)) return 0;
  std::frexp(length, &exponent);
  return std::ldexp(1.0, most_exponent - std::max(exponent, -100));
}

// The kernels for directions of one type.
template <class Number>
struct Steps;
template <>
struct Steps<float> {
  static constexpr auto start = &GraphKernels::flow_start;
  static constexpr auto apply = &GraphKernels::flow_apply;
  static constexpr auto update = &GraphKernels::flow_update;
};
template <>
struct Steps<std::uint16_t> {
  static constexpr auto start = &GraphKernels::flow_start_half;
  static constexpr auto apply = &GraphKernels::flow_apply_half;
  static constexpr auto update = &GraphKernels::flow_update_half;
};

// Up to `width` systems at once; the state of each column is its own. Directions are of type
// Number.
template <class Number>
class Solver {
 public:
  Solver(const Sliced& graph, const FlowOptions& options, std::size_t width)
      : graph_(graph),
        kernels_(kernels<GraphKernels>()),
        options_(options),
        alpha_(static_cast<float>(options.alpha)),
        width_(width),
        first_(graph, width),
        second_(graph, width) {
    const std::size_t size = checked_mul(graph.rows(), width);
    for (auto* v : {&z_, &r_, &q_}) v->assign(size, 0.0f);
    d_.assign(size + 1, 0);  // gathers read two halves at once
  }

  void solve(const RightSides& sides, std::size_t first, std::size_t used, const float* start,
             float* out, const FlowReport& report) {
    // Of each column: |y|^2, |r|^2, r . d, d . q, |q|^2, at most |d|^2, and the scale of d.
    double norm[widest], rr[widest], rd[widest], dq[widest], qq[widest], dd[widest], scale[widest];
    scatter(graph_, sides, first, used, width_, r_.data());
    for (std::size_t c = 0; c < width_; ++c) {
      double most = 0;
      if (c < used)
        for (auto e = sides.starts[first + c]; e < sides.starts[first + c + 1]; ++e)
          most += std::abs(sides.values[e]);
      scale[c] = scale_of(most);
    }
    begin(scale, norm, rd);
    std::copy_n(norm, width_, rr);
    if (start) {
      subtract(start + first * graph_.nodes(), used);
      begin(scale, rr, rd);
      for (std::size_t c = 0; c < width_; ++c) scale[c] = scale_of(std::sqrt(rr[c]));
      begin(scale, rr, rd);
    }
    for (std::size_t c = 0; c < width_; ++c) dd[c] = scale[c] * scale[c] * rr[c];

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
      for_each_product(graph_, d_.data(), width_, q_.data(),
                       [&](std::size_t row, std::size_t rows, std::size_t w) {
                         const std::size_t at = row * width_;
                         (kernels_.*Steps<Number>::apply)(&d_[at], &q_[at], rows, width_, alpha_,
                                                          first_.window(w), second_.window(w));
                       });
      first_.total(dq);
      second_.total(qq);
      float step[widest] = {}, share[widest] = {}, beta[widest] = {};
      for (std::size_t c = 0; c < used; ++c) {
        // Also false for NaN: a damaged graph ends the column, not the process.
        active[c] = active[c] && dq[c] > 0 && scale[c] > 0;
        if (!active[c]) continue;
        const double forward = rd[c] / dq[c], next = forward * qq[c] / dq[c] - 1 / scale[c];
        // |r|^2 after the step, and more than what rounding may add; r is then orthogonal to d.
        const double length =
            std::abs(rr[c] + forward * (forward * qq[c] - 2 * dq[c] / scale[c])) + 0.01 * rr[c];
        dd[c] = length + next * next * dd[c];
        scale[c] = scale_of(std::sqrt(dd[c]));
        dd[c] *= scale[c] * scale[c];
        step[c] = static_cast<float>(forward);
        share[c] = static_cast<float>(scale[c]);
        beta[c] = static_cast<float>(scale[c] * next);
      }
      for_each_window(graph_, width_, [&](std::size_t row, std::size_t rows, std::size_t w) {
        const std::size_t at = row * width_;
        (kernels_.*Steps<Number>::update)(&q_[at], &r_[at], &d_[at], &z_[at], rows, width_, step,
                                          share, beta, first_.window(w), second_.window(w));
      });
      first_.total(rr);
      second_.total(rd);
      any = judge(iteration);
    }
    part(graph_, z_.data(), used, width_, static_cast<float>(1 - options_.alpha),
         out + first * graph_.nodes());
  }

 private:
  // d := scale r, and the sums of r r and r d.
  void begin(const double* scale, double* rr, double* rd) {
    float share[widest] = {};
    std::copy_n(scale, width_, share);
    for_each_window(graph_, width_, [&](std::size_t row, std::size_t rows, std::size_t w) {
      const std::size_t at = row * width_;
      (kernels_.*Steps<Number>::start)(&r_[at], &d_[at], rows, width_, share, first_.window(w),
                                       second_.window(w));
    });
    first_.total(rr);
    second_.total(rd);
  }

  // z := what gives the scores f, r := r - (I - alpha W) z.
  void subtract(const float* f, std::size_t used) {
    join(graph_, f, used, width_, static_cast<float>(1 / (1 - options_.alpha)), z_.data());
    for_each_product(graph_, z_.data(), width_, q_.data(),
                     [&](std::size_t row, std::size_t rows, std::size_t) {
                       for (std::size_t at = row * width_; at < (row + rows) * width_; ++at)
                         r_[at] -= z_[at] - alpha_ * q_[at];
                     });
  }

  const Sliced& graph_;
  const GraphKernels& kernels_;
  FlowOptions options_;
  float alpha_;
  std::size_t width_;
  WindowSums first_, second_;
  HugeBuffer<float> z_, r_, q_;
  HugeBuffer<Number> d_;
};

}  // namespace

void conjugate_gradient(const Sliced& graph, const RightSides& sides, const FlowOptions& options,
                        const float* start, float* out, const FlowReport& report) {
  std::fill_n(report.history, (options.iterations + 1) * sides.count,
              std::numeric_limits<double>::quiet_NaN());
  by_width(sides.count, [&](std::size_t first, std::size_t used, std::size_t width) {
    if (graph.nodes() < halves_from)
      Solver<float>(graph, options, width).solve(sides, first, used, start, out, report);
    else
      Solver<std::uint16_t>(graph, options, width).solve(sides, first, used, start, out, report);
  });
}

}  // namespace kf::graph
