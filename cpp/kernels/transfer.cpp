// Transfer error of an affine map over many correspondences: the inner loop of spatial
// verification. map and inverse: (a, b, tx, c, d, ty). 5 floats a correspondence from L1; no
// multiply is fused, so all levels agree bit for bit.

#include "kernels/table.h"

namespace kf::KF_LEVEL {
namespace {

// The larger of the squared errors in the second and in the first image; huge where the scales
// disagree.
inline float error_of(const TransferSet& s, const float* m, const float* w, float log_scale,
                      std::size_t i) {
  const float rx = m[0] * s.ax[i] + m[1] * s.ay[i] + m[2] - s.bx[i];
  const float ry = m[3] * s.ax[i] + m[4] * s.ay[i] + m[5] - s.by[i];
  // The inverse map takes the residual back: its translation cancels.
  const float ux = w[0] * rx + w[1] * ry, uy = w[3] * rx + w[4] * ry;
  const float forward = rx * rx + ry * ry, back = ux * ux + uy * uy;
  const float worst = forward > back ? forward : back;
  const float gap = s.log_scale[i] - log_scale;
  const float distance = gap < 0.0f ? -gap : gap;
  return distance <= s.scale_slack ? worst : 1e30f;
}

}  // namespace

std::size_t transfer_count(const TransferSet& set, const float* map, const float* inverse,
                           float log_scale, float tolerance) {
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < set.n; ++i)
    count += error_of(set, map, inverse, log_scale, i) <= tolerance ? 1u : 0u;
  return count;
}

void transfer_errors(const TransferSet& set, const float* map, const float* inverse,
                     float log_scale, float* errors) {
  for (std::size_t i = 0; i < set.n; ++i) errors[i] = error_of(set, map, inverse, log_scale, i);
}

}  // namespace kf::KF_LEVEL
