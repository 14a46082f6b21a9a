#pragma once
// The correspondences of two images as verification sees them: which of them does a map explain?

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "geometry/fit.h"
#include "kernels/geometry.h"

namespace kf::geometry {

// Features of one image: positions, scales, angles; n of each. shapes: affine frames (n, 2, 2),
// taking the unit circle to the feature's ellipse; null where scale and angle are all there is.
struct Features {
  const float *positions, *scales, *angles, *shapes;
  std::size_t n;
};

struct SceneOptions {
  float
      scale_factor;  // a correspondence's ratio of scales may differ from the map's by this factor
  bool use_angles;   // false: upright photos, hypotheses without rotation
  bool mirrored;     // one image is the mirror image of the other
};

// What a map explains.
struct Score {
  std::size_t count = 0;  // inliers
  double cost = 0;        // their squared errors, together
  bool better_than(const Score& other) const {
    return count != other.count ? count > other.count : cost < other.cost;
  }
};

class Scene {
 public:
  // pairs: (m, 2) rows of query and photo features. They are put into an order of their own, by
  // where the features lie: the order of the input changes nothing.
  Scene(const Features& query, const Features& photo, const std::int64_t* pairs, std::size_t m,
        const SceneOptions& options);

  std::size_t size() const { return order_.size(); }
  std::size_t input_row(std::size_t i) const { return order_[i]; }
  const Point* from() const { return from_.data(); }
  const Point* to() const { return to_.data(); }
  bool mirrored() const { return options_.mirrored; }

  // Positions are counted from a point within each image: this takes a map back to the images'.
  Matrix in_images(const Matrix& m) const;

  // The map that correspondence i alone proposes: from the frame of one feature to that of the
  // other.
  Matrix from_one(std::size_t i) const;

  // How many correspondences each affine map explains; each correspondence is counted.
  void counts(const std::vector<Matrix>& maps, float tolerance, std::uint32_t* out) const;

  // Squared errors of all correspondences, the larger of both images; huge where scales disagree,
  // and in the padding. Room for padded() floats.
  void errors(const Matrix& m, float* out) const;
  std::size_t padded() const { return set_.n; }

  // Each feature of either image keeps one of its correspondences within the tolerance, best first
  // served; the errors of others become huge. A position that several features share (several
  // orientations) counts as one feature. The choice is the same for all smaller tolerances.
  void settle(float tolerance, float* errors) const;

 private:
  bool prepare(const Matrix& m, bool both_ways, TransferMap* out) const;

  SceneOptions options_;
  std::vector<std::uint32_t> order_;
  std::vector<Point> from_, to_;
  Point from_origin_{}, to_origin_{};
  Buffer<float> values_;
  std::vector<std::uint32_t> from_place_, to_place_;  // equal where positions are
  std::vector<std::uint32_t> contested_;              // share a place with another correspondence
  std::vector<std::array<double, 4>> frames_;         // linear part of from_one
  TransferSet set_{};                                 // padded with what fits no map
};

}  // namespace kf::geometry
