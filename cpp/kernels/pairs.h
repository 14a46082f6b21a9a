#pragma once
// Filters and lists of a set that is joined with itself.

#include "kernels/family.h"

namespace kf {

#ifdef KF_LISTS
struct PairKernels {
#include "kernels/pairs.def"
};
#endif

}  // namespace kf
