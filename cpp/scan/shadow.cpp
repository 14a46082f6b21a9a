#include "scan/shadow.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/threads.h"

namespace kf::scan {
namespace {

constexpr std::size_t group = 32;  // granularity of storage and of residual bounds: two blocks of 16
constexpr double half_step = 1.0 + 1e-7;

std::size_t pad_dimension(std::size_t d) {
  const std::size_t tiles = (d + 63) / 64, unit = 4 * tiles;
  return (d + unit - 1) / unit * unit;
}

// Norms are stored rounded up: a bound must never be too small.
float upward(double x) {
  return std::nextafter(static_cast<float>(x * half_step), std::numeric_limits<float>::infinity());
}

bool all_bytes(const float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (!(x[i] >= 0.0f && x[i] <= 255.0f && x[i] == std::floor(x[i]))) return false;
  return true;
}

double mean_residual(const float* x, std::size_t n, std::size_t d, const std::vector<float>& centre, double scale) {
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < d; ++j) {
      const double v = static_cast<double>(x[i * d + j]) - static_cast<double>(centre[j]);
      const double e = v - scale * std::clamp(std::nearbyint(v / scale), -128.0, 127.0);
      sum += e * e;
    }
    total += std::sqrt(sum);
  }
  return total;
}

}  // namespace

void Shadow::choose(const float* x, std::size_t n) {
  padded_d_ = pad_dimension(d_);
  if (all_bytes(x, std::min(n, std::size_t{4096}) * d_)) {
    centre_.assign(d_, 128.0f);
    scale_ = 1;
    return;
  }
  // A spread sample: data are often sorted by source.
  const std::size_t sample = std::min<std::size_t>(n, 2048), step = n / sample;
  std::vector<float> rows(sample * d_);
  for (std::size_t i = 0; i < sample; ++i) std::copy_n(x + i * step * d_, d_, rows.begin() + static_cast<std::ptrdiff_t>(i * d_));
  centre_.resize(d_);
  double largest = 0;
  for (std::size_t j = 0; j < d_; ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < sample; ++i) sum += static_cast<double>(rows[i * d_ + j]);
    centre_[j] = static_cast<float>(sum / static_cast<double>(sample));
    for (std::size_t i = 0; i < sample; ++i)
      largest = std::max(largest, std::abs(static_cast<double>(rows[i * d_ + j]) - static_cast<double>(centre_[j])));
  }
  scale_ = largest > 0 ? largest / 127 : 1;
  // Heavy tails: clipping a few numbers can buy finer steps for all others.
  double best = std::numeric_limits<double>::infinity(), chosen = scale_;
  const std::size_t trial = std::min<std::size_t>(sample, 256);
  for (double share = 1; share > 0.1; share *= 0.8) {
    const double residual = mean_residual(rows.data(), trial, d_, centre_, scale_ * share);
    if (residual < best) best = residual, chosen = scale_ * share;
  }
  scale_ = std::max(chosen, std::numeric_limits<double>::min() * 1e20);
}

void Shadow::append(const float* x, std::size_t n) {
  if (n == 0) return;
  if (n_ == 0) choose(x, n);
  const std::size_t total = n_ + n, padded = (total + group - 1) / group * group;
  codes_.resize(padded * padded_d_, 128);
  bias_.resize(padded, std::numeric_limits<std::int32_t>::min() / 2);
  residual_.resize(padded / group, 0.0f);
  const std::size_t first_group = n_ / group;
  std::vector<double> radii((total + group - 1) / group - first_group, 0.0);
  parallel_for(radii.size(), 64, [&](std::size_t begin, std::size_t end) {
    std::vector<double> code(d_);
    for (std::size_t g = begin; g < end; ++g) {
      const std::size_t from = std::max((first_group + g) * group, n_), to = std::min((first_group + g + 1) * group, total);
      double worst = static_cast<double>(residual_[first_group + g]), radius = 0;
      for (std::size_t i = from; i < to; ++i) {
        const float* row = x + (i - n_) * d_;
        double error = 0, length = 0, norm = 0;
        for (std::size_t j = 0; j < d_; ++j) {
          const double v = static_cast<double>(row[j]) - static_cast<double>(centre_[j]);
          const double c = std::clamp(std::nearbyint(v / scale_), -128.0, 127.0);
          const double e = v - scale_ * c;
          code[j] = c;
          error += e * e;
          length += v * v;
          norm += c * c;
        }
        std::uint8_t* out = codes_.data() + i / 16 * 16 * padded_d_ + i % 16 * 4;
        for (std::size_t j = 0; j < d_; ++j) out[j / 4 * 64 + j % 4] = static_cast<std::uint8_t>(static_cast<int>(code[j]) + 128);
        bias_[i] = metric_ == Metric::l2 ? -static_cast<std::int32_t>(std::floor(norm / 2)) : 0;
        worst = std::max(worst, static_cast<double>(upward(std::sqrt(error))));
        radius = std::max(radius, std::sqrt(length) * half_step);
      }
      residual_[first_group + g] = static_cast<float>(worst);
      radii[g] = radius;
    }
  });
  for (double r : radii) radius_ = std::max(radius_, r);
  n_ = total;
}

float Shadow::residual(std::size_t begin, std::size_t end) const {
  float worst = 0;
  for (std::size_t g = begin / group; g * group < end; ++g) worst = std::max(worst, residual_[g]);
  return worst;
}

std::size_t Shadow::bytes() const {
  return codes_.size() + bias_.size() * sizeof(std::int32_t) + residual_.size() * sizeof(float);
}

Shadow::Queries Shadow::quantize(const float* queries, std::size_t n) const {
  Queries out;
  out.n = n;
  out.padded_n = (n + 15) / 16 * 16;
  out.codes.resize(out.padded_n * padded_d_);
  out.wide.resize(out.padded_n * padded_d_);
  for (auto* v : {&out.squared_norm, &out.norm, &out.residual, &out.scale, &out.offset, &out.sum}) v->resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const float* q = queries + i * d_;
    const bool l2 = metric_ == Metric::l2;
    double scale = scale_;
    if (!l2) {
      double largest = 0;
      for (std::size_t j = 0; j < d_; ++j) largest = std::max(largest, std::abs(static_cast<double>(q[j])));
      scale = largest > 0 ? largest / 127 : 1;
    }
    double error = 0, norm = 0, offset = 0, sum = 0;
    for (std::size_t j = 0; j < d_; ++j) {
      const double centre = static_cast<double>(centre_[j]), v = static_cast<double>(q[j]) - (l2 ? centre : 0.0);
      const double c = std::clamp(std::nearbyint(v / scale), -128.0, 127.0), e = v - scale * c;
      error += e * e;
      norm += c * c;
      sum += c;
      if (!l2) offset += static_cast<double>(q[j]) * centre;
      out.codes[i * padded_d_ + j] = static_cast<std::int8_t>(c);
      out.wide[i * padded_d_ + j] = static_cast<std::int16_t>(c);
    }
    out.squared_norm[i] = norm;
    out.norm[i] = std::sqrt(norm) * scale * half_step;
    out.residual[i] = std::sqrt(error) * half_step;
    out.scale[i] = l2 ? scale : scale * scale_;
    out.offset[i] = offset;
    out.sum[i] = 128 * sum;
  }
  return out;
}

}  // namespace kf::scan
