#pragma once
// An 8-bit copy of the base vectors: a filter for exact search, never an answer.
//
// x is stored as scale * (code - 128) + centre with a residual norm of at most `residual` per
// chunk, so
//     | ||q - x|| - ||q^ - x^|| | <= ||q - q^|| + ||x - x^||        (triangle inequality)
// and what cannot reach the current k-th distance is dismissed by integer arithmetic alone. Whole
// numbers 0..255 (SIFT, image bytes) are copied exactly: their residual is next to zero.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/buffer.h"
#include "core/shared_rows.h"
#include "scan/base.h"

namespace kf {
struct FilterKernels;
}

namespace kf::scan {

// What the 8-bit filter reads: blocks of 16 points (blocks, padded_d / 4, 16, 4), their biases and
// bounds. The last points, fewer than 32, may lie elsewhere: a version that grows has its own.
struct Bytes {
  const std::uint8_t* codes = nullptr;
  const std::int32_t* bias = nullptr;
  const float* residual = nullptr;  // largest ||x - x^|| of each 32 points
  std::size_t padded_d = 0;
  double radius = 0;      // largest ||x - centre||; weighted: s ||k||
  bool weighted = false;  // queries are; see byte_codes.h
  std::size_t tail = std::numeric_limits<std::size_t>::max();  // a multiple of 32
  const std::uint8_t* tail_codes = nullptr;
  const std::int32_t* tail_bias = nullptr;
  float tail_residual = 0;

  // Largest ||x - x^|| among the points [begin, end).
  double residual_of(std::size_t begin, std::size_t end) const {
    float worst = end > tail ? tail_residual : 0;
    const std::size_t groups = (std::min(end, tail) + 31) / 32;
    for (std::size_t g = begin / 32; g < groups; ++g)
      // NOLINTNEXTLINE(clang-analyzer-security.ArrayBound): a lone group has 32 points at most.
      worst = residual[g] > worst ? residual[g] : worst;
    return static_cast<double>(worst);
  }

  // Calls part(codes, bias, at, n) for the points [begin, begin + n), begin a multiple of 32, that
  // lie together; `at` counts from begin.
  template <class Part>
  void in_parts(std::size_t begin, std::size_t n, Part part) const {
    const std::size_t whole = std::min(n, tail - std::min(begin, tail));
    if (whole > 0) part(codes + begin * padded_d, bias + begin, std::size_t{0}, whole);
    if (whole < n) part(tail_codes, tail_bias, whole, n - whole);
  }
};

// One vector in 8 bits. Norms are rounded up.
struct Encoded {
  double residual;  // ||x - x^||
  double length;    // ||x - centre||
  double norm;      // ||x^||^2 in code units
  double sum;       // of the codes
};
Encoded encode(const FilterKernels& table, const float* x, const float* centre, float scale,
               std::size_t d, std::int8_t* codes);

// Tiles of at most 64 dimensions, all equal.
inline std::size_t pad_dimension(std::size_t d) {
  const std::size_t tiles = (d + 63) / 64, unit = 4 * tiles;
  return (d + unit - 1) / unit * unit;
}

// A copy is another version, which costs little: what they have in common is stored once, and the
// latest grows without disturbing those who read the others.
class Shadow {
 public:
  // What one kernel call scans at most.
  static constexpr std::size_t chunk = 1024;

  Shadow(std::size_t d, Metric metric);

  // Chooses centre and scale; vectors outside the range met here are clipped, and their residuals
  // say so.
  // together: how many vectors the worst residual counts of: those that are scanned together where
  // the copy filters, one where it is the answer.
  void fit(const float* x, std::size_t n, std::size_t together = 256);
  // The same for a centre and scale that are known.
  void fit(const float* centre, float scale);
  const std::vector<float>& centre() const { return centre_; }
  float scale() const { return scale_; }
  bool fitted() const { return scale_ > 0; }
  // What fails leaves it as it was.
  void append(const float* x, std::size_t n);
  // The first n vectors alone, n at most size().
  void shorten(std::size_t n);
  // Forgets the vectors, keeps centre and scale: earlier 8-bit queries stay valid.
  void clear();

  std::size_t size() const { return n_; }
  std::size_t padded_d() const { return padded_d_; }
  Bytes view() const {
    return {.codes = codes_.data(),
            .bias = bias_.data(),
            .residual = residual_.data(),
            .padded_d = padded_d_,
            .radius = radius_,
            .tail = bias_.size(),
            .tail_codes = tail_.codes.data(),
            .tail_bias = tail_.bias.data(),
            .tail_residual = tail_.residual};
  }
  // All of it in one piece, the last group of 32 filled up: (groups, 32 * padded_d), (groups, 32),
  // (groups,).
  void write(std::uint8_t* codes, std::int32_t* bias, float* residual) const;
  std::size_t bytes() const;

  // 8-bit queries with what their thresholds need; see ByteFilter.
  struct Queries {
    std::size_t n = 0;
    Buffer<std::int8_t> codes;  // (n rounded up to 16, padded_d), zeros beyond
    // l2: ||q^||^2 / 2, inner product: -<q, centre>, in code units, + 128 sum(q^).
    std::vector<double> constant;
    std::vector<double> inverse;   // code units of one unit of distance (l2: of its root)
    std::vector<double> residual;  // ||q - q^||
    std::vector<double> norm;      // ||q^||

    void resize(std::size_t count, std::size_t padded_d);
    // Query `at` becomes a copy of query `from` of other.
    void copy(std::size_t at, const Queries& other, std::size_t from, std::size_t padded_d);
    // Copies of n of them, `which`; until the thread asks again.
    const Queries& some(const std::uint32_t* which, std::size_t count, std::size_t padded_d) const;
  };
  // Queries at places [first, first + n) of `out`, which has room for them.
  void quantize(const float* queries, std::size_t n, Queries& out, std::size_t first) const;
  Queries quantize(const float* queries, std::size_t n) const;

 private:
  std::size_t d_, n_ = 0, padded_d_;
  Metric metric_;
  std::vector<float> centre_;
  float scale_ = 0;
  double radius_ = 0;
  // Whole groups of 32 points, and those that fill none yet.
  SharedRows<std::uint8_t> codes_;  // blocks of 16 points: (blocks, padded_d / 4, 16, 4)
  SharedRows<std::int32_t> bias_;   // -floor(||x^||^2 / 2) (l2) or 0; hopeless for what fills up
  SharedRows<float> residual_;      // per 32 points
  struct Tail {
    Buffer<std::uint8_t> codes;
    Buffer<std::int32_t> bias;
    float residual = 0;
  };
  Tail tail_;
};

}  // namespace kf::scan
