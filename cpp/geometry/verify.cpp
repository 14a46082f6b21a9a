#include "geometry/verify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "core/buffer.h"
#include "kernels/table.h"

namespace kf::geometry {
namespace {

struct Hypothesis {
  Matrix matrix;
  std::size_t count = 0;
};

// Correspondences in a canonical order, so that the order of the input changes nothing.
class Scene {
 public:
  Scene(const Features& query, const Features& photo, const std::int64_t* pairs, std::size_t m,
        const VerifyOptions& options)
      : order_(m), from_(m), to_(m), values_(5 * m), angle_(m) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto key = [&](std::size_t i) {
      const float* a = query.positions + 2 * pairs[2 * i];
      const float* b = photo.positions + 2 * pairs[2 * i + 1];
      return std::make_tuple(a[0], a[1], b[0], b[1], query.scales[pairs[2 * i]],
                             photo.scales[pairs[2 * i + 1]], pairs[2 * i], pairs[2 * i + 1]);
    };
    std::sort(order_.begin(), order_.end(),
              [&](std::size_t i, std::size_t j) { return key(i) < key(j); });
    for (std::size_t i = 0; i < m; ++i) {
      const std::int64_t q = pairs[2 * order_[i]], p = pairs[2 * order_[i] + 1];
      from_[i] = {static_cast<double>(query.positions[2 * q]),
                  static_cast<double>(query.positions[2 * q + 1])};
      to_[i] = {static_cast<double>(photo.positions[2 * p]),
                static_cast<double>(photo.positions[2 * p + 1])};
      values_[i] = query.positions[2 * q];
      values_[m + i] = query.positions[2 * q + 1];
      values_[2 * m + i] = photo.positions[2 * p];
      values_[3 * m + i] = photo.positions[2 * p + 1];
      values_[4 * m + i] = std::log(photo.scales[p] / query.scales[q]);
      angle_[i] = options.use_angles
                      ? static_cast<double>(photo.angles[p]) - static_cast<double>(query.angles[q])
                      : 0.0;
    }
    const float* v = values_.data();
    set_ = {v, v + m, v + 2 * m, v + 3 * m, v + 4 * m, std::log(options.scale_factor), m};
  }

  std::size_t size() const { return set_.n; }
  std::size_t input_row(std::size_t i) const { return order_[i]; }

  Matrix from_one(std::size_t i) const {
    const double s = std::exp(static_cast<double>(set_.log_scale[i]));
    const double c = s * std::cos(angle_[i]), d = s * std::sin(angle_[i]);
    return {c, -d, to_[i].x - c * from_[i].x + d * from_[i].y,
            d, c,  to_[i].y - d * from_[i].x - c * from_[i].y,
            0, 0,  1};
  }

  std::size_t count(const Matrix& m, float tolerance) const {
    float map[6], inverse[6], log_scale;
    if (!affine_parts(m, map, inverse, &log_scale)) return 0;
    return kernels().transfer_count(set_, map, inverse, log_scale, tolerance * tolerance);
  }

  // Squared errors of all correspondences under any map.
  void errors(const Matrix& m, float* out) const {
    if (m[6] == 0 && m[7] == 0) {
      float map[6], inverse[6], log_scale;
      if (affine_parts(m, map, inverse, &log_scale))
        kernels().transfer_errors(set_, map, inverse, log_scale, out);
      else
        std::fill_n(out, size(), std::numeric_limits<float>::max());
      return;
    }
    const auto back = inverted(m);
    const double determinant = m[0] * (m[4] * m[8] - m[5] * m[7]) -
                               m[1] * (m[3] * m[8] - m[5] * m[6]) +
                               m[2] * (m[3] * m[7] - m[4] * m[6]);
    for (std::size_t i = 0; i < size(); ++i) {
      out[i] = std::numeric_limits<float>::max();
      const double w = m[6] * from_[i].x + m[7] * from_[i].y + m[8];
      // Lengths change by the root of the derivative's determinant, which is det(m) / w^3.
      const double log_scale = 0.5 * (std::log(determinant) - 3 * std::log(w));
      if (!back || !(std::abs(static_cast<double>(set_.log_scale[i]) - log_scale) <=
                     static_cast<double>(set_.scale_slack)))
        continue;
      const Point there = apply(m, from_[i]), here = apply(*back, to_[i]);
      const double worst =
          std::max(std::pow(there.x - to_[i].x, 2) + std::pow(there.y - to_[i].y, 2),
                   std::pow(here.x - from_[i].x, 2) + std::pow(here.y - from_[i].y, 2));
      if (worst < 1e30) out[i] = static_cast<float>(worst);
    }
  }

  // Correspondences within the tolerance, each feature of either image at most once, best first
  // served; ascending. A position that several features share (several orientations) counts once as
  // well.
  std::vector<std::size_t> inliers(const Matrix& m, float tolerance) const {
    Buffer<float> error(size());
    errors(m, error.data());
    std::vector<std::size_t> near;
    for (std::size_t i = 0; i < size(); ++i)
      if (error[i] <= tolerance * tolerance) near.push_back(i);
    std::sort(near.begin(), near.end(), [&](std::size_t i, std::size_t j) {
      return std::tie(error[i], i) < std::tie(error[j], j);
    });
    std::vector<std::size_t> kept;
    std::vector<std::pair<float, float>> froms, tos;
    for (std::size_t i : near) {
      const std::pair<float, float> a{set_.ax[i], set_.ay[i]}, b{set_.bx[i], set_.by[i]};
      const auto at_a = std::lower_bound(froms.begin(), froms.end(), a),
                 at_b = std::lower_bound(tos.begin(), tos.end(), b);
      if ((at_a != froms.end() && *at_a == a) || (at_b != tos.end() && *at_b == b)) continue;
      froms.insert(at_a, a);
      tos.insert(at_b, b);
      kept.push_back(i);
    }
    std::sort(kept.begin(), kept.end());
    return kept;
  }

  std::optional<Matrix> fit(Model model, const std::vector<std::size_t>& rows) const {
    std::vector<Point> a, b;
    for (std::size_t i : rows) a.push_back(from_[i]), b.push_back(to_[i]);
    if (model == Model::similarity) return fit_similarity(a, b);
    if (model == Model::homography) return fit_homography(a, b);
    return fit_affine(a, b);
  }

  Point centre(const std::vector<std::size_t>& rows) const {
    Point c{0, 0};
    for (std::size_t i : rows) c.x += from_[i].x, c.y += from_[i].y;
    const double n = std::max<double>(1, static_cast<double>(rows.size()));
    return {c.x / n, c.y / n};
  }

 private:
  static bool affine_parts(const Matrix& m, float* map, float* inverse, float* log_scale) {
    const double determinant = m[0] * m[4] - m[1] * m[3];
    if (!(determinant > 1e-12)) return false;
    for (int i = 0; i < 6; ++i) map[i] = static_cast<float>(m[static_cast<std::size_t>(i)]);
    inverse[0] = static_cast<float>(m[4] / determinant);
    inverse[1] = static_cast<float>(-m[1] / determinant);
    inverse[3] = static_cast<float>(-m[3] / determinant);
    inverse[4] = static_cast<float>(m[0] / determinant);
    inverse[2] = inverse[5] = 0;  // only differences are taken back
    *log_scale = static_cast<float>(0.5 * std::log(determinant));
    return true;
  }

  std::vector<std::size_t> order_;
  std::vector<Point> from_, to_;
  Buffer<float> values_;
  std::vector<double> angle_;
  TransferSet set_{};
};

// Least squares on the inliers, with tolerances that shrink from coarse to fine.
Hypothesis refined(const Scene& scene, Matrix matrix, const VerifyOptions& options) {
  Hypothesis best{matrix, scene.inliers(matrix, options.tolerance).size()};
  constexpr int rounds = 4;
  for (int round = 0; round < rounds; ++round) {
    const float share = static_cast<float>(round) / (rounds - 1);
    const float tolerance =
        options.coarse_tolerance + share * (options.tolerance - options.coarse_tolerance);
    const auto rows = scene.inliers(matrix, tolerance);
    const auto fitted =
        scene.fit(options.model == Model::similarity ? Model::similarity : Model::affine, rows);
    if (!fitted || !plausible(*fitted, scene.centre(rows))) break;
    matrix = *fitted;
    const std::size_t count = scene.inliers(matrix, options.tolerance).size();
    if (count >= best.count) best = {matrix, count};
  }
  if (options.model == Model::homography && best.count >= 10) {
    for (int round = 0; round < 2; ++round) {
      const auto rows = scene.inliers(best.matrix, options.tolerance);
      const auto fitted = scene.fit(Model::homography, rows);
      if (!fitted || !plausible(*fitted, scene.centre(rows))) break;
      const std::size_t count = scene.inliers(*fitted, options.tolerance).size();
      if (count < best.count) break;
      best = {*fitted, count};
    }
  }
  return best;
}

}  // namespace

Verified verify(const Features& query, const Features& photo, const std::int64_t* pairs,
                std::size_t m, const VerifyOptions& options) {
  Verified result;
  if (m == 0) return result;
  const Scene scene(query, photo, pairs, m, options);
  std::vector<Hypothesis> hypotheses;
  for (std::size_t i = 0; i < m; ++i) {
    const Matrix matrix = scene.from_one(i);
    if (!plausible(matrix, {0, 0})) continue;
    hypotheses.push_back({matrix, scene.count(matrix, options.coarse_tolerance)});
  }
  if (hypotheses.empty()) return result;
  std::stable_sort(hypotheses.begin(), hypotheses.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  hypotheses.resize(std::min(hypotheses.size(), options.refined));
  Hypothesis best;
  for (const Hypothesis& hypothesis : hypotheses) {
    const Hypothesis candidate = refined(scene, hypothesis.matrix, options);
    if (candidate.count > best.count) best = candidate;
  }
  if (best.count == 0) return result;
  result.matrix = best.matrix;
  for (std::size_t i : scene.inliers(best.matrix, options.tolerance))
    result.inliers.push_back(static_cast<std::int64_t>(scene.input_row(i)));
  std::sort(result.inliers.begin(), result.inliers.end());
  return result;
}

}  // namespace kf::geometry
