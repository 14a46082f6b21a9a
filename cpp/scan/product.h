#pragma once
// Product codes (Jegou, Douze & Schmid, PAMI 2011) as lists are searched: plain, of residuals, or
// locally optimized (Kalantidis & Avrithis, CVPR 2014).
//
// The canonical distance is the float32 distance between the query and the decoded vector, both
// relative to the cell: ||l - c||^2 with l = q - centroid (or its local rotation) and c the
// concatenated codewords. Look-up tables and 8-bit products are filters with proven bounds; see
// search.h.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "kernels/table.h"
#include "scan/search.h"

namespace kf::scan {

// What was learnt; the caller keeps the arrays.
struct ProductParts {
  Metric metric = Metric::l2;
  std::size_t d = 0, m = 0, bits = 8, s = 0;
  const float* codebooks = nullptr;  // (books, m, 2^bits, s)
  std::size_t books = 1;
  bool residual = false;          // codes stand for x - centroid of the cell
  const float* middle = nullptr;  // (d): what queries are centred by in tables of residuals
  float term_low = 0, term_step = 0;
  const float* centre = nullptr;  // (m s): of the 8-bit copies of codewords and local queries
  float scale = 0;
  // Local codes: rotations (groups, d, d) by rows, means (groups, d), the group of each cell.
  const float* rotations = nullptr;
  const float* means = nullptr;
  const std::int32_t* group = nullptr;
  std::size_t groups = 0;
  bool local_tables = false;  // whether local codes are searched by tables, too
};

// The rows of one segment. In blocks of 64 rows or row by row; width bytes a row, the last two of
// them a term where codes are residuals under the l2 metric.
struct ProductRowsOf {
  const std::uint8_t* codes = nullptr;
  std::size_t width = 0;
  bool blocked = true;

  const std::uint8_t* code(std::size_t row) const {
    return blocked ? codes + row / 64 * 64 * width + row % 64 : codes + row * width;
  }
  std::size_t stride() const { return blocked ? 64 : 1; }
};

class ProductCodec {
 public:
  explicit ProductCodec(const ProductParts& parts);

  const ProductParts& parts() const { return parts_; }
  std::size_t k() const { return std::size_t{1} << parts_.bits; }
  std::size_t local_d() const { return parts_.m * parts_.s; }
  std::size_t code_size() const { return (parts_.m * parts_.bits + 7) / 8; }
  bool local() const { return parts_.rotations != nullptr; }
  bool has_terms() const { return parts_.residual && !local() && parts_.metric == Metric::l2; }
  std::size_t width() const { return code_size() + (has_terms() ? 2 : 0); }
  std::size_t book_of(std::size_t cell) const {
    return parts_.books > 1 ? static_cast<std::size_t>(parts_.group[cell]) : 0;
  }
  const float* codebooks(std::size_t book) const {
    return parts_.codebooks + book * parts_.m * k() * parts_.s;
  }

  // Queries relative to a cell: queries[i] of `rows`, (count, d), to out (count, local_d).
  void locals(const float* queries, const std::uint32_t* rows, std::size_t count,
              const float* centroid, std::size_t cell, float* out) const;

  // Tables of one query; not for local codes.
  struct Tables {
    Buffer<float> floats;  // (m, k)
    Buffer<std::uint8_t> bytes;
    double constant = 0;  // what all distances have besides tables, terms and the centroid's
    double base = 0, unit = 1, slack = 0;
    std::uint32_t factor = 0;
  };
  void tables(const float* query, bool as_bytes, Tables& out) const;
  // Tables of a query in a cell's axes: squared distances to its codewords, floats alone.
  void local_tables(const float* local, std::size_t book, Buffer<float>& out) const;
  // What the rounding of such tables may come to.
  double local_slack(const float* local) const;
  // The term of a code that lies in a row.
  float term(const std::uint8_t* code) const;
  // What the sum of tables and term may be at most, for the distance to be within the bound.
  float limit(const Tables& tables, float bound, float value) const;

  // For the 8-bit filter.
  const Shadow& coder() const { return coder_; }
  const ByteCodebooks byte_codebooks(std::size_t book, std::size_t width) const;
  double byte_residual() const { return byte_residual_; }
  double byte_radius() const { return byte_radius_; }
  double largest_norm() const { return largest_norm_; }
  std::size_t piece() const { return piece_; }
  // Local queries as the coder takes them: pieces padded to a multiple of 4.
  void padded(const float* local, float* out) const;

 private:
  ProductParts parts_;
  std::size_t piece_;
  Buffer<float> transposed_;  // (books, m, s, k): codewords by dimension
  Buffer<float> norms_;       // (books, m, k)
  Buffer<float> turned_;      // (groups, d, d): the rotations' transposes
  Buffer<std::uint8_t> bytes_;
  Buffer<std::int32_t> byte_norms_;
  Shadow coder_;
  double byte_residual_ = 0, byte_radius_ = 0, largest_norm_ = 0, middle_norm_ = 0;
};

// Blocks of rows whose table sums may be within one query's bound.
class TableFilter {
 public:
  static constexpr std::size_t granule = 64, most_chunk = 4096;
  using Threshold = std::int64_t;
  static constexpr Threshold never = -1;

  // value: squared distance to the centroid, or the negated product with it.
  TableFilter(const ProductCodec& codec, const ProductCodec::Tables& tables,
              const ProductRowsOf& rows, float value)
      : codec_(codec), tables_(tables), rows_(rows), value_(value) {}
  std::size_t padded() const { return 1; }
  void begin_chunk(std::size_t, std::size_t) {}
  // clamped: to what 16-bit sums can be.
  void thresholds(const float* bounds, Threshold* out, bool clamped = true) const;
  std::size_t run(const KernelTable& table, std::size_t begin, std::size_t n,
                  const Threshold* thresholds, std::uint32_t* hits) const;
  // Sums, largest first nearest: negated. And what a distance with such a sum is at most.
  void sums(const KernelTable& table, std::size_t begin, std::size_t n, std::int32_t* out,
            std::size_t stride) const;
  float most(std::size_t, std::int32_t sum) const;
  static std::int32_t least_sum(Threshold threshold) {
    return static_cast<std::int32_t>(-threshold);
  }

 private:
  const ProductCodec& codec_;
  const ProductCodec::Tables& tables_;
  const ProductRowsOf& rows_;
  float value_;
};

// The 8-bit filter over codes that are decoded once for all queries of a group.
class DecodedFilter {
 public:
  static constexpr std::size_t granule = 64, most_chunk = Shadow::chunk;
  using Threshold = ByteFilter::Threshold;
  static constexpr Threshold never = ByteFilter::never;

  // locals (nq, local_d); values: what each query's distances start from (inner products), else
  // null.
  DecodedFilter(const ProductCodec& codec, const ProductRowsOf& rows, std::size_t book,
                const Shadow::Queries& queries, std::size_t nq, const float* values);
  std::size_t padded() const { return filter_.padded(); }
  void begin_chunk(std::size_t begin, std::size_t end);
  void thresholds(const float* bounds, Threshold* out) const;
  std::size_t run(const KernelTable& table, std::size_t, std::size_t n, const Threshold* thresholds,
                  std::uint32_t* hits) {
    return filter_.run(table, 0, n, thresholds, hits);
  }
  void sums(const KernelTable& table, std::size_t, std::size_t n, std::int32_t* out,
            std::size_t stride) const {
    filter_.sums(table, 0, n, out, stride);
  }
  static std::int32_t least_sum(Threshold threshold) { return threshold; }
  float most(std::size_t i, std::int32_t sum) const;

 private:
  Bytes view() const;

  const ProductCodec& codec_;
  const ProductRowsOf& rows_;
  ByteCodebooks books_;
  std::size_t nq_;
  const float* values_;
  ByteFilter filter_;
};

}  // namespace kf::scan
