#pragma once
// Binary codes.

#include "kernels/family.h"

namespace kf {

#ifdef KF_LISTS
struct HammingKernels {
#include "kernels/hamming.def"
};
#endif

}  // namespace kf
