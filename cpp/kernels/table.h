#pragma once
// All families of kernels in one table. Who needs a few includes those: a change of another family leaves it alone.

#include "kernels/filters.h"
#include "kernels/geometry.h"
#include "kernels/graph.h"
#include "kernels/hamming.h"
#include "kernels/narrow.h"
#include "kernels/pairs.h"
#include "kernels/product.h"
#include "kernels/tree.h"
#include "kernels/vectors.h"
#include "kernels/words.h"

namespace kf {

#ifdef KF_LISTS
struct KernelTable : VectorKernels,
                     FilterKernels,
                     PairKernels,
                     ProductKernels,
                     NarrowKernels,
                     GeometryKernels,
                     HammingKernels,
                     TreeKernels,
                     WordKernels,
                     GraphKernels {};
#endif

}  // namespace kf
