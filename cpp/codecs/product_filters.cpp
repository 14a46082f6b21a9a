#include "codecs/product_filters.h"

#include <algorithm>
#include <cmath>

namespace kf::codecs {

void TableFilter::thresholds(const float* bounds, Threshold* out, bool clamped) const {
  if (!(bounds[0] < infinity)) {
    out[0] = 65535;
    return;
  }
  const double least = static_cast<double>(codec_.limit(tables_, bounds[0], value_));
  const double units = (least + tables_.constant - tables_.base) / tables_.unit * (1 + 1e-9) +
                       static_cast<double>(codec_.parts().m) * 0.01 + 1;
  if (clamped)
    out[0] = units < 0 ? -1 : units < 65535 ? static_cast<Threshold>(units) : 65535;
  else
    out[0] = static_cast<Threshold>(std::ceil(units < 2e9 ? std::max(units, -2e9) : 2e9));
}

std::size_t TableFilter::run(std::size_t begin, std::size_t n, const Threshold* thresholds,
                             std::uint32_t* hits) const {
  if (thresholds[0] < 0) return 0;
  const ProductKernels& table = kernels<ProductKernels>();
  const auto kernel = codec_.parts().bits == 8 ? table.filter_product : table.filter_product4;
  return kernel(rows_.codes + begin * rows_.width, (n + 63) / 64, rows_.width, codec_.code_size(),
                tables_.bytes.data(), tables_.factor, static_cast<std::uint32_t>(thresholds[0]),
                hits);
}

void TableFilter::sums(std::size_t begin, std::size_t n, std::int32_t* out, std::size_t) const {
  auto* found = thread_scratch<std::uint16_t, TableFilter>((n + 63) / 64 * 64);
  kernels<ProductKernels>().sums_product(rows_.codes + begin * rows_.width, (n + 63) / 64,
                                         rows_.width, codec_.code_size(), codec_.parts().bits,
                                         tables_.bytes.data(), tables_.factor, found);
  for (std::size_t i = 0; i < n; ++i) out[i] = -static_cast<std::int32_t>(found[i]);
}

float TableFilter::most(std::size_t, std::int32_t sum) const {
  // Each byte was rounded down by less than a unit, the term by one more and two of its own steps.
  const double units = static_cast<double>(codec_.parts().m) * 1.01 + 2 - static_cast<double>(sum);
  const double value = static_cast<double>(value_) + tables_.base +
                       units * tables_.unit * (1 + 1e-5) +
                       3 * static_cast<double>(codec_.parts().term_step) + tables_.slack;
  const double slack = std::abs(value) * scan::canonical_error(codec_.local_d()) +
                       std::abs(static_cast<double>(value_)) * 0x1p-18 +
                       scan::vanished(codec_.local_d());
  return std::nextafter(static_cast<float>(value + slack), infinity);
}

scan::Bytes DecodedFilter::view() const {
  scan::Bytes bytes;
  bytes.padded_d = codec_.coder().padded_d();
  bytes.codes = thread_scratch<std::uint8_t, DecodedFilter>(most_chunk * bytes.padded_d);
  bytes.bias = thread_scratch<std::int32_t, DecodedFilter>(most_chunk);
  float* residual = thread_scratch<float, DecodedFilter>(most_chunk / 32);
  std::fill_n(residual, most_chunk / 32,
              std::nextafter(static_cast<float>(codec_.byte_residual()), infinity));
  bytes.residual = residual;
  bytes.radius = codec_.byte_radius();
  return bytes;
}

DecodedFilter::DecodedFilter(const ProductCode& codec, const CodeRows& rows, std::size_t book,
                             const scan::Shadow::Queries& queries, std::size_t nq,
                             const float* values)
    : codec_(codec),
      rows_(rows),
      books_(codec.byte_codebooks(book, rows.width)),
      nq_(nq),
      values_(values),
      filter_(view(), codec.parts().metric, queries, 0, nq, codec.local_d(), codec.largest_norm()) {
}

void DecodedFilter::begin_chunk(std::size_t begin, std::size_t end) {
  kernels<ProductKernels>().decode_blocks(books_, rows_.codes + begin * rows_.width,
                                          (end - begin + 63) / 64,
                                          thread_scratch<std::uint8_t, DecodedFilter>(0),
                                          thread_scratch<std::int32_t, DecodedFilter>(0));
  filter_.begin_chunk(0, end - begin);
}

float DecodedFilter::most(std::size_t i, std::int32_t sum) const {
  const float own = filter_.most(i, sum);
  if (!values_) return own;
  return own + values_[i] + (std::abs(own) + std::abs(values_[i])) * 0x1p-20f;
}

void DecodedFilter::thresholds(const float* bounds, Threshold* out) const {
  if (!values_) {
    filter_.thresholds(bounds, out);
    return;
  }
  float* shifted = thread_scratch<float, CodeRows>(nq_);
  for (std::size_t i = 0; i < nq_; ++i)
    shifted[i] = bounds[i] - values_[i] + (std::abs(bounds[i]) + std::abs(values_[i])) * 0x1p-20f;
  filter_.thresholds(shifted, out);
}

}  // namespace kf::codecs
