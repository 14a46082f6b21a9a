#include "neighbours/byte_tile.h"

#include <algorithm>

#include "kernels/pairs.h"

namespace kf::neighbours {

void ByteTile::fill(const PairBytes& bytes, const Reach& reach, const Side& queries,
                    const Side& points, double of_queries, double of_points) {
  nq_ = queries.padded(16);
  np_ = points.padded(32);
  padded_d_ = bytes.padded_d();
  for (std::size_t i = 0; i < queries.size; ++i) {
    thresholds_[i] = bytes.least(queries[i], reach.squared(queries.bounds[i]), of_points);
    offsets_[i] = bytes.offset(queries[i]);
  }
  for (std::size_t i = 0; i < points.size; ++i) {
    points_[i] = bytes.least(points[i], reach.squared(points.bounds[i]), of_queries);
    bias_[i] = bytes.bias(points[i]);
  }
  // Rows behind the last ones only fill up.
  std::fill(thresholds_.data() + queries.size, thresholds_.data() + nq_, PairBytes::never);
  std::fill(offsets_.data() + queries.size, offsets_.data() + nq_, PairBytes::hopeless);
  std::fill(points_.data() + points.size, points_.data() + np_, PairBytes::never);
  std::fill(bias_.data() + points.size, bias_.data() + np_, PairBytes::hopeless);
}

const std::int8_t* ByteTile::gather(const PairBytes& bytes, const Side& queries) {
  const std::size_t padded = bytes.padded_d();
  codes_.resize(thresholds_.size() * padded);
  for (std::size_t i = 0; i < queries.size; ++i)
    std::copy_n(bytes.codes(queries[i]), padded, codes_.data() + i * padded);
  std::fill(codes_.data() + queries.size * padded, codes_.data() + queries.padded(16) * padded,
            std::int8_t{0});
  return codes_.data();
}

std::size_t ByteTile::filter(const std::int8_t* queries, const std::uint8_t* points,
                             std::uint32_t* hits) {
  scratch_.resize(thresholds_.size() * padded_d_);
  return kernels<PairKernels>().filter_pairs_u8(queries, scratch_.data(), nq_, points, bias_.data(),
                                                np_ / 16, padded_d_, thresholds_.data(),
                                                offsets_.data(), points_.data(), hits);
}

std::size_t ByteTile::keep(const std::int8_t* queries, const std::int8_t* points,
                           std::uint32_t* hits, std::size_t found) const {
  return kernels<PairKernels>().keep_pairs_u8(queries, points, padded_d_, thresholds_.data(),
                                              offsets_.data(), points_.data(), bias_.data(), hits,
                                              found);
}

}  // namespace kf::neighbours
