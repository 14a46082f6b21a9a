#include "scan/float_filter.h"

#include <algorithm>
#include <cmath>

#include "core/threads.h"
#include "kernels/filters.h"
#include "kernels/vectors.h"

namespace kf::scan {

double float_biases(const float* x, std::size_t n, std::size_t d, Metric metric, float* out) {
  const auto inner_product = kernels<VectorKernels>().inner_product;
  std::vector<double> largest((n + 4095) / 4096, 0.0);
  parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
    float norm = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const float squared = inner_product(x + i * d, x + i * d, d);
      out[i] = metric == Metric::l2 ? -squared / 2 : 0.0f;
      norm = std::max(norm, squared);
    }
    largest[begin / 4096] = std::sqrt(static_cast<double>(norm) * (1 + canonical_error(d)));
  });
  double most = 0;
  for (const double norm : largest) most = std::max(most, norm);
  return most;
}

FloatFilter::FloatFilter(const float* base, const float* bias, Metric metric, const float* queries,
                         std::size_t nq, std::size_t d, double largest_norm)
    : base_(base), bias_(bias), metric_(metric), d_(d), nq_(nq) {
  packed_.resize(padded() * d);
  squared_norm_.resize(nq);
  slack_.resize(nq);
  // Rounding of the product, of the stored half norm and of the sum, each bounded by (d + 8) *
  // 2^-24 of the norms (Higham 2002, eq. 3.5); doubled.
  const double unit = (static_cast<double>(d) + 16) * 0x1p-23;
  for (std::size_t i = 0; i < nq; ++i) {
    double norm = 0;
    for (std::size_t j = 0; j < d; ++j) {
      const float v = queries[i * d + j];
      packed_[i / 16 * 16 * d + 16 * j + i % 16] = v;
      norm += static_cast<double>(v) * static_cast<double>(v);
    }
    squared_norm_[i] = norm;
    slack_[i] =
        unit * (std::sqrt(norm) * largest_norm + largest_norm * largest_norm / 2 + norm / 2);
  }
}

void FloatFilter::thresholds(const float* bounds, Threshold* out) const {
  const double canonical = 1 + canonical_error(d_), hidden = vanished(d_);
  for (std::size_t i = 0; i < nq_; ++i) {
    const double bound = static_cast<double>(bounds[i]);
    const double least =
        metric_ == Metric::l2
            ? (squared_norm_[i] - (bound > 0 ? bound : 0) * canonical - hidden) / 2 - slack_[i]
            : -bound - slack_[i];
    out[i] = std::nextafter(static_cast<float>(least), -infinity);
  }
}

std::size_t FloatFilter::run(std::size_t begin, std::size_t n, const Threshold* thresholds,
                             std::uint32_t* hits) const {
  return kernels<FilterKernels>().filter_f32(packed_.data(), nq_, base_ + begin * d_, bias_ + begin,
                                             n, d_, thresholds, hits);
}

void FloatFilter::nearest(std::size_t n, const Nearest& out) const {
  kernels<FilterKernels>().nearest_f32(packed_.data(), nq_, base_, bias_, n, d_, out.best,
                                       out.second, out.where);
}

bool FloatFilter::tells(std::size_t i, float best, float second) const {
  const double canonical = canonical_error(d_), hidden = vanished(d_);
  const double nearer = squared_norm_[i] - 2 * (static_cast<double>(best) - slack_[i]);
  const double farther = squared_norm_[i] - 2 * (static_cast<double>(second) + slack_[i]);
  return nearer * (1 + canonical) + hidden < farther * (1 - canonical) - hidden;
}

}  // namespace kf::scan
