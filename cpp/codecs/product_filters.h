#pragma once
// Which product codes can matter: look-up tables of one query, or 8-bit products of a group's.

#include <cstddef>
#include <cstdint>

#include "codecs/product_code.h"
#include "scan/byte_filter.h"

namespace kf::codecs {

// Blocks of rows whose table sums may be within one query's bound.
class TableFilter {
 public:
  static constexpr std::size_t granule = 64, most_chunk = 4096;
  using Threshold = std::int64_t;
  static constexpr Threshold never = -1;

  // value: squared distance to the centroid, or the negated product with it.
  TableFilter(const ProductCode& codec, const ProductCode::Tables& tables, const CodeRows& rows,
              float value)
      : codec_(codec), tables_(tables), rows_(rows), value_(value) {}
  std::size_t padded() const { return 1; }
  void begin_chunk(std::size_t, std::size_t) {}
  // clamped: to what 16-bit sums can be.
  void thresholds(const float* bounds, Threshold* out, bool clamped = true) const;
  std::size_t run(std::size_t begin, std::size_t n, const Threshold* thresholds,
                  std::uint32_t* hits) const;
  // Sums, largest first nearest: negated. And what a distance with such a sum is at most.
  void sums(std::size_t begin, std::size_t n, std::int32_t* out, std::size_t stride) const;
  float most(std::size_t, std::int32_t sum) const;
  static std::int32_t least_sum(Threshold threshold) {
    return static_cast<std::int32_t>(-threshold);
  }

 private:
  const ProductCode& codec_;
  const ProductCode::Tables& tables_;
  const CodeRows& rows_;
  float value_;
};

// The 8-bit filter over codes that are decoded once for all queries of a group.
class DecodedFilter {
 public:
  static constexpr std::size_t granule = 64, most_chunk = scan::Shadow::chunk;
  using Threshold = scan::ByteFilter::Threshold;
  static constexpr Threshold never = scan::ByteFilter::never;

  // locals (nq, local_d); values: what each query's distances start from (inner products), else
  // null.
  DecodedFilter(const ProductCode& codec, const CodeRows& rows, std::size_t book,
                const scan::Shadow::Queries& queries, std::size_t nq, const float* values);
  std::size_t padded() const { return filter_.padded(); }
  void begin_chunk(std::size_t begin, std::size_t end);
  void thresholds(const float* bounds, Threshold* out) const;
  std::size_t run(std::size_t, std::size_t n, const Threshold* thresholds, std::uint32_t* hits) {
    return filter_.run(0, n, thresholds, hits);
  }
  void sums(std::size_t, std::size_t n, std::int32_t* out, std::size_t stride) const {
    filter_.sums(0, n, out, stride);
  }
  static std::int32_t least_sum(Threshold threshold) { return threshold; }
  float most(std::size_t i, std::int32_t sum) const;

 private:
  scan::Bytes view() const;

  const ProductCode& codec_;
  const CodeRows& rows_;
  ByteCodebooks books_;
  std::size_t nq_;
  const float* values_;
  scan::ByteFilter filter_;
};

}  // namespace kf::codecs
