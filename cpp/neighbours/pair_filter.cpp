#include "neighbours/pair_filter.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "kernels/filters.h"
#include "kernels/vectors.h"

namespace kf::neighbours {
namespace {

std::size_t row_at(const std::uint32_t* order, std::size_t place) {
  return order ? order[place] : place;
}

}  // namespace

Rows rows_of(const float* x, std::size_t n, std::size_t d, Metric metric) {
  const auto inner_product = kernels<VectorKernels>().inner_product;
  constexpr std::size_t part = 4096;
  std::vector<float> most((n + part - 1) / part, 0.0f);
  std::vector<double> sum(most.size(), 0.0);
  parallel_for(n, part, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const float squared = inner_product(x + i * d, x + i * d, d);
      most[begin / part] = std::max(most[begin / part], squared);
      sum[begin / part] += static_cast<double>(squared);
    }
  });
  double largest = 0, total = 0;
  for (float value : most) largest = std::max(largest, static_cast<double>(value));
  for (double value : sum) total += value;
  return {x,
          n,
          d,
          metric,
          std::sqrt(largest * (1 + canonical_error(d))),
          std::sqrt(total / static_cast<double>(n))};
}

PairBytes::PairBytes(const Rows& rows, const std::uint32_t* order, double error)
    : padded_d_(pad_dimension(rows.d)), fit_(rows.d, Metric::l2) {
  const std::size_t n = rows.n, d = rows.d;
  fit_.fit(rows.x, n, 512);
  inverse_ = 1 / static_cast<double>(fit_.scale());
  codes_.resize(n * padded_d_);
  bias_.resize(n);
  offset_.resize(n);
  residual_.resize(n);
  const FilterKernels& table = kernels<FilterKernels>();
  parallel_for(n, 2048, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      std::int8_t* codes = codes_.data() + p * padded_d_;
      const Encoded e = scan::encode(table, rows.x + row_at(order, p) * d, fit_.centre().data(),
                                     fit_.scale(), d, codes);
      std::memset(codes + d, 0, padded_d_ - d);
      std::int32_t norm = 0, sum = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const std::int32_t code = codes[j];  // NOLINT(bugprone-signed-char-misuse): a number
        norm += code * code;
        sum += code;
      }
      bias_[p] = -(norm / 2);
      offset_[p] = bias_[p] - 128 * sum;
      residual_[p] = std::nextafter(static_cast<float>(e.residual + error), infinity);
    }
  });
}

std::int32_t PairBytes::encode(const float* x, std::int8_t* codes) const {
  const std::size_t d = fit_.centre().size();
  scan::encode(kernels<FilterKernels>(), x, fit_.centre().data(), fit_.scale(), d, codes);
  std::fill(codes + d, codes + padded_d_, std::int8_t{0});
  std::int32_t norm = 0;
  for (std::size_t j = 0; j < d; ++j) norm += codes[j] * codes[j];
  return -(norm / 2);
}

PairFloats::PairFloats(const Rows& rows, const std::uint32_t* order)
    : rows_(rows), bias_(rows.n, 0.0f), slack_(rows.n) {
  // Rounding of the product, of two half norms and of two sums, each bounded by (d + 8) * 2^-24 of
  // the norms (Higham 2002, eq. 3.5); doubled.
  const double unit = (static_cast<double>(rows.d) + 16) * 0x1p-23;
  const double largest = rows.largest_norm;
  const auto inner_product = kernels<VectorKernels>().inner_product;
  parallel_for(rows.n, 4096, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const float* x = rows.x + row_at(order, p) * rows.d;
      const float squared = inner_product(x, x, rows.d);
      if (rows.metric == Metric::l2) bias_[p] = -squared / 2;
      const double norm = std::sqrt(static_cast<double>(squared) * (1 + canonical_error(rows.d)));
      slack_[p] = std::nextafter(
          static_cast<float>(unit * (norm * largest + largest * largest + norm * norm)), infinity);
    }
  });
}

}  // namespace kf::neighbours
