#pragma once
// Codes of a few bits for each number: to bytes, and rows on scales of their own.

#include "kernels/family.h"

namespace kf {

// Rows of numbers low + step * byte, each row on its own scale; (n,) each.
struct ScaledRows {
  const float *norm, *low, *step, *loss;
};
// What a query makes of them: a row may matter unless the sum of its own numbers times these, the
// step's times the row's sum of bytes, is above the limit.
struct ScaledReach {
  float norm, low, step, loss, limit;
};

#ifdef KF_LISTS
struct NarrowKernels {
#include "kernels/narrow.def"
};
#endif

}  // namespace kf
