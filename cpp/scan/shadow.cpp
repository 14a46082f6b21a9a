#include "scan/shadow.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/threads.h"
#include "kernels/filters.h"

namespace kf::scan {
namespace {

constexpr std::size_t group =
    32;  // granularity of storage and of residual bounds: two blocks of 16

bool all_bytes(const float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (!(x[i] >= 0.0f && x[i] <= 255.0f && x[i] == std::floor(x[i]))) return false;
  return true;
}

}  // namespace

// Float32 sums of d terms are within (d / 32 + 8) * 2^-24, and each difference
// was rounded once by 2^-24 of its length.
Encoded encode(const FilterKernels& table, const float* x, const float* centre, float scale,
               std::size_t d, std::int8_t* codes) {
  float totals[4];
  table.encode_u8(x, centre, scale, d, codes, totals);
  const double sums = 1 + (static_cast<double>(d) / 32 + 16) * 0x1p-23;
  const double length = std::sqrt(static_cast<double>(totals[1]) * sums + vanished(d));
  return {std::sqrt(static_cast<double>(totals[0]) * sums + vanished(d)) + length * 0x1p-22,
          length * (1 + 0x1p-22), static_cast<double>(totals[2]), static_cast<double>(totals[3])};
}

Shadow::Shadow(std::size_t d, Metric metric)
    : d_(d), padded_d_(pad_dimension(d)), metric_(metric) {}

void Shadow::fit(const float* x, std::size_t n, std::size_t together) {
  if (all_bytes(x, std::min(n, std::size_t{4096}) * d_)) {
    centre_.assign(d_, 128.0f);
    scale_ = 1;
    return;
  }
  // A spread sample: data are often sorted by source.
  const std::size_t sample = std::min<std::size_t>(n, 2048), step = n / sample;
  const auto row = [&](std::size_t i) { return x + i * step * d_; };
  centre_.assign(d_, 0.0f);
  for (std::size_t j = 0; j < d_; ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < sample; ++i) sum += static_cast<double>(row(i)[j]);
    centre_[j] = static_cast<float>(sum / static_cast<double>(sample));
  }
  float largest = 0;
  for (std::size_t i = 0; i < sample; ++i)
    for (std::size_t j = 0; j < d_; ++j)
      largest = std::max(largest, std::abs(row(i)[j] - centre_[j]));
  const float smallest = std::numeric_limits<float>::min() * 0x1p20f;
  const float widest = std::max(largest / 127, smallest);
  // Heavy tails: clipping a few numbers can buy finer steps for all others. What counts is the
  // worst vector of those that are scanned together.
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::int8_t> codes(d_);
  const FilterKernels& table = kernels<FilterKernels>();
  float share = 1;
  for (int tried = 0; tried < 11; ++tried, share *= 0.8f) {
    const float scale = std::max(widest * share, smallest);
    double total = 0, worst = 0;
    for (std::size_t i = 0; i < sample; ++i) {
      worst =
          std::max(worst, encode(table, row(i), centre_.data(), scale, d_, codes.data()).residual);
      if (i % together == together - 1 || i + 1 == sample) total += worst, worst = 0;
    }
    if (total < best) best = total, scale_ = scale;
  }
}

void Shadow::fit(const float* centre, float scale) {
  centre_.assign(centre, centre + d_);
  scale_ = scale;
}

void Shadow::clear() {
  n_ = 0;
  radius_ = 0;
  codes_.clear();
  bias_.clear();
  residual_.clear();
  tail_ = {};
}

void Shadow::append(const float* x, std::size_t n) {
  if (n == 0) return;
  if (!fitted()) fit(x, n);
  const std::size_t total = n_ + n, first = n_ / group, whole = total / group;
  const std::size_t groups = (total + group - 1) / group, bytes = group * padded_d_;
  // Behind what any version reads; this one follows when all is written.
  SharedRows<std::uint8_t> codes = codes_;
  SharedRows<std::int32_t> biases = bias_;
  SharedRows<float> residuals = residual_;
  std::uint8_t* const new_codes = codes.extend((whole - first) * bytes);
  std::int32_t* const new_biases = biases.extend((whole - first) * group);
  float* const new_residuals = residuals.extend(whole - first);
  Tail tail;
  if (whole < groups) {
    tail.codes.assign(bytes, 128);
    tail.bias.assign(group, std::numeric_limits<std::int32_t>::min() / 2);
  }
  std::vector<double> radii(groups - first, 0.0);
  const FilterKernels& table = kernels<FilterKernels>();
  parallel_for(radii.size(), 64, [&](std::size_t begin, std::size_t end) {
    Buffer<std::int8_t> code(padded_d_);
    for (std::size_t g = begin; g < end; ++g) {
      const bool full = first + g < whole;
      std::uint8_t* own_codes = full ? new_codes + g * bytes : tail.codes.data();
      std::int32_t* own_biases = full ? new_biases + g * group : tail.bias.data();
      const std::size_t start = (first + g) * group, from = std::max(start, n_),
                        to = std::min(start + group, total);
      double worst = 0;
      if (from > start) {
        std::copy(tail_.codes.begin(), tail_.codes.end(), own_codes);
        std::copy(tail_.bias.begin(), tail_.bias.end(), own_biases);
        worst = static_cast<double>(tail_.residual);
      }
      for (std::size_t i = from; i < to; ++i) {
        const Encoded e = encode(table, x + (i - n_) * d_, centre_.data(), scale_, d_, code.data());
        std::uint8_t* out = own_codes + (i - start) / 16 * 16 * padded_d_ + i % 16 * 4;
        for (std::size_t j = 0; j < padded_d_; j += 4) {
          std::uint32_t four;
          std::memcpy(&four, code.data() + j, 4);
          four ^= 0x80808080u;  // + 128
          std::memcpy(out + 16 * j, &four, 4);
        }
        own_biases[i - start] =
            metric_ == Metric::l2 ? -static_cast<std::int32_t>(std::floor(e.norm / 2)) : 0;
        worst = std::max(worst, e.residual);
        radii[g] = std::max(radii[g], e.length);
      }
      (full ? new_residuals[g] : tail.residual) =
          std::nextafter(static_cast<float>(worst), std::numeric_limits<float>::infinity());
    }
  });
  for (double r : radii) radius_ = std::max(radius_, r);
  codes_ = std::move(codes);
  bias_ = std::move(biases);
  residual_ = std::move(residuals);
  tail_ = std::move(tail);
  n_ = total;
}

void Shadow::shorten(std::size_t n) {
  if (n == n_) return;
  const std::size_t whole = n / group, rest = n % group, bytes = group * padded_d_;
  if (rest == 0) {
    tail_ = {};
  } else {
    if (whole < residual_.size())
      tail_ = {{codes_.data() + whole * bytes, codes_.data() + (whole + 1) * bytes},
               {bias_.data() + whole * group, bias_.data() + (whole + 1) * group},
               residual_.data()[whole]};
    std::fill(tail_.bias.begin() + static_cast<std::ptrdiff_t>(rest), tail_.bias.end(),
              std::numeric_limits<std::int32_t>::min() / 2);
  }
  codes_.shorten(whole * bytes);
  bias_.shorten(whole * group);
  residual_.shorten(whole);
  n_ = n;
}

void Shadow::write(std::uint8_t* codes, std::int32_t* bias, float* residual) const {
  std::copy_n(codes_.data(), codes_.size(), codes);
  std::copy_n(bias_.data(), bias_.size(), bias);
  std::copy_n(residual_.data(), residual_.size(), residual);
  if (n_ % group == 0) return;
  std::copy(tail_.codes.begin(), tail_.codes.end(), codes + codes_.size());
  std::copy(tail_.bias.begin(), tail_.bias.end(), bias + bias_.size());
  residual[residual_.size()] = tail_.residual;
}

std::size_t Shadow::bytes() const {
  const std::size_t groups = (n_ + group - 1) / group;
  return groups * (group * (padded_d_ + sizeof(std::int32_t)) + sizeof(float));
}

void Shadow::Queries::resize(std::size_t count, std::size_t padded_d) {
  n = count;
  codes.resize((count + 15) / 16 * 16 * padded_d);
  for (auto* v : {&constant, &inverse, &residual, &norm}) v->resize(count);
}

void Shadow::Queries::copy(std::size_t at, const Queries& other, std::size_t from,
                           std::size_t padded_d) {
  std::memcpy(codes.data() + at * padded_d, other.codes.data() + from * padded_d, padded_d);
  constant[at] = other.constant[from];
  inverse[at] = other.inverse[from];
  residual[at] = other.residual[from];
  norm[at] = other.norm[from];
}

const Shadow::Queries& Shadow::Queries::some(const std::uint32_t* which, std::size_t count,
                                             std::size_t wide) const {
  thread_local Queries out;
  out.resize(count, wide);
  for (std::size_t i = 0; i < count; ++i) out.copy(i, *this, which[i], wide);
  return out;
}

void Shadow::quantize(const float* queries, std::size_t n, Queries& out, std::size_t first) const {
  const FilterKernels& table = kernels<FilterKernels>();
  float* origin = thread_scratch<float, Queries>(d_);
  std::fill(origin, origin + d_, 0.0f);
  for (std::size_t row = 0; row < n; ++row) {
    const float* q = queries + row * d_;
    const std::size_t i = first + row;
    std::int8_t* codes = out.codes.data() + i * padded_d_;
    std::memset(codes + d_, 0, padded_d_ - d_);
    if (metric_ == Metric::l2) {
      const Encoded e = encode(table, q, centre_.data(), scale_, d_, codes);
      out.constant[i] = e.norm / 2 + 128 * e.sum;
      out.inverse[i] = 1 / static_cast<double>(scale_);
      out.residual[i] = e.residual;
      continue;
    }
    float largest = std::numeric_limits<float>::min() * 0x1p20f;
    double offset = 0;
    for (std::size_t j = 0; j < d_; ++j) {
      largest = std::max(largest, std::abs(q[j]));
      offset += static_cast<double>(q[j]) * static_cast<double>(centre_[j]);
    }
    const float scale = largest / 127;
    const Encoded e = encode(table, q, origin, scale, d_, codes);
    out.inverse[i] = 1 / (static_cast<double>(scale) * static_cast<double>(scale_));
    out.constant[i] = 128 * e.sum - offset * out.inverse[i];
    // The residual of a tiny query would vanish in float32: then everything passes.
    constexpr double everything = std::numeric_limits<float>::max();
    out.residual[i] = e.length > 1e-15 ? std::min(e.residual, everything) : everything;
    out.norm[i] = std::min(e.length, everything) + out.residual[i];
  }
}

Shadow::Queries Shadow::quantize(const float* queries, std::size_t n) const {
  Queries out;
  out.resize(n, padded_d_);
  parallel_for(n, 1024, [&](std::size_t begin, std::size_t end) {
    quantize(queries + begin * d_, end - begin, out, begin);
  });
  return out;
}

}  // namespace kf::scan
