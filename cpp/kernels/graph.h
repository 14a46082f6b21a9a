#pragma once
// Sparse matrices times vectors, and the steps of solvers between.

#include "kernels/family.h"
#include "kernels/sliced.h"

namespace kf {

#ifdef KF_LISTS
struct GraphKernels {
#include "kernels/graph.def"
};
#endif

}  // namespace kf
