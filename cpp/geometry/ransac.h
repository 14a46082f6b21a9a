#pragma once
// The search for a map, whatever its kind: an Estimator says how many correspondences fix one and
// how it is fitted to more.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "core/random.h"
#include "geometry/scene.h"
#include "geometry/verify.h"

namespace kf::geometry {

struct SimilarityEstimator {
  static constexpr std::size_t sample = 2;
  static std::optional<Matrix> exact(const Point* a, const Point* b, bool mirrored) {
    return fit_similarity(a, b, sample, mirrored);
  }
  static std::optional<Matrix> fit(const Point* a, const Point* b, std::size_t n, bool mirrored) {
    return fit_similarity(a, b, n, mirrored);
  }
};

struct AffineEstimator {
  static constexpr std::size_t sample = 3;
  static std::optional<Matrix> exact(const Point* a, const Point* b, bool) {
    return fit_affine(a, b, sample);
  }
  static std::optional<Matrix> fit(const Point* a, const Point* b, std::size_t n, bool) {
    return fit_affine(a, b, n);
  }
};

struct HomographyEstimator {
  static constexpr std::size_t sample = 4;
  static std::optional<Matrix> exact(const Point* a, const Point* b, bool) {
    return homography_of_four(a, b);
  }
  static std::optional<Matrix> fit(const Point* a, const Point* b, std::size_t n, bool) {
    return fit_homography(a, b, n);
  }
};

struct Candidate {
  Matrix matrix{};
  Score score;
};

// Least squares on the inliers of one map after the other, with tolerances that shrink.
class Refinement {
 public:
  Refinement(const Scene& scene, const VerifyOptions& options)
      : scene_(scene), options_(options), errors_(scene.padded()) {}

  // The best of the maps that a start leads to, itself included. Starts that come to inliers which
  // were fitted before end there: what follows is known.
  template <class Estimator>
  Candidate refined(const Matrix& start) {
    constexpr std::size_t shrinking = 4, most = 12;
    Candidate best{start, score(start)};
    for (std::size_t round = 0; round < most; ++round) {
      const std::size_t stage = std::min(round, shrinking - 1);
      const float share = static_cast<float>(stage) / (shrinking - 1);
      const float tolerance =
          options_.coarse_tolerance + share * (options_.tolerance - options_.coarse_tolerance);
      gather(tolerance);
      if (rows_.size() < Estimator::sample || met_before(10 * Estimator::sample + stage)) break;
      const auto fitted = Estimator::fit(from_.data(), to_.data(), rows_.size(), scene_.mirrored());
      if (!fitted || !plausible(*fitted, centre(from_.data(), rows_.size()), scene_.mirrored()))
        break;
      const Candidate next{*fitted, score(*fitted)};
      if (next.score.better_than(best.score))
        best = next;
      else if (round >= shrinking)
        break;
    }
    return best;
  }

  // Of a map; its errors are then the present ones.
  Score score(const Matrix& m) {
    scene_.errors(m, errors_.data());
    scene_.settle(std::max(options_.tolerance, options_.coarse_tolerance), errors_.data());
    constexpr std::size_t lanes = 8;  // an addition waits for the one before: several sums
    const float limit = options_.tolerance * options_.tolerance;
    std::int32_t counts[lanes] = {};
    float costs[lanes] = {};
    for (std::size_t i = 0; i < errors_.size(); i += lanes)
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const float error = errors_[i + lane];
        counts[lane] += error <= limit ? 1 : 0;
        costs[lane] += error <= limit ? error : 0.0f;
      }
    Score score;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      score.count += static_cast<std::size_t>(counts[lane]);
      score.cost += static_cast<double>(costs[lane]);
    }
    return score;
  }

  // The inliers of a map, ascending.
  const std::vector<std::uint32_t>& inliers(const Matrix& m) {
    score(m);
    gather(options_.tolerance);
    return rows_;
  }

  // How many a map explains, each correspondence counted.
  std::size_t count(const Matrix& m) {
    scene_.errors(m, errors_.data());
    const float limit = options_.tolerance * options_.tolerance;
    std::uint32_t n = 0;
    for (const float error : errors_) n += error <= limit ? 1u : 0u;
    return n;
  }

  static Point centre(const Point* points, std::size_t n) {
    Point c{0, 0};
    for (std::size_t i = 0; i < n; ++i) c.x += points[i].x, c.y += points[i].y;
    return {c.x / static_cast<double>(n), c.y / static_cast<double>(n)};
  }

 private:
  // Correspondences whose present errors are within the tolerance, and where they lie.
  void gather(float tolerance) {
    rows_.resize(errors_.size());
    std::size_t n = 0;
    for (std::size_t i = 0; i < errors_.size(); ++i) {
      rows_[n] = static_cast<std::uint32_t>(i);
      n += errors_[i] <= tolerance * tolerance ? 1u : 0u;
    }
    rows_.resize(n);
    from_.resize(n);
    to_.resize(n);
    for (std::size_t k = 0; k < n; ++k) {
      from_[k] = scene_.from()[rows_[k]];
      to_[k] = scene_.to()[rows_[k]];
    }
  }

  bool met_before(std::size_t stage) {
    std::uint64_t hash = stage;
    for (const std::uint32_t row : rows_) hash = (hash ^ row) * 0x9e3779b97f4a7c15ull;
    if (std::find(met_.begin(), met_.end(), hash) != met_.end()) return true;
    met_.push_back(hash);
    return false;
  }

  const Scene& scene_;
  const VerifyOptions& options_;
  Buffer<float> errors_;
  std::vector<std::uint32_t> rows_;
  std::vector<Point> from_, to_;
  std::vector<std::uint64_t> met_;
};

// Which correspondences the t-th sample may come from: the best few first, more and more as samples
// fail, so that all have had their share after `samples` (Chum & Matas 2005, eq. 3).
class Growth {
 public:
  Growth(std::size_t sample, std::size_t n, std::size_t samples, bool progressive)
      : sample_(sample), n_(n), size_(progressive ? sample : n) {
    expected_ = static_cast<double>(samples);
    for (std::size_t i = 0; i < sample; ++i)
      expected_ *= static_cast<double>(sample - i) / static_cast<double>(n - i);
  }

  // Size of the pool for sample t = 1, 2, ...; grown: the pool's last is to be in the sample.
  std::size_t at(std::size_t t, bool* grown) {
    *grown = false;
    while (limit_ < static_cast<double>(t) && size_ < n_) {
      const double more =
          expected_ * static_cast<double>(size_ + 1) / static_cast<double>(size_ + 1 - sample_);
      limit_ += std::ceil(more - expected_);
      expected_ = more;
      ++size_;
      *grown = true;
    }
    return size_;
  }

 private:
  std::size_t sample_, n_, size_;
  double expected_ = 0, limit_ = 1;
};

// Random samples until another one is unlikely to find more; `order`: correspondences, best first.
template <class Estimator>
Candidate best_of_samples(const Scene& scene, const std::vector<std::uint32_t>& order,
                          bool progressive, const VerifyOptions& options) {
  constexpr std::size_t k = Estimator::sample;
  Candidate best;
  const std::size_t n = scene.size();
  if (n < k) return best;
  Refinement refinement(scene, options);
  Random random(options.seed);
  Growth growth(k, n, options.samples, progressive);
  std::size_t most = 0, needed = options.samples;
  for (std::size_t t = 1; t <= needed; ++t) {
    bool grown = false;
    const std::size_t pool = growth.at(t, &grown);
    std::uint32_t rows[k];
    Point a[k], b[k];
    for (std::size_t i = 0; i < k; ++i) {
      bool fresh = false;
      while (!fresh) {
        rows[i] = order[grown && i == 0 ? pool - 1 : random.below(pool)];
        fresh = std::find(rows, rows + i, rows[i]) == rows + i;
      }
      a[i] = scene.from()[rows[i]];
      b[i] = scene.to()[rows[i]];
    }
    const auto matrix = Estimator::exact(a, b, scene.mirrored());
    if (!matrix || !plausible(*matrix, Refinement::centre(a, k), scene.mirrored())) continue;
    const std::size_t count = refinement.count(*matrix);
    if (count <= most) continue;
    most = count;
    const Candidate candidate = refinement.refined<Estimator>(*matrix);
    if (!candidate.score.better_than(best.score)) continue;
    best = candidate;
    const double share = static_cast<double>(best.score.count) / static_cast<double>(n);
    const double miss = std::log1p(-std::pow(std::min(share, 1 - 1e-9), static_cast<double>(k)));
    const double enough = std::ceil(std::log(1 - options.confidence) / miss);
    if (enough < static_cast<double>(needed)) needed = static_cast<std::size_t>(enough);
  }
  return best;
}

}  // namespace kf::geometry
