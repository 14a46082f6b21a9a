#pragma once
// Which pairs of queries and points can matter: integer and float32 sums against thresholds.

#include "kernels/family.h"

namespace kf {

#ifdef KF_LISTS
struct FilterKernels {
#include "kernels/filters.def"
};
#endif

}  // namespace kf
