#include "scan/distance.h"

#include "kernels/vectors.h"

namespace kf::scan {

Distance::Distance(Metric metric, std::size_t d)
    : d_(d),
      sign_(metric == Metric::l2 ? 1.0f : -1.0f),
      value_(metric == Metric::l2 ? kernels<VectorKernels>().squared_l2
                                  : kernels<VectorKernels>().inner_product) {}

}  // namespace kf::scan
