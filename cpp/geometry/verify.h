#pragma once
// Spatial verification: the map that most correspondences of two images agree on, and which those
// are.
//
// Hypotheses come from single correspondences of features with scale and angle (Philbin et al.
// 2007): all are tried, so nothing is random. Or from samples of two, three or four (Fischler &
// Bolles 1981), good ones first where qualities are known (PROSAC, Chum & Matas 2005), until a
// better map is improbable. Promising ones are refined by least squares on their inliers with
// shrinking tolerances (local optimisation, Chum et al. 2003).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "geometry/fit.h"
#include "geometry/scene.h"

namespace kf::geometry {

enum class Model { similarity, affine, homography };

struct VerifyOptions {
  Model model = Model::affine;
  float coarse_tolerance = 20;  // pixels, for hypotheses
  float tolerance = 8;          // pixels, for inliers
  SceneOptions scene{2.5f, true, false};
  std::size_t refined = 8;  // hypotheses from single correspondences that are refined
  bool sampled = false;
  std::uint64_t seed = 0;
  double confidence = 0.99;      // stop when a better sample was met with this probability
  std::size_t samples = 10'000;  // at most
};

struct Verified {
  Matrix matrix{};                    // query to photo; zeros where nothing was found
  std::vector<std::int64_t> inliers;  // positions in the list of correspondences, ascending
};

// pairs: (m, 2) rows of query and photo features, checked by the caller. qualities: (m), higher is
// better, or null.
Verified verify(const Features& query, const Features& photo, const std::int64_t* pairs,
                const float* qualities, std::size_t m, const VerifyOptions& options);

}  // namespace kf::geometry
