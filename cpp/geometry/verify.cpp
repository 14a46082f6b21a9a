#include "geometry/verify.h"

#include <algorithm>
#include <numeric>

#include "geometry/ransac.h"

namespace kf::geometry {
namespace {

// Every correspondence proposes a map; those that explain most are refined.
Candidate best_of_singles(const Scene& scene, const VerifyOptions& options) {
  std::vector<Matrix> maps;
  for (std::size_t i = 0; i < scene.size(); ++i) {
    const Matrix matrix = scene.from_one(i);
    if (plausible(matrix, {0, 0}, scene.mirrored())) maps.push_back(matrix);
  }
  std::vector<std::uint32_t> counts(maps.size()), order(maps.size());
  scene.counts(maps, options.coarse_tolerance, counts.data());
  std::iota(order.begin(), order.end(), 0u);
  const std::size_t tried = std::min(order.size(), options.refined);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(tried), order.end(),
                    [&](std::uint32_t i, std::uint32_t j) {
                      return counts[i] != counts[j] ? counts[i] > counts[j] : i < j;
                    });
  order.resize(tried);
  // So many points pin a homography down.
  constexpr std::size_t enough = 10;
  Refinement refinement(scene, options);
  Candidate best;
  const auto take = [&](const Candidate& candidate) {
    if (candidate.score.better_than(best.score)) best = candidate;
  };
  for (const std::uint32_t i : order) {
    if (options.model == Model::similarity) {
      take(refinement.refined<SimilarityEstimator>(maps[i]));
      continue;
    }
    const Candidate affine = refinement.refined<AffineEstimator>(maps[i]);
    take(affine);
    if (options.model == Model::homography && affine.score.count >= enough)
      take(refinement.refined<HomographyEstimator>(affine.matrix));
  }
  return best;
}

Candidate best_of_samples(const Scene& scene, const float* qualities,
                          const VerifyOptions& options) {
  std::vector<std::uint32_t> order(scene.size());
  std::iota(order.begin(), order.end(), 0u);
  if (qualities)
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t i, std::uint32_t j) {
      return qualities[scene.input_row(i)] > qualities[scene.input_row(j)];
    });
  const bool progressive = qualities != nullptr;
  if (options.model == Model::similarity)
    return best_of_samples<SimilarityEstimator>(scene, order, progressive, options);
  if (options.model == Model::affine)
    return best_of_samples<AffineEstimator>(scene, order, progressive, options);
  return best_of_samples<HomographyEstimator>(scene, order, progressive, options);
}

}  // namespace

Verified verify(const Features& query, const Features& photo, const std::int64_t* pairs,
                const float* qualities, std::size_t m, const VerifyOptions& options) {
  Verified result;
  if (m == 0) return result;
  const Scene scene(query, photo, pairs, m, options.scene);
  const Candidate best = options.sampled ? best_of_samples(scene, qualities, options)
                                         : best_of_singles(scene, options);
  if (best.score.count == 0) return result;
  const Matrix matrix = scene.in_images(best.matrix);
  if (!std::all_of(matrix.begin(), matrix.end(), [](double v) { return std::isfinite(v); }))
    return result;
  result.matrix = matrix;
  std::vector<std::uint8_t> fits(m);
  Refinement last(scene, options);
  for (const std::uint32_t i : last.inliers(best.matrix)) fits[scene.input_row(i)] = 1;
  for (std::size_t i = 0; i < m; ++i)
    if (fits[i]) result.inliers.push_back(static_cast<std::int64_t>(i));
  return result;
}

}  // namespace kf::geometry
