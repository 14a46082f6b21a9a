// Conjugate gradients (Hestenes & Stiefel 1952) on L f = y with L = (I - alpha W) / (1 - alpha),
// symmetric positive definite with eigenvalues in [1, (1 + alpha) / (1 - alpha)] (Iscen et al.,
// CVPR 2017, eq. 7). Inside, (I - alpha W) z = y is solved and f = (1 - alpha) z: same iterates,
// same relative residuals. Vectors are float32, inner products float64. An iteration reads the
// graph once and six vectors.

#include "graph/conjugate_gradient.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/buffer.h"
#include "core/checked.h"
#include "core/threads.h"
#include "graph/interleave.h"
#include "graph/pulse.h"

namespace kf::graph {
namespace {

// Up to Width systems at once; the state of each column is its own.
template <std::size_t Width>
class Solver {
 public:
  Solver(const Csr& graph, const FlowOptions& options)
      : graph_(graph),
        alpha_(static_cast<float>(options.alpha)),
        options_(options),
        blocks_(reduction_blocks(graph.n)),
        at_a_time_(blocks_at_a_time(graph, Width)),
        partial_(checked_mul(blocks_, Width)) {
    for (auto* v : {&z_, &r_, &p_, &q_}) v->assign(checked_mul(graph.n, Width), 0.0f);
  }

  void solve(const RightSides& sides, std::size_t first, std::size_t used, const float* start,
             float* out, const FlowReport& report) {
    const std::size_t n = graph_.n;
    double norm[Width], rr[Width], curvature[Width];
    scatter<Width>(sides, first, used, r_.data());
    sum_over_rows(norm, [&](std::size_t i, double* sum) {
      for (std::size_t c = 0; c < Width; ++c) sum[c] += square(r_[i * Width + c]);
    });
    for (double& value : norm) value = std::sqrt(value);
    if (start) {
      join<Width>(start + first * n, n, used, static_cast<float>(1 / (1 - options_.alpha)),
                  z_.data());
      apply(z_.data());
      for (std::size_t i = 0; i < n * Width; ++i) r_[i] -= q_[i];
    }
    p_ = r_;
    sum_over_rows(rr, [&](std::size_t i, double* sum) {
      for (std::size_t c = 0; c < Width; ++c) sum[c] += square(r_[i * Width + c]);
    });

    bool active[Width] = {};
    double residual[Width] = {};
    const auto judge = [&](std::size_t iteration) {
      bool any = false;
      for (std::size_t c = 0; c < used; ++c) {
        if (iteration > 0 && !active[c]) continue;
        residual[c] = norm[c] > 0 ? std::sqrt(rr[c]) / norm[c] : 0.0;
        report.history[iteration * sides.count + first + c] = residual[c];
        report.iterations[first + c] = static_cast<std::int32_t>(iteration);
        report.residuals[first + c] = residual[c];
        active[c] = residual[c] > options_.tolerance;
        any |= active[c];
      }
      return any;
    };

    Pulse pulse;
    bool any = judge(0);
    for (std::size_t iteration = 1; any && iteration <= options_.iterations; ++iteration) {
      pulse();
      sum_over_products(curvature);
      float step[Width] = {};
      for (std::size_t c = 0; c < used; ++c) {
        // Also false for NaN: a damaged graph ends the column, not the process.
        active[c] = active[c] && curvature[c] > 0;
        if (active[c]) step[c] = static_cast<float>(rr[c] / curvature[c]);
      }
      double before[Width];
      for (std::size_t c = 0; c < Width; ++c) before[c] = rr[c];
      sum_over_rows(rr, [&](std::size_t i, double* sum) {
        float *z = &z_[i * Width], *r = &r_[i * Width];
        const float *p = &p_[i * Width], *q = &q_[i * Width];
        for (std::size_t c = 0; c < Width; ++c) {
          z[c] += step[c] * p[c];
          r[c] -= step[c] * q[c];
          sum[c] += square(r[c]);
        }
      });
      any = judge(iteration);
      float beta[Width] = {};
      for (std::size_t c = 0; c < used; ++c)
        if (active[c]) beta[c] = static_cast<float>(rr[c] / before[c]);
      parallel_for(blocks_, at_a_time_, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin * reduction_rows; i < std::min(end * reduction_rows, n); ++i)
          for (std::size_t c = 0; c < Width; ++c)
            p_[i * Width + c] = r_[i * Width + c] + beta[c] * p_[i * Width + c];
      });
    }
    part<Width>(z_.data(), n, used, static_cast<float>(1 - options_.alpha), out + first * n);
  }

 private:
  static double square(float x) { return static_cast<double>(x) * static_cast<double>(x); }

  // total := the sum over all rows of what add(i, sum) adds to sum.
  template <class Add>
  void sum_over_rows(double* total, Add&& add) {
    parallel_for(blocks_, at_a_time_, [&](std::size_t begin, std::size_t end) {
      for (std::size_t b = begin; b < end; ++b) {
        double sum[Width] = {};
        for (std::size_t i = b * reduction_rows; i < std::min((b + 1) * reduction_rows, graph_.n);
             ++i)
          add(i, sum);
        for (std::size_t c = 0; c < Width; ++c) partial_[b * Width + c] = sum[c];
      }
    });
    add_partials(total);
  }

  // q := (I - alpha W) p, total := p . q.
  void sum_over_products(double* total) {
    apply(p_.data());
    add_partials(total);
  }

  // q := (I - alpha W) x, partial := x . q in each block.
  void apply(const float* x) {
    parallel_for(blocks_, at_a_time_, [&](std::size_t begin, std::size_t end) {
      for (std::size_t b = begin; b < end; ++b) {
        double sum[Width] = {};
        const std::size_t rows = std::min((b + 1) * reduction_rows, graph_.n);
        multiply_rows<Width>(graph_, x, b * reduction_rows, rows,
                             [&](std::size_t i, const float* product) {
                               subtract(x + i * Width, product, &q_[i * Width], sum);
                             });
        for (std::size_t c = 0; c < Width; ++c) partial_[b * Width + c] = sum[c];
      }
    });
  }

  // q := x - alpha * product, sum += x * q, for one row. Nothing overlaps.
  void subtract(const float* __restrict x, const float* __restrict product, float* __restrict q,
                double* __restrict sum) const {
    const float alpha = alpha_;
    for (std::size_t c = 0; c < Width; ++c) q[c] = x[c] - alpha * product[c];
    for (std::size_t c = 0; c < Width; ++c)
      sum[c] += static_cast<double>(x[c]) * static_cast<double>(q[c]);
  }

  void add_partials(double* total) {
    for (std::size_t c = 0; c < Width; ++c) total[c] = 0;
    for (std::size_t b = 0; b < blocks_; ++b)
      for (std::size_t c = 0; c < Width; ++c) total[c] += partial_[b * Width + c];
  }

  const Csr& graph_;
  float alpha_;
  FlowOptions options_;
  std::size_t blocks_, at_a_time_;
  std::vector<double> partial_;
  Buffer<float> z_, r_, p_, q_;
};

}  // namespace

void conjugate_gradient(const Csr& graph, const RightSides& sides, const FlowOptions& options,
                        const float* start, float* out, const FlowReport& report) {
  for (std::size_t i = 0; i < (options.iterations + 1) * sides.count; ++i)
    report.history[i] = std::numeric_limits<double>::quiet_NaN();
  by_width(sides.count, [&]<std::size_t Width>(std::size_t first, std::size_t used) {
    Solver<Width>(graph, options).solve(sides, first, used, start, out, report);
  });
}

}  // namespace kf::graph
