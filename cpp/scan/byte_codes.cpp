#include "scan/byte_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/threads.h"
#include "kernels/filters.h"

namespace kf::scan {
namespace {

double squared(double x) { return x * x; }

constexpr double everything = std::numeric_limits<float>::max();

}  // namespace

ByteCodes::ByteCodes(Metric metric, const float* centre, const float* steps, std::size_t d)
    : d_(d), metric_(metric), steps_(steps, steps + d), shadow_(d, metric) {
  const float scale = *std::max_element(steps, steps + d);
  shadow_.fit(centre, scale);
  if (std::any_of(steps, steps + d, [&](float step) { return step != scale; }))
    for (const float step : steps_) weights_.push_back(step / scale);
}

void ByteCodes::quantize(const float* queries, std::size_t n, Shadow::Queries& out,
                         std::size_t first) const {
  if (!weighted()) return shadow_.quantize(queries, n, out, first);
  for (std::size_t i = 0; i < n; ++i) {
    std::memset(out.codes.data() + (first + i) * padded_d() + d_, 0, padded_d() - d_);
    if (metric_ == Metric::l2)
      weigh_l2(queries + i * d_, out, first + i);
    else
      weigh_ip(queries + i * d_, out, first + i);
  }
}

void ByteCodes::quantize_all(const float* queries, std::size_t n, std::size_t threads,
                             Shadow::Queries& out) const {
  out.resize(n, padded_d());
  parallel_for(
      n, 64,
      [&](std::size_t begin, std::size_t end) {
        quantize(queries + begin * d_, end - begin, out, begin);
      },
      threads);
}

Stored ByteCodes::stored(const std::uint8_t* blocks) const {
  Stored out;
  out.format = Stored::Format::blocks;
  out.data = blocks;
  out.d = d_;
  out.padded_d = padded_d();
  out.scale = scale();
  out.steps = steps();
  out.centre = centre().data();
  return out;
}

void ByteCodes::weigh_l2(const float* q, Shadow::Queries& out, std::size_t i) const {
  const float* centre = shadow_.centre().data();
  std::int8_t* codes = out.codes.data() + i * padded_d();
  float* weighed = thread_scratch<float, ByteCodes>(2 * d_);
  float* origin = weighed + d_;
  std::fill(origin, origin + d_, 0.0f);
  double away = 0;
  for (std::size_t j = 0; j < d_; ++j) {
    away += squared(static_cast<double>(q[j]) - static_cast<double>(centre[j]));
    weighed[j] = (q[j] - centre[j]) * weights_[j];
  }
  const double scale = static_cast<double>(shadow_.scale());
  out.inverse[i] = 1 / (scale * scale);
  if (!(away < 1e36)) {  // so far off, float32 tells nothing: everything passes
    std::memset(codes, 0, d_);
    out.constant[i] = 0;
    out.residual[i] = std::numeric_limits<double>::infinity();
    return;
  }
  // Three roundings of what is weighed, of 2^-24 each, lie within what encode allows for.
  const Encoded e = encode(kernels<FilterKernels>(), weighed, origin, shadow_.scale(), d_, codes);
  out.constant[i] = 128 * e.sum + away / 2 * out.inverse[i];
  out.residual[i] = e.residual;
}

void ByteCodes::weigh_ip(const float* q, Shadow::Queries& out, std::size_t i) const {
  const float* centre = shadow_.centre().data();
  float* weighed = thread_scratch<float, ByteCodes>(2 * d_);
  float* origin = weighed + d_;
  std::fill(origin, origin + d_, 0.0f);
  float largest = std::numeric_limits<float>::min() * 0x1p20f;
  double offset = 0, length = 0;
  for (std::size_t j = 0; j < d_; ++j) {
    weighed[j] = q[j] * weights_[j];
    largest = std::max(largest, std::abs(weighed[j]));
    offset += static_cast<double>(q[j]) * static_cast<double>(centre[j]);
    length += squared(static_cast<double>(q[j]));
  }
  const float scale = largest / 127;
  const Encoded e = encode(kernels<FilterKernels>(), weighed, origin, scale, d_,
                           out.codes.data() + i * padded_d());
  out.inverse[i] = 1 / (static_cast<double>(scale) * static_cast<double>(shadow_.scale()));
  out.constant[i] = 128 * e.sum - offset * out.inverse[i];
  // The residual of a tiny query would vanish in float32: then everything passes.
  out.residual[i] = e.length > 1e-15 ? std::min(e.residual, everything) : everything;
  out.norm[i] = std::min(std::sqrt(length) * (1 + 0x1p-22), everything) + out.residual[i];
}

double ByteCodes::pack(const std::uint8_t* codes, std::size_t n, std::uint8_t* blocks,
                       std::int32_t* bias, float* residual) const {
  const std::size_t groups = (n + 31) / 32, wide = padded_d();
  const double scale = static_cast<double>(shadow_.scale());
  double offset = 0;
  for (const float c : shadow_.centre()) offset += squared(static_cast<double>(c));
  offset = std::sqrt(offset);
  std::vector<double> radii(groups, 0.0);
  parallel_for(groups, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t g = begin; g < end; ++g) {
      std::fill_n(blocks + g * 32 * wide, 32 * wide, std::uint8_t{128});
      std::fill_n(bias + g * 32, 32, std::numeric_limits<std::int32_t>::min() / 2);
      double worst = 0;
      for (std::size_t i = 32 * g; i < std::min(n, 32 * g + 32); ++i) {
        const std::uint8_t* code = codes + i * d_;
        std::uint8_t* out = blocks + i / 16 * 16 * wide + i % 16 * 4;
        std::int64_t plain = 0;
        double weighted = 0;
        for (std::size_t j = 0; j < d_; ++j) {
          const int k = static_cast<int>(code[j]) - 128;
          out[j / 4 * 64 + j % 4] = code[j];
          plain += k * k;
          if (!weights_.empty()) weighted += squared(static_cast<double>(weights_[j]) * k);
        }
        const double whole = static_cast<double>(plain), norm = weights_.empty() ? whole : weighted;
        bias[i] = metric_ == Metric::l2 ? -static_cast<std::int32_t>(std::floor(norm / 2)) : 0;
        // What decoding rounds: the vector, and the product with the step where that is not fused.
        worst = std::max(worst, (offset + 2 * scale * std::sqrt(norm)) * 0x1p-24 * 1.01);
        radii[g] = std::max(radii[g], scale * std::sqrt(whole) * (1 + 0x1p-22));
      }
      residual[g] =
          std::nextafter(static_cast<float>(worst), std::numeric_limits<float>::infinity());
    }
  });
  return groups == 0 ? 0 : *std::max_element(radii.begin(), radii.end());
}

ByteCodes byte_codes(Metric metric, const Named& parts) {
  const float* centre = parts.take<float>("centre", {any});
  const std::size_t d = parts.array("centre").shape[0];
  if (d == 0 || d > 32768) throw InvalidArgument("centre: expected from 1 to 32768 dimensions");
  const float* steps = parts.take<float>("steps", {d});
  for (std::size_t j = 0; j < d; ++j)
    if (!(steps[j] > 0 && std::isfinite(steps[j])))
      throw InvalidArgument("steps: expected finite numbers above 0");
  return {metric, centre, steps, d};
}

}  // namespace kf::scan
