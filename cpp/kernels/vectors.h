#pragma once
// Whole vectors: canonical distances, conversions, products with matrices.

#include "kernels/family.h"

namespace kf {

#ifdef KF_LISTS
struct VectorKernels {
#include "kernels/vectors.def"
};
#endif

}  // namespace kf
