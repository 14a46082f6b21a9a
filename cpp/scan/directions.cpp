// A few products of the sample with `count` vectors: 4 * sample * d * count multiply-adds.

#include "scan/directions.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "core/threads.h"
#include "kernels/vectors.h"

namespace kf::scan {
namespace {

constexpr std::size_t most_sample = 2048, rounds = 4;

std::vector<float> transposed(const std::vector<float>& a, std::size_t rows, std::size_t columns) {
  std::vector<float> out(a.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) out[j * rows + i] = a[i * columns + j];
  return out;
}

// Gram-Schmidt, each row twice; rows without a direction of their own become zero.
void orthonormalize(std::vector<float>& rows, std::size_t count, std::size_t d) {
  std::vector<double> row(d);
  for (std::size_t i = 0; i < count; ++i) {
    double before = 0;
    for (std::size_t j = 0; j < d; ++j) {
      row[j] = static_cast<double>(rows[i * d + j]);
      before += row[j] * row[j];
    }
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t other = 0; other < i; ++other) {
        double product = 0;
        for (std::size_t j = 0; j < d; ++j)
          product += row[j] * static_cast<double>(rows[other * d + j]);
        for (std::size_t j = 0; j < d; ++j)
          row[j] -= product * static_cast<double>(rows[other * d + j]);
      }
    double after = 0;
    for (const double value : row) after += value * value;
    const double scale = after > 1e-10 * before ? 1 / std::sqrt(after) : 0;
    for (std::size_t j = 0; j < d; ++j) rows[i * d + j] = static_cast<float>(row[j] * scale);
  }
}

}  // namespace

Directions::Directions(const float* x, std::size_t n, std::size_t d, std::size_t count)
    : d_(d), count_(count), axes_(count * d) {
  const auto multiply = kernels<VectorKernels>().multiply;
  const std::size_t sample = std::min(n, most_sample), step = n / sample;
  std::vector<float> points(sample * d);
  std::vector<double> mean(d, 0.0);
  for (std::size_t i = 0; i < sample; ++i)
    for (std::size_t j = 0; j < d; ++j) mean[j] += static_cast<double>(x[i * step * d + j]);
  float largest = 0;
  for (std::size_t i = 0; i < sample; ++i)
    for (std::size_t j = 0; j < d; ++j) {
      points[i * d + j] = static_cast<float>(static_cast<double>(x[i * step * d + j]) -
                                             mean[j] / static_cast<double>(sample));
      largest = std::max(largest, std::abs(points[i * d + j]));
    }
  // Numbers whose squares float32 holds.
  if (largest > 0)
    for (float& value : points) value /= largest;
  const std::vector<float> turned = transposed(points, sample, d);
  Random random(0);
  for (float& value : axes_) value = static_cast<float>(random.uniform() - 0.5);
  orthonormalize(axes_, count, d);
  for (std::size_t round = 0; round < rounds; ++round) {
    // The covariance times the axes, up to a factor, without ever making it.
    std::vector<float> along(count * sample, 0.0f);
    multiply(axes_.data(), count, d, turned.data(), sample, along.data());
    std::fill(axes_.begin(), axes_.end(), 0.0f);
    multiply(along.data(), count, sample, points.data(), d, axes_.data());
    orthonormalize(axes_, count, d);
  }
  // The rounded rows may stretch a vector a little: no more than their Gram matrix does.
  double most = 1;
  for (std::size_t i = 0; i < count; ++i) {
    double sum = 0;
    for (std::size_t other = 0; other < count; ++other) {
      double product = 0;
      for (std::size_t j = 0; j < d; ++j)
        product +=
            static_cast<double>(axes_[i * d + j]) * static_cast<double>(axes_[other * d + j]);
      sum += std::abs(product);
    }
    most = std::max(most, sum);
  }
  const auto shrink = static_cast<float>((1 - 1e-6) / std::sqrt(most));
  for (float& value : axes_) value *= shrink;
}

Buffer<float> Directions::project(const float* x, std::size_t n, std::size_t count) const {
  const std::vector<float> columns = transposed(
      {axes_.begin(), axes_.begin() + static_cast<std::ptrdiff_t>(count * d_)}, count, d_);
  Buffer<float> out(n * count, 0.0f);
  parallel_for(n, 1024, [&](std::size_t begin, std::size_t end) {
    kernels<VectorKernels>().multiply(x + begin * d_, end - begin, d_, columns.data(), count,
                                      out.data() + begin * count);
  });
  return out;
}

// Each of the sums of d products is within 2 d 2^-24 of the lengths' product (Higham 2002,
// eq. 3.5).
double Directions::rounding(double length) const {
  return std::sqrt(static_cast<double>(count_)) * (static_cast<double>(d_) + 8) * 0x1p-23 * length;
}

}  // namespace kf::scan
