// Transfer errors of a map over many correspondences: the inner loops of spatial verification.
// 5 floats a correspondence from L1; no multiply is fused, so all levels agree bit for bit.

#include "kernels/geometry.h"

namespace kf::KF_LEVEL {
namespace {

constexpr float huge = 1e30f;

}  // namespace

void transfer_counts(const TransferSet& set, const TransferMap* maps, std::size_t n,
                     float tolerance, std::uint32_t* counts) {
  for (std::size_t j = 0; j < n; ++j) {
    const float* m = maps[j].map;
    const float* w = maps[j].inverse;
    const float least = maps[j].least_area, most = maps[j].most_area;
    std::uint32_t count = 0;
    if (maps[j].similarity) {
      // Errors in both images differ by the map's scale alone.
      const float area = m[0] * m[4] - m[1] * m[3];
      const float limit = area < 1.0f ? tolerance * area : tolerance;
      for (std::size_t i = 0; i < set.n; ++i) {
        const float rx = m[0] * set.ax[i] + m[1] * set.ay[i] + m[2] - set.bx[i];
        const float ry = m[3] * set.ax[i] + m[4] * set.ay[i] + m[5] - set.by[i];
        const float error = rx * rx + ry * ry, ratio = set.area[i];
        count += static_cast<std::uint32_t>(error <= limit) &
                 static_cast<std::uint32_t>(ratio >= least) &
                 static_cast<std::uint32_t>(ratio <= most);
      }
    } else {
      for (std::size_t i = 0; i < set.n; ++i) {
        const float rx = m[0] * set.ax[i] + m[1] * set.ay[i] + m[2] - set.bx[i];
        const float ry = m[3] * set.ax[i] + m[4] * set.ay[i] + m[5] - set.by[i];
        const float ux = w[0] * rx + w[1] * ry, uy = w[3] * rx + w[4] * ry;
        const float there = rx * rx + ry * ry, here = ux * ux + uy * uy, ratio = set.area[i];
        count += static_cast<std::uint32_t>(there <= tolerance) &
                 static_cast<std::uint32_t>(here <= tolerance) &
                 static_cast<std::uint32_t>(ratio >= least) &
                 static_cast<std::uint32_t>(ratio <= most);
      }
    }
    counts[j] = count;
  }
}

void transfer_errors(const TransferSet& set, const TransferMap& map, float* errors) {
  const float* m = map.map;
  const float* w = map.inverse;
  const float least = map.least_area, most = map.most_area;
  for (std::size_t i = 0; i < set.n; ++i) {
    const float rx = m[0] * set.ax[i] + m[1] * set.ay[i] + m[2] - set.bx[i];
    const float ry = m[3] * set.ax[i] + m[4] * set.ay[i] + m[5] - set.by[i];
    // The inverse map takes the residual back: its translation cancels.
    const float ux = w[0] * rx + w[1] * ry, uy = w[3] * rx + w[4] * ry;
    const float there = rx * rx + ry * ry, here = ux * ux + uy * uy, ratio = set.area[i];
    const float worst = there > here ? there : here;
    const float fits = ratio >= least ? worst : huge;
    errors[i] = ratio <= most ? fits : huge;
  }
}

void transfer_errors_projective(const TransferSet& set, const TransferMap& map, float* errors) {
  const float* m = map.map;
  const float* w = map.inverse;
  const float least = map.least_area, most = map.most_area;
  for (std::size_t i = 0; i < set.n; ++i) {
    const float ax = set.ax[i], ay = set.ay[i], bx = set.bx[i], by = set.by[i];
    const float p = m[6] * ax + m[7] * ay + m[8], q = w[6] * bx + w[7] * by + w[8];
    const float rx = (m[0] * ax + m[1] * ay + m[2]) / p - bx;
    const float ry = (m[3] * ax + m[4] * ay + m[5]) / p - by;
    const float ux = (w[0] * bx + w[1] * by + w[2]) / q - ax;
    const float uy = (w[3] * bx + w[4] * by + w[5]) / q - ay;
    const float there = rx * rx + ry * ry, here = ux * ux + uy * uy;
    const float worst = there > here ? there : here;
    // Areas change by the derivative's determinant, which is det(m) / p^3.
    const float ratio = set.area[i] * (p * p * p);
    const float fits = ratio >= least ? worst : huge;
    const float both = ratio <= most ? fits : huge;
    const float before = p > 1e-9f ? both : huge;  // beyond the horizon there is no image
    errors[i] = q > 1e-9f ? before : huge;
  }
}

}  // namespace kf::KF_LEVEL
