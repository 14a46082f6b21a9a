#pragma once
// Inverted files of photos.

#include "kernels/family.h"

namespace kf {

#ifdef KF_LISTS
struct WordKernels {
#include "kernels/words.def"
};
#endif

}  // namespace kf
