// What conjugate gradients and random walks do to vectors between products: `width` vectors side by
// side, (rows, width), sixteen rows at a time. Sums are of products of floats, which are exact in
// double, in 16 lanes by the row's place and then one tree: the same bits at every level and for
// any width. Bound by memory: 8 bytes an entry read or written twice.

#include "kernels/table.h"
#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

constexpr std::size_t lanes = 16;

// a * b + c, rounded once where the level can.
inline float fused(float a, float b, float c) {
#if KF_LEVEL_RANK >= 1
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

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

template <std::size_t Width>
void apply(const float* __restrict x, float* __restrict q, std::size_t rows, float alpha,
           double* dots) {
  Sums<Width> sums;
  for (std::size_t at = 0; at < rows * Width; at += sums.size)
    for (std::size_t t = 0; t < sums.size; ++t) {
      q[at + t] = fused(-alpha, q[at + t], x[at + t]);
      sums.value[t] += product(x[at + t], q[at + t]);
    }
  sums.total(dots);
}

template <std::size_t Width>
void residual(const float* __restrict q, float* __restrict r, std::size_t rows, const float* step,
              double* dots) {
  const Tile<Width> steps(step);
  Sums<Width> sums;
  for (std::size_t at = 0; at < rows * Width; at += sums.size)
    for (std::size_t t = 0; t < sums.size; ++t) {
      r[at + t] = fused(-steps.value[t], q[at + t], r[at + t]);
      sums.value[t] += product(r[at + t], r[at + t]);
    }
  sums.total(dots);
}

template <std::size_t Width>
void direction(const float* __restrict r, float* __restrict p, float* __restrict z,
               std::size_t rows, const float* step, const float* beta) {
  const Tile<Width> steps(step), betas(beta);
  for (std::size_t at = 0; at < rows * Width; at += steps.size)
    for (std::size_t t = 0; t < steps.size; ++t) {
      z[at + t] = fused(steps.value[t], p[at + t], z[at + t]);
      p[at + t] = fused(betas.value[t], p[at + t], r[at + t]);
    }
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

void flow_apply(const float* x, float* product, std::size_t rows, std::size_t width, float alpha,
                double* dots) {
  by_width(width, [&]<std::size_t Width>() { apply<Width>(x, product, rows, alpha, dots); });
}

void flow_residual(const float* q, float* r, std::size_t rows, std::size_t width, const float* step,
                   double* dots) {
  by_width(width, [&]<std::size_t Width>() { residual<Width>(q, r, rows, step, dots); });
}

void flow_direction(const float* r, float* p, float* z, std::size_t rows, std::size_t width,
                    const float* step, const float* beta) {
  by_width(width, [&]<std::size_t Width>() { direction<Width>(r, p, z, rows, step, beta); });
}

void flow_walk(const float* product, const float* y, float* f, std::size_t rows, std::size_t width,
               const float* alpha, const float* restart, double* changes, double* lengths) {
  by_width(width, [&]<std::size_t Width>() {
    walk<Width>(product, y, f, rows, alpha, restart, changes, lengths);
  });
}

}  // namespace kf::KF_LEVEL
