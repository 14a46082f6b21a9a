#pragma once
// Spatial verification (Philbin et al. 2007): every correspondence of two oriented, scaled features
// proposes a similarity; the best are refined by least squares on their inliers with shrinking
// tolerances (local optimisation, Chum et al. 2003). Exhaustive, so deterministic without a seed.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "geometry/fit.h"

namespace kf::geometry {

enum class Model { similarity, affine, homography };

struct VerifyOptions {
  Model model = Model::affine;
  float coarse_tolerance = 20;  // pixels, for hypotheses
  float tolerance = 8;          // pixels, for inliers
  float scale_factor = 2.5f;    // a correspondence's ratio of scales may differ by this factor
  bool use_angles = true;       // false: upright photos, hypotheses without rotation
  std::size_t refined = 8;      // hypotheses that are refined
};

// Features of one image: positions, scales, angles; n of each.
struct Features {
  const float *positions, *scales, *angles;
  std::size_t n;
};

struct Verified {
  Matrix matrix{};                    // query to photo; zeros where nothing was found
  std::vector<std::int64_t> inliers;  // positions in the list of correspondences, ascending
};

// pairs: (m, 2) rows of query and photo features, checked by the caller.
Verified verify(const Features& query, const Features& photo, const std::int64_t* pairs,
                std::size_t m, const VerifyOptions& options);

}  // namespace kf::geometry
