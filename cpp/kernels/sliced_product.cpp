// Rows of a sparse symmetric matrix times one vector, or a few side by side: what an iteration of
// diffusion reads. Each sum is taken in the order of the row's entries by fused multiply-add, so
// that a vector's product is the same alone and among others, at every level from AVX2 on.
// One vector: 6 bytes of matrix an entry (4 with half weights), and a gather of 16 rows' values.
// Several: 32 values of one column are a line in half precision; a few rows at a time, since a sum
// waits four cycles for the one before.

#include "kernels/sliced.h"

#include "kernels/graph.h"
#include "kernels/half.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

constexpr std::size_t lanes = 16;
// Entries that are fetched ahead: matrices are read from memory once and in order.
constexpr std::size_t ahead = 768;

inline float widened(float value) { return value; }
inline float widened(std::uint16_t half) { return half_to_float(half); }

template <class Weight>
struct Slice {
  const std::uint16_t* columns;
  const std::uint32_t* above;
  const Weight* weights;
  std::size_t steps;
  const std::uint16_t* rows;
};

template <bool Broad, class Weight>
inline std::size_t column(const Slice<Weight>& slice, std::size_t step, std::size_t lane) {
  std::size_t at = slice.columns[step * lanes + lane];
  if constexpr (Broad) at |= static_cast<std::size_t>(slice.above[step] >> 2 * lane & 3u) << 16;
  return at;
}

template <class Weight>
inline std::size_t row_of(const Slice<Weight>& slice, std::size_t lane) {
  return slice.rows ? slice.rows[lane] : lane;
}

#if KF_HAS_AVX512

inline __m512 load16(const float* p) { return _mm512_loadu_ps(p); }
inline __m512 load16(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline __m512 gather16(const float* x, __m512i at) { return _mm512_i32gather_ps(at, x, 4); }
inline __m512 gather16(const std::uint16_t* x, __m512i at) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_i32gather_epi32(at, x, 2)));
}
template <bool Broad>
inline __m512i index16(const std::uint16_t* columns, const std::uint32_t* above) {
  const __m512i low =
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(columns)));
  if constexpr (!Broad) return low;
  const __m512i shifts =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i high = _mm512_srlv_epi32(_mm512_set1_epi32(static_cast<int>(*above)), shifts);
  return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_and_si512(high, _mm512_set1_epi32(3)), 16));
}

// Sixteen rows of one slice.
template <bool Broad, class Weight, class Number>
inline void one(const Slice<Weight>& slice, const Number* x, float* out) {
  __m512 sum = _mm512_setzero_ps();
  __m512i rows = _mm512_setzero_si512();
  if (slice.rows) {
    rows = index16<false>(slice.rows, nullptr);
    sum = _mm512_i32gather_ps(rows, out, 4);
  }
  for (std::size_t step = 0, e = 0; step < slice.steps; ++step, e += lanes) {
    __builtin_prefetch(slice.columns + e + ahead, 0, 2);
    __builtin_prefetch(slice.weights + e + ahead, 0, 2);
    const __m512i at = index16<Broad>(slice.columns + e, slice.above + step);
    sum = _mm512_fmadd_ps(load16(slice.weights + e), gather16(x, at), sum);
  }
  if (slice.rows)
    _mm512_i32scatter_ps(out, rows, sum, 4);
  else
    _mm512_storeu_ps(out, sum);
}

#elif KF_HAS_AVX2

inline __m256 load8(const float* p) { return _mm256_loadu_ps(p); }
inline __m256 load8(const std::uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m256 gather8(const float* x, __m256i at) { return _mm256_i32gather_ps(x, at, 4); }
inline __m256 gather8(const std::uint16_t* x, __m256i at) {
  const __m256i pairs = _mm256_i32gather_epi32(reinterpret_cast<const int*>(x), at, 2);
  const __m256i low = _mm256_and_si256(pairs, _mm256_set1_epi32(0xffff));
  return _mm256_cvtph_ps(
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
}
template <bool Broad>
inline __m256i index8(const std::uint16_t* columns, std::uint32_t above) {
  const __m256i low =
      _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(columns)));
  if constexpr (!Broad) return low;
  const __m256i shifts = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
  const __m256i high = _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(above)), shifts);
  return _mm256_or_si256(low, _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 16));
}

template <bool Broad, class Weight, class Number>
inline void one(const Slice<Weight>& slice, const Number* x, float* out) {
  alignas(32) float sums[lanes] = {};
  if (slice.rows)
    for (std::size_t i = 0; i < lanes; ++i) sums[i] = out[slice.rows[i]];
  __m256 low = _mm256_load_ps(sums), high = _mm256_load_ps(sums + 8);
  for (std::size_t step = 0, e = 0; step < slice.steps; ++step, e += lanes) {
    __builtin_prefetch(slice.columns + e + ahead, 0, 2);
    __builtin_prefetch(slice.weights + e + ahead, 0, 2);
    const std::uint32_t above = Broad ? slice.above[step] : 0;
    const __m256i at = index8<Broad>(slice.columns + e, above);
    const __m256i then = index8<Broad>(slice.columns + e + 8, above >> 16);
    low = _mm256_fmadd_ps(load8(slice.weights + e), gather8(x, at), low);
    high = _mm256_fmadd_ps(load8(slice.weights + e + 8), gather8(x, then), high);
  }
  if (!slice.rows) {
    _mm256_storeu_ps(out, low);
    _mm256_storeu_ps(out + 8, high);
    return;
  }
  _mm256_store_ps(sums, low);
  _mm256_store_ps(sums + 8, high);
  for (std::size_t i = 0; i < lanes; ++i) out[slice.rows[i]] = sums[i];
}

#else

template <bool Broad, class Weight, class Number>
inline void one(const Slice<Weight>& slice, const Number* x, float* out) {
  float sums[lanes] = {};
  if (slice.rows)
    for (std::size_t i = 0; i < lanes; ++i) sums[i] = out[slice.rows[i]];
  for (std::size_t step = 0; step < slice.steps; ++step)
    for (std::size_t i = 0; i < lanes; ++i)
      sums[i] = fused(widened(slice.weights[step * lanes + i]),
                      widened(x[column<Broad>(slice, step, i)]), sums[i]);
  for (std::size_t i = 0; i < lanes; ++i) out[row_of(slice, i)] = sums[i];
}

#endif

// N numbers in one register.
template <std::size_t N>
struct Pack;

#if KF_HAS_AVX2
template <>
struct Pack<4> {
  __m128 v = _mm_setzero_ps();
  static __m128 load(const float* x) { return _mm_loadu_ps(x); }
  static __m128 load(const std::uint16_t* x) {
    return _mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x)));
  }
  template <class Number>
  void add(float w, const Number* x) {
    v = _mm_fmadd_ps(_mm_set1_ps(w), load(x), v);
  }
  void store(float* out) const { _mm_storeu_ps(out, v); }
};
template <>
struct Pack<8> {
  __m256 v = _mm256_setzero_ps();
  static __m256 load(const float* x) { return _mm256_loadu_ps(x); }
  static __m256 load(const std::uint16_t* x) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
  }
  template <class Number>
  void add(float w, const Number* x) {
    v = _mm256_fmadd_ps(_mm256_set1_ps(w), load(x), v);
  }
  void store(float* out) const { _mm256_storeu_ps(out, v); }
};
#if KF_HAS_AVX512
template <>
struct Pack<16> {
  __m512 v = _mm512_setzero_ps();
  static __m512 load(const float* x) { return load16(x); }
  template <class Number>
  void add(float w, const Number* x) {
    v = _mm512_fmadd_ps(_mm512_set1_ps(w), load16(x), v);
  }
  void store(float* out) const { _mm512_storeu_ps(out, v); }
};
constexpr std::size_t widest = 16;
#else
constexpr std::size_t widest = 8;
#endif
#elif KF_HAS_NEON
template <>
struct Pack<4> {
  float32x4_t v = vdupq_n_f32(0);
  static float32x4_t load(const float* x) { return vld1q_f32(x); }
  static float32x4_t load(const std::uint16_t* x) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x)));
  }
  template <class Number>
  void add(float w, const Number* x) {
    v = vfmaq_n_f32(v, load(x), w);
  }
  void store(float* out) const { vst1q_f32(out, v); }
};
constexpr std::size_t widest = 4;
#else
template <>
struct Pack<4> {
  using Quad __attribute__((vector_size(16), aligned(4), may_alias)) = float;
  Quad v = {};
  static Quad load(const float* x) { return *reinterpret_cast<const Quad*>(x); }
  static Quad load(const std::uint16_t* x) {
    return Quad{widened(x[0]), widened(x[1]), widened(x[2]), widened(x[3])};
  }
  template <class Number>
  void add(float w, const Number* x) {
    v += w * load(x);
  }
  void store(float* out) const { *reinterpret_cast<Quad*>(out) = v; }
};
constexpr std::size_t widest = 4;
#endif

// Sixteen rows of one slice times Width vectors: a few rows at a time, each in registers. The next
// rows' neighbours are fetched meanwhile.
template <std::size_t Width, bool Broad, class Weight, class Number>
inline void several(const Slice<Weight>& slice, const Number* x, float* out) {
  constexpr std::size_t size = Width < widest ? Width : widest, packs = Width / size;
  constexpr std::size_t together = packs == 1 ? 4 : 2, line = 64 / sizeof(Number);
  for (std::size_t i = 0; i < lanes; i += together) {
    Pack<size> sums[together][packs];
    if (slice.rows)
#pragma GCC unroll 4
      for (std::size_t r = 0; r < together; ++r)
#pragma GCC unroll 8
        for (std::size_t c = 0; c < packs; ++c)
          sums[r][c].v = Pack<size>::load(out + slice.rows[i + r] * Width + c * size);
    for (std::size_t step = 0; step < slice.steps; ++step) {
      if (i + together < lanes)
#pragma GCC unroll 4
        for (std::size_t r = 0; r < together; ++r) {
          const Number* next = x + column<Broad>(slice, step, i + together + r) * Width;
          for (std::size_t at = 0; at < Width; at += line) __builtin_prefetch(next + at);
        }
#pragma GCC unroll 4
      for (std::size_t r = 0; r < together; ++r) {
        const Number* row = x + column<Broad>(slice, step, i + r) * Width;
        const float weight = widened(slice.weights[step * lanes + i + r]);
#pragma GCC unroll 8
        for (std::size_t c = 0; c < packs; ++c) sums[r][c].add(weight, row + c * size);
      }
    }
#pragma GCC unroll 4
    for (std::size_t r = 0; r < together; ++r)
#pragma GCC unroll 8
      for (std::size_t c = 0; c < packs; ++c)
        sums[r][c].store(out + row_of(slice, i + r) * Width + c * size);
  }
}

template <std::size_t Width, class Weight, class Number>
void multiply_slices(const SlicedView& matrix, const Number* x, std::size_t first, std::size_t last,
                     float* out) {
  const auto* weights = static_cast<const Weight*>(matrix.weights);
  for (std::size_t s = first; s < last; ++s) {
    const std::int64_t at = matrix.starts[s], step = at / static_cast<std::int64_t>(lanes);
    const auto entries = static_cast<std::size_t>(matrix.starts[s + 1] - at);
    const Slice<Weight> slice{matrix.columns + at, matrix.broad[s] ? matrix.above + step : nullptr,
                              weights + at, entries / lanes,
                              matrix.rows ? matrix.rows + s * lanes : nullptr};
    const Number* base = x + static_cast<std::size_t>(matrix.bases[s]) * Width;
    float* rows = matrix.rows ? out : out + (s - first) * lanes * Width;
    if constexpr (Width == 1) {
      if (matrix.broad[s])
        one<true>(slice, base, rows);
      else
        one<false>(slice, base, rows);
    } else {
      if (matrix.broad[s])
        several<Width, true>(slice, base, rows);
      else
        several<Width, false>(slice, base, rows);
    }
  }
}

template <class Weight, class Number>
void by_width(const SlicedView& matrix, const Number* x, std::size_t width, std::size_t first,
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

template <class Number>
void by_weight(const SlicedView& matrix, const Number* x, std::size_t width, std::size_t first,
               std::size_t last, float* out) {
  if (matrix.halves)
    by_width<std::uint16_t>(matrix, x, width, first, last, out);
  else
    by_width<float>(matrix, x, width, first, last, out);
}

}  // namespace

void sliced_product(const SlicedView& matrix, const float* x, std::size_t width, std::size_t first,
                    std::size_t last, float* out) {
  by_weight(matrix, x, width, first, last, out);
}

void sliced_product_half(const SlicedView& matrix, const std::uint16_t* x, std::size_t width,
                         std::size_t first, std::size_t last, float* out) {
  by_weight(matrix, x, width, first, last, out);
}

}  // namespace kf::KF_LEVEL
