// Canonical squared Euclidean distance and inner product in float32: the values that every exact
// answer is ranked by, whatever filter proposed the candidates. 4d bytes and d fused multiply-adds
// a vector.

#include "kernels/distance_ops.h"
#include "kernels/vectors.h"

namespace kf::KF_LEVEL {

float squared_l2(const float* a, const float* b, std::size_t d) {
  return distance<SquaredL2>(a, b, d);
}

float inner_product(const float* a, const float* b, std::size_t d) {
  return distance<InnerProduct>(a, b, d);
}

}  // namespace kf::KF_LEVEL
