#pragma once
// Diffusion in closed form: f = (1 - alpha) (I - alpha W)^-1 y by conjugate gradients.

#include <cstddef>
#include <cstdint>

#include "graph/csr.h"
#include "graph/sliced.h"

namespace kf::graph {

struct FlowOptions {
  double alpha = 0.99;
  std::size_t iterations = 20;
  // A column stops where its relative residual is at most this.
  double tolerance = 1e-6;
};

// What a solver tells of each right-hand side; history is (iterations + 1, count), NaN past a stop.
struct FlowReport {
  std::int32_t* iterations;
  double* residuals;
  double* history;
};

// Solves for all right-hand sides. start (count, n) may be null: a first guess of f. out is (count,
// n).
void conjugate_gradient(const Sliced& graph, const RightSides& sides, const FlowOptions& options,
                        const float* start, float* out, const FlowReport& report);

}  // namespace kf::graph
