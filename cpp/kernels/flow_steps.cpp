// What conjugate gradients and random walks do to vectors between products: `width` vectors side by
// side, (rows, width), sixteen rows at a time. Sums are of products of floats, which are exact in
// double, in 16 lanes by the row's place and then one tree: the same bits at every level and for
// any width. Bound by memory.

#include "kernels/graph.h"
#include "kernels/half.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

constexpr std::size_t lanes = 16;

inline double product(float a, float b) { return static_cast<double>(a) * static_cast<double>(b); }

// A column's number for each entry of a tile of sixteen rows.
template <std::size_t Width>
struct Tile {
  static constexpr std::size_t size = lanes * Width;
  float value[size];
  explicit Tile(const float* columns) {
    for (std::size_t t = 0; t < size; ++t) value[t] = columns[t % Width];
  }
};

template <std::size_t Width>
struct Sums {
  static constexpr std::size_t size = lanes * Width;
  double value[size] = {};
  void total(double* out) {
    for (std::size_t half = size / 2; half >= Width; half /= 2)
      for (std::size_t t = 0; t < half; ++t) value[t] += value[t + half];
    for (std::size_t c = 0; c < Width; ++c) out[c] = value[c];
  }
};

// Directions are floats or halves; calculations are in floats.
inline void widen(const float* in, float* out, std::size_t n) { __builtin_memcpy(out, in, 4 * n); }
inline void narrow(const float* in, float* out, std::size_t n) { __builtin_memcpy(out, in, 4 * n); }

template <std::size_t Width, class Number>
void start(const float* __restrict r, Number* __restrict d, std::size_t rows, const float* scale,
           double* rr, double* rd) {
  const Tile<Width> scales(scale);
  Sums<Width> squares, slopes;
  float next[scales.size];
  for (std::size_t at = 0; at < rows * Width; at += scales.size) {
    for (std::size_t t = 0; t < scales.size; ++t) next[t] = scales.value[t] * r[at + t];
    narrow(next, d + at, scales.size);
    widen(d + at, next, scales.size);
    for (std::size_t t = 0; t < scales.size; ++t) {
      squares.value[t] += product(r[at + t], r[at + t]);
      slopes.value[t] += product(r[at + t], next[t]);
    }
  }
  squares.total(rr);
  slopes.total(rd);
}

template <std::size_t Width, class Number>
void apply(const Number* __restrict d, float* __restrict q, std::size_t rows, float alpha,
           double* dq, double* qq) {
  Sums<Width> curves, squares;
  float now[curves.size];
  for (std::size_t at = 0; at < rows * Width; at += curves.size) {
    widen(d + at, now, curves.size);
    for (std::size_t t = 0; t < curves.size; ++t) {
      q[at + t] = fused(-alpha, q[at + t], now[t]);
      curves.value[t] += product(now[t], q[at + t]);
      squares.value[t] += product(q[at + t], q[at + t]);
    }
  }
  curves.total(dq);
  squares.total(qq);
}

template <std::size_t Width, class Number>
void update(const float* __restrict q, float* __restrict r, Number* __restrict d,
            float* __restrict z, std::size_t rows, const float* step, const float* scale,
            const float* beta, double* rr, double* rd) {
  const Tile<Width> steps(step), scales(scale), betas(beta);
  Sums<Width> squares, slopes;
  float next[steps.size];
  for (std::size_t at = 0; at < rows * Width; at += steps.size) {
    widen(d + at, next, steps.size);
    for (std::size_t t = 0; t < steps.size; ++t) {
      z[at + t] = fused(steps.value[t], next[t], z[at + t]);
      r[at + t] = fused(-steps.value[t], q[at + t], r[at + t]);
      next[t] = fused(betas.value[t], next[t], scales.value[t] * r[at + t]);
    }
    narrow(next, d + at, steps.size);
    widen(d + at, next, steps.size);
    for (std::size_t t = 0; t < steps.size; ++t) {
      squares.value[t] += product(r[at + t], r[at + t]);
      slopes.value[t] += product(r[at + t], next[t]);
    }
  }
  squares.total(rr);
  slopes.total(rd);
}

template <std::size_t Width>
void walk(const float* __restrict sum, const float* __restrict y, float* __restrict f,
          std::size_t rows, const float* alpha, const float* restart, double* changes,
          double* lengths) {
  const Tile<Width> alphas(alpha), restarts(restart);
  Sums<Width> moved, length;
  for (std::size_t at = 0; at < rows * Width; at += moved.size)
    for (std::size_t t = 0; t < moved.size; ++t) {
      // A column at rest has alpha = restart = 0: it stays.
      const float next = fused(alphas.value[t], sum[at + t], restarts.value[t] * y[at + t]);
      const float kept = alphas.value[t] + restarts.value[t] > 0 ? next : f[at + t];
      const double change = static_cast<double>(kept) - static_cast<double>(f[at + t]);
      moved.value[t] += change * change;
      length.value[t] += product(kept, kept);
      f[at + t] = kept;
    }
  moved.total(changes);
  length.total(lengths);
}

// Calls run.template operator()<Width>().
template <class Run>
inline void by_width(std::size_t width, const Run& run) {
  switch (width) {
    case 1:
      return run.template operator()<1>();
    case 4:
      return run.template operator()<4>();
    case 8:
      return run.template operator()<8>();
    case 16:
      return run.template operator()<16>();
    default:
      return run.template operator()<32>();
  }
}

}  // namespace

void flow_start(const float* r, float* d, std::size_t rows, std::size_t width, const float* scale,
                double* rr, double* rd) {
  by_width(width, [&]<std::size_t Width>() { start<Width>(r, d, rows, scale, rr, rd); });
}

void flow_start_half(const float* r, std::uint16_t* d, std::size_t rows, std::size_t width,
                     const float* scale, double* rr, double* rd) {
  by_width(width, [&]<std::size_t Width>() { start<Width>(r, d, rows, scale, rr, rd); });
}

void flow_apply(const float* d, float* q, std::size_t rows, std::size_t width, float alpha,
                double* dq, double* qq) {
  by_width(width, [&]<std::size_t Width>() { apply<Width>(d, q, rows, alpha, dq, qq); });
}

void flow_apply_half(const std::uint16_t* d, float* q, std::size_t rows, std::size_t width,
                     float alpha, double* dq, double* qq) {
  by_width(width, [&]<std::size_t Width>() { apply<Width>(d, q, rows, alpha, dq, qq); });
}

void flow_update(const float* q, float* r, float* d, float* z, std::size_t rows, std::size_t width,
                 const float* step, const float* scale, const float* beta, double* rr, double* rd) {
  by_width(width, [&]<std::size_t Width>() {
    update<Width>(q, r, d, z, rows, step, scale, beta, rr, rd);
  });
}

void flow_update_half(const float* q, float* r, std::uint16_t* d, float* z, std::size_t rows,
                      std::size_t width, const float* step, const float* scale, const float* beta,
                      double* rr, double* rd) {
  by_width(width, [&]<std::size_t Width>() {
    update<Width>(q, r, d, z, rows, step, scale, beta, rr, rd);
  });
}

void flow_walk(const float* product, const float* y, float* f, std::size_t rows, std::size_t width,
               const float* alpha, const float* restart, double* changes, double* lengths) {
  by_width(width, [&]<std::size_t Width>() {
    walk<Width>(product, y, f, rows, alpha, restart, changes, lengths);
  });
}

}  // namespace kf::KF_LEVEL
