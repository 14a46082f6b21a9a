// Canonical squared Euclidean distance and inner product in float32: the values that every exact answer
// is ranked by, whatever filter proposed the candidates. 4d bytes and d fused multiply-adds a vector;
// candidates of the *_rows forms come from random rows, so the next rows are prefetched.

#include "kernels/table.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

struct SquaredL2 {
  static Vec32 add(const Vec32& a, const Vec32& b, const Vec32& sum) {
    const Vec32 difference = a - b;
    return fma(difference, difference, sum);
  }
};

struct InnerProduct {
  static Vec32 add(const Vec32& a, const Vec32& b, const Vec32& sum) { return fma(a, b, sum); }
};

template <class Op>
inline float distance(const float* a, const float* b, std::size_t d) {
  Vec32 sum = Vec32::zero();
  std::size_t i = 0;
  for (; i + 32 <= d; i += 32) sum = Op::add(Vec32::load(a + i), Vec32::load(b + i), sum);
  if (i < d) sum = Op::add(Vec32::load(a + i, d - i), Vec32::load(b + i, d - i), sum);
  return reduce(sum);
}

template <class Op>
inline void distance_rows(const float* query, const float* base, const std::uint32_t* rows, std::size_t n,
                          std::size_t d, float* out) {
  constexpr std::size_t ahead = 8;
  const std::size_t bytes = d * sizeof(float);
  for (std::size_t i = 0; i < n; ++i) {
    if (i + ahead < n) {
      const char* row = reinterpret_cast<const char*>(base + static_cast<std::size_t>(rows[i + ahead]) * d);
      for (std::size_t at = 0; at < bytes && at < 1024; at += 64) __builtin_prefetch(row + at);
    }
    out[i] = distance<Op>(query, base + static_cast<std::size_t>(rows[i]) * d, d);
  }
}

}  // namespace

float squared_l2(const float* a, const float* b, std::size_t d) { return distance<SquaredL2>(a, b, d); }

float inner_product(const float* a, const float* b, std::size_t d) { return distance<InnerProduct>(a, b, d); }

void squared_l2_rows(const float* query, const float* base, const std::uint32_t* rows, std::size_t n, std::size_t d,
                     float* out) {
  distance_rows<SquaredL2>(query, base, rows, n, d, out);
}

void inner_product_rows(const float* query, const float* base, const std::uint32_t* rows, std::size_t n,
                        std::size_t d, float* out) {
  distance_rows<InnerProduct>(query, base, rows, n, d, out);
}

}  // namespace kf::KF_LEVEL
