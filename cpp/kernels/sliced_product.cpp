// Rows of a sparse symmetric matrix times one vector, or a few side by side: what an iteration of
// diffusion reads. Each sum is taken in the order of the row's entries by fused multiply-add, so
// that a vector's product is the same alone and among others, at every level from AVX2 on.
// One vector: 6 bytes of matrix an entry (4 with half weights), and a gather of 16 rows' values.
// Several: a line of x for 16 vectors.

#include "kernels/sliced.h"
#include "kernels/table.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

constexpr std::size_t lanes = 16;

inline float half_to_float(std::uint16_t half) {
#if KF_LEVEL_RANK >= 1
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
#else
  // Weights are finite and at least 0.
  const std::uint32_t h = half, bits = (h + 0x1c000u) << 13;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return h >= 0x400u ? value : static_cast<float>(h) * 0x1p-24f;
#endif
}

inline float widened(float weight) { return weight; }
inline float widened(std::uint16_t half) { return half_to_float(half); }

#if KF_LEVEL_RANK >= 2

inline __m512 load16(const float* p) { return _mm512_loadu_ps(p); }
inline __m512 load16(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline __m512i index16(const std::int32_t* p) { return _mm512_loadu_si512(p); }
inline __m512i index16(const std::uint16_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

// Sixteen rows of one slice.
template <class Column, class Weight>
inline void one(const Column* columns, const Weight* weights, std::size_t entries, const float* x,
                float* out) {
  __m512 sum = _mm512_setzero_ps();
  for (std::size_t e = 0; e < entries; e += lanes)
    sum =
        _mm512_fmadd_ps(load16(weights + e), _mm512_i32gather_ps(index16(columns + e), x, 4), sum);
  _mm512_storeu_ps(out, sum);
}

#elif KF_LEVEL_RANK >= 1

inline __m256 load8(const float* p) { return _mm256_loadu_ps(p); }
inline __m256 load8(const std::uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m256i index8(const std::int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline __m256i index8(const std::uint16_t* p) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

template <class Column, class Weight>
inline void one(const Column* columns, const Weight* weights, std::size_t entries, const float* x,
                float* out) {
  __m256 low = _mm256_setzero_ps(), high = low;
  for (std::size_t e = 0; e < entries; e += lanes) {
    low = _mm256_fmadd_ps(load8(weights + e), _mm256_i32gather_ps(x, index8(columns + e), 4), low);
    high = _mm256_fmadd_ps(load8(weights + e + 8),
                           _mm256_i32gather_ps(x, index8(columns + e + 8), 4), high);
  }
  _mm256_storeu_ps(out, low);
  _mm256_storeu_ps(out + 8, high);
}

#else

template <class Column, class Weight>
inline void one(const Column* columns, const Weight* weights, std::size_t entries, const float* x,
                float* out) {
  float sums[lanes] = {};
  for (std::size_t e = 0; e < entries; e += lanes)
    for (std::size_t i = 0; i < lanes; ++i) sums[i] += widened(weights[e + i]) * x[columns[e + i]];
  for (std::size_t i = 0; i < lanes; ++i) out[i] = sums[i];
}

#endif

// N numbers in one register.
template <std::size_t N>
struct Pack;

#if KF_LEVEL_RANK >= 1
template <>
struct Pack<4> {
  __m128 v = _mm_setzero_ps();
  void add(float w, const float* x) { v = _mm_fmadd_ps(_mm_set1_ps(w), _mm_loadu_ps(x), v); }
  void store(float* out) const { _mm_storeu_ps(out, v); }
};
template <>
struct Pack<8> {
  __m256 v = _mm256_setzero_ps();
  void add(float w, const float* x) {
    v = _mm256_fmadd_ps(_mm256_set1_ps(w), _mm256_loadu_ps(x), v);
  }
  void store(float* out) const { _mm256_storeu_ps(out, v); }
};
#if KF_LEVEL_RANK >= 2
template <>
struct Pack<16> {
  __m512 v = _mm512_setzero_ps();
  void add(float w, const float* x) {
    v = _mm512_fmadd_ps(_mm512_set1_ps(w), _mm512_loadu_ps(x), v);
  }
  void store(float* out) const { _mm512_storeu_ps(out, v); }
};
constexpr std::size_t widest = 16;
#else
constexpr std::size_t widest = 8;
#endif
#else
template <>
struct Pack<4> {
  using Quad __attribute__((vector_size(16), aligned(4), may_alias)) = float;
  Quad v = {};
  void add(float w, const float* x) { v += w * *reinterpret_cast<const Quad*>(x); }
  void store(float* out) const { *reinterpret_cast<Quad*>(out) = v; }
};
constexpr std::size_t widest = 4;
#endif

// Sixteen rows of one slice times Width vectors: row by row, each in registers. The next row's
// neighbours are fetched meanwhile.
template <std::size_t Width, class Column, class Weight>
inline void several(const Column* columns, const Weight* weights, std::size_t entries,
                    const float* x, float* out) {
  constexpr std::size_t size = Width < widest ? Width : widest, packs = Width / size;
  for (std::size_t i = 0; i < lanes; ++i) {
    Pack<size> sums[packs];
    for (std::size_t e = i; e < entries; e += lanes) {
      if (i + 1 < lanes) {
        const float* next = x + static_cast<std::size_t>(columns[e + 1]) * Width;
        for (std::size_t at = 0; at < Width; at += 16) __builtin_prefetch(next + at);
      }
      const float* row = x + static_cast<std::size_t>(columns[e]) * Width;
      const float weight = widened(weights[e]);
#pragma GCC unroll 8
      for (std::size_t c = 0; c < packs; ++c) sums[c].add(weight, row + c * size);
    }
#pragma GCC unroll 8
    for (std::size_t c = 0; c < packs; ++c) sums[c].store(out + i * Width + c * size);
  }
}

template <std::size_t Width, class Column, class Weight>
inline void slice(const Column* columns, const Weight* weights, std::size_t entries, const float* x,
                  float* out) {
  if constexpr (Width == 1)
    one(columns, weights, entries, x, out);
  else
    several<Width>(columns, weights, entries, x, out);
}

template <std::size_t Width, class Weight>
void multiply_slices(const SlicedView& matrix, const float* x, std::size_t first, std::size_t last,
                     float* out) {
  const auto* weights = static_cast<const Weight*>(matrix.weights);
  for (std::size_t s = first; s < last; ++s) {
    const auto entries = static_cast<std::size_t>(matrix.starts[s + 1] - matrix.starts[s]);
    const auto units = static_cast<std::size_t>(matrix.places[s + 1] - matrix.places[s]);
    const std::uint16_t* columns = matrix.columns + matrix.places[s];
    const float* base = x + static_cast<std::size_t>(matrix.bases[s]) * Width;
    float* rows = out + (s - first) * lanes * Width;
    if (units == entries)
      slice<Width>(columns, weights + matrix.starts[s], entries, base, rows);
    else
      slice<Width>(reinterpret_cast<const std::int32_t*>(columns), weights + matrix.starts[s],
                   entries, base, rows);
  }
}

template <class Weight>
void by_width(const SlicedView& matrix, const float* x, std::size_t width, std::size_t first,
              std::size_t last, float* out) {
  switch (width) {
    case 1:
      return multiply_slices<1, Weight>(matrix, x, first, last, out);
    case 4:
      return multiply_slices<4, Weight>(matrix, x, first, last, out);
    case 8:
      return multiply_slices<8, Weight>(matrix, x, first, last, out);
    case 16:
      return multiply_slices<16, Weight>(matrix, x, first, last, out);
    default:
      return multiply_slices<32, Weight>(matrix, x, first, last, out);
  }
}

}  // namespace

void sliced_product(const SlicedView& matrix, const float* x, std::size_t width, std::size_t first,
                    std::size_t last, float* out) {
  if (matrix.halves)
    by_width<std::uint16_t>(matrix, x, width, first, last, out);
  else
    by_width<float>(matrix, x, width, first, last, out);
}

}  // namespace kf::KF_LEVEL
