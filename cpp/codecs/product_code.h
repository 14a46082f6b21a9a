#pragma once
// Product codes (Jegou, Douze & Schmid, PAMI 2011) as lists are searched: plain, of residuals, or
// locally optimized (Kalantidis & Avrithis, CVPR 2014).
//
// The canonical distance is the float32 distance between the query and the decoded vector, both
// relative to the cell: ||l - c||^2 with l = q - centroid (or its local rotation) and c the
// concatenated codewords. Look-up tables and 8-bit products are filters with proven bounds; see
// product_filters.h.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "core/named.h"
#include "kernels/product.h"
#include "lists/lists.h"
#include "scan/base.h"
#include "scan/shadow.h"

namespace kf::codecs {

using namespace lists;

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
  std::size_t groups = 0, cells = 0;
  bool local_tables = false;  // whether local codes are searched by tables, too
};

// The arrays and numbers that Python hands on, checked.
ProductParts product_parts(Metric metric, const Named& parts);

// The rows of one segment. In blocks of 64 rows or row by row; width bytes a row, the last two of
// them a term where codes are residuals under the l2 metric.
struct CodeRows : CodecRows {
  const std::uint8_t* codes = nullptr;
  std::size_t width = 0;
  bool blocked = true;

  const std::uint8_t* code(std::size_t row) const {
    return blocked ? codes + row / 64 * 64 * width + row % 64 : codes + row * width;
  }
  std::size_t stride() const { return blocked ? 64 : 1; }
};
std::shared_ptr<const CodeRows> code_rows(const Named& packed, std::size_t n, std::size_t width,
                                          bool blocked);

class ProductCode {
 public:
  explicit ProductCode(const ProductParts& parts);

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
  const scan::Shadow& coder() const { return coder_; }
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
  scan::Shadow coder_;
  double byte_residual_ = 0, byte_radius_ = 0, largest_norm_ = 0, middle_norm_ = 0;
};

}  // namespace kf::codecs
