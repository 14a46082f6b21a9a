#pragma once
// Diffusion as a random walk with restart.

#include "graph/conjugate_gradient.h"

namespace kf::graph {

// f := alpha W f + (1 - alpha) y from f = 0 (Zhou et al., NIPS 2003). Arguments as of
// conjugate_gradient, but residuals and history are of the relative change |f - f before| / |f|.
void random_walk(const Sliced& graph, const RightSides& sides, const FlowOptions& options,
                 const float* start, float* out, const FlowReport& report);

}  // namespace kf::graph
