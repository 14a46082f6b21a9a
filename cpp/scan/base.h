#pragma once
// What is searched, and what float32 may hide of its distances.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace kf::scan {

enum class Metric { l2, inner_product };

// The vectors that are searched; the caller keeps the arrays.
struct Base {
  const float* vectors;       // (n, d)
  const std::int64_t* ids;    // (n,) or null for row numbers
  const std::uint8_t* alive;  // (n,) 1 where a row may answer, or null for all
  std::size_t n;
};

inline constexpr float infinity = std::numeric_limits<float>::infinity();

// A canonical float32 value lies within this relative distance of the true one: 32 lanes of d / 32
// fused multiply-adds, five levels of the tree, the subtraction (twice: squared), each 2^-24;
// doubled for safety.
inline double canonical_error(std::size_t d) {
  return (static_cast<double>(d) / 32 + 16) * 0x1p-23;
}

// Squares below float32's range vanish: what a sum of d of them may have lost.
inline double vanished(std::size_t d) {
  return static_cast<double>(d) * static_cast<double>(std::numeric_limits<float>::min());
}

// Between these, vectors have a length that float32 can bound. Below the upper one no squared
// distance overflows: (1e18 + 1e18)^2 < 3.4e38. Above the lower one, what may vanish of squares in
// up to 32768 dimensions, 4e-34, is less than 2^-24 of the largest square.
inline constexpr double least_sound = 1e-12, most_sound = 1e18;
// Where products are added up: a million of them stay within float32, too.
inline constexpr double most_summed = 1e15;

inline bool sound(double largest_norm, double most = most_sound) {
  return largest_norm > least_sound && largest_norm < most;
}
// Whether numbers of queries are so small; that they may be next to nothing does no harm.
inline bool all_sound(const float* x, std::size_t n, double most = most_sound) {
  return std::all_of(x, x + n, [&](float v) { return std::abs(v) < static_cast<float>(most); });
}

// Pairs of a query and a row, by what looked at them; `distances`: those whose canonical distance was
// taken.
struct Counts {
  std::uint64_t along = 0, bytes = 0, floats = 0, distances = 0;
};

// Queries of one group: they stay in cache while the base streams by, once for each group.
inline constexpr std::size_t most_group = 512;
inline std::size_t group_size(std::size_t bytes_per_query) {
  return std::clamp<std::size_t>((64 << 10) / bytes_per_query, 64, most_group) / 64 * 64;
}

}  // namespace kf::scan
