#include "scan/product.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/checked.h"
#include "core/error.h"
#include "core/threads.h"

namespace kf::scan {
namespace {

std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

double squared(double x) { return x * x; }

}  // namespace

ProductCodec::ProductCodec(const ProductParts& parts)
    : parts_(parts),
      piece_(round_up(parts.s, 4)),
      coder_(parts.m * round_up(parts.s, 4), parts.metric) {
  if (parts.bits != 4 && parts.bits != 8) throw InvalidArgument("bits: expected 4 or 8");
  if (parts.m == 0 || parts.s == 0 || parts.m * parts.s < parts.d || parts.m > 250)
    throw InvalidArgument(
        "codebooks: expected from 1 to 250 subquantizers that cover the dimension");
  if (parts.m * piece_ > 32768) throw InvalidArgument("dim: expected at most 32768 dimensions");
  const std::size_t m = parts.m, s = parts.s, entries = parts.books * m * k();
  std::vector<float> centre(m * piece_, 0.0f);
  for (std::size_t j = 0; j < m; ++j)
    std::copy_n(parts.centre + j * s, s, centre.begin() + static_cast<std::ptrdiff_t>(j * piece_));
  coder_.fit(centre.data(), parts.scale);

  // Codewords in bytes, with what was lost at most, whatever the code.
  bytes_.assign(checked_mul(entries, piece_) + 3, 128);
  byte_norms_.resize(entries);
  std::vector<double> lost(entries), reach(entries), norm(entries);
  parallel_for(entries, 4096, [&](std::size_t begin, std::size_t end) {
    for (std::size_t e = begin; e < end; ++e) {
      const float* x = parts.codebooks + e * s;
      const float* mid = parts.centre + e / k() % m * s;
      std::int32_t total = 0;
      for (std::size_t i = 0; i < s; ++i) {
        const double v = static_cast<double>(x[i]) - static_cast<double>(mid[i]);
        // Also a number for NaN.
        const double code = std::fmax(
            std::fmin(std::nearbyint(v / static_cast<double>(parts.scale)), 127.0), -127.0);
        bytes_[e * piece_ + i] = static_cast<std::uint8_t>(static_cast<int>(code) + 128);
        total += static_cast<std::int32_t>(code * code);
        lost[e] += squared(v - code * static_cast<double>(parts.scale));
        reach[e] += squared(v);
        norm[e] += squared(static_cast<double>(x[i]));
      }
      byte_norms_[e] = total;
    }
  });
  for (std::size_t book = 0; book < parts.books; ++book) {
    double all_lost = 0, all_reach = 0, all_norm = 0;
    for (std::size_t j = 0; j < m; ++j) {
      const auto from = static_cast<std::ptrdiff_t>((book * m + j) * k());
      const auto most = [&](const std::vector<double>& of) {
        return *std::max_element(of.begin() + from,
                                 of.begin() + from + static_cast<std::ptrdiff_t>(k()));
      };
      all_lost += most(lost);
      all_reach += most(reach);
      all_norm += most(norm);
    }
    byte_residual_ = std::max(byte_residual_, std::sqrt(all_lost) * (1 + 1e-6));
    byte_radius_ = std::max(byte_radius_, std::sqrt(all_reach) * (1 + 1e-6));
    largest_norm_ = std::max(largest_norm_, std::sqrt(all_norm) * (1 + 1e-6));
  }

  if (local()) {
    const std::size_t d = parts.d;
    turned_.resize(checked_mul(checked_mul(parts.groups, d), d));
    parallel_for(parts.groups, 1, [&](std::size_t g, std::size_t) {
      const float* from = parts.rotations + g * d * d;
      float* to = turned_.data() + g * d * d;
      for (std::size_t i = 0; i < d; ++i)
        for (std::size_t j = 0; j < d; ++j) to[j * d + i] = from[i * d + j];
    });
    if (!parts.local_tables) return;
  }
  transposed_.resize(checked_mul(entries, s));
  norms_.resize(entries);
  for (std::size_t e = 0; e < entries; ++e) {
    const float* x = parts.codebooks + e * s;
    float total = 0;
    for (std::size_t i = 0; i < s; ++i) {
      transposed_[(e / k() * s + i) * k() + e % k()] = x[i];
      total += x[i] * x[i];
    }
    norms_[e] = total;
  }
  if (parts.residual && parts.middle)
    for (std::size_t j = 0; j < parts.d; ++j)
      middle_norm_ += squared(static_cast<double>(parts.middle[j]));
  middle_norm_ = std::sqrt(middle_norm_);
}

void ProductCodec::locals(const float* queries, const std::uint32_t* rows, std::size_t count,
                          const float* centroid, std::size_t cell, float* out) const {
  const std::size_t d = parts_.d, wide = local_d();
  const KernelTable& table = kernels();
  if (!local()) {
    for (std::size_t i = 0; i < count; ++i) {
      const float* q = queries + rows[i] * d;
      float* to = out + i * wide;
      if (parts_.residual && parts_.metric == Metric::l2)
        for (std::size_t j = 0; j < d; ++j) to[j] = q[j] - centroid[j];
      else
        std::memcpy(to, q, d * sizeof(float));
      std::fill(to + d, to + wide, 0.0f);
    }
    return;
  }
  const auto g = static_cast<std::size_t>(parts_.group[cell]);
  const float* mean = parts_.means + g * d;
  float* shifted = thread_scratch<float, ProductCodec>(2 * count * d);
  float* turned = shifted + count * d;
  for (std::size_t i = 0; i < count; ++i) {
    const float* q = queries + rows[i] * d;
    for (std::size_t j = 0; j < d; ++j) shifted[i * d + j] = q[j] - centroid[j] - mean[j];
  }
  std::fill(turned, turned + count * d, 0.0f);
  table.multiply(shifted, count, d, turned_.data() + g * d * d, d, turned);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(out + i * wide, turned + i * d, d * sizeof(float));
    std::fill(out + i * wide + d, out + (i + 1) * wide, 0.0f);
  }
}

void ProductCodec::padded(const float* local, float* out) const {
  if (piece_ == parts_.s) {
    std::memcpy(out, local, local_d() * sizeof(float));
    return;
  }
  for (std::size_t j = 0; j < parts_.m; ++j) {
    std::memcpy(out + j * piece_, local + j * parts_.s, parts_.s * sizeof(float));
    std::fill(out + j * piece_ + parts_.s, out + (j + 1) * piece_, 0.0f);
  }
}

float ProductCodec::term(const std::uint8_t* code) const {
  const std::uint8_t* at = code + code_size();
  const auto units = static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8;
  return parts_.term_low + static_cast<float>(units) * parts_.term_step;
}

float ProductCodec::limit(const Tables& tables, float bound, float value) const {
  const double b = static_cast<double>(bound), v = static_cast<double>(value);
  const double reach = b + std::abs(b) * canonical_error(local_d()) + std::abs(v) * 0x1p-18 +
                       vanished(local_d()) + tables.slack;
  return std::nextafter(static_cast<float>(reach - v - tables.constant), infinity);
}

void ProductCodec::tables(const float* query, bool as_bytes, Tables& out) const {
  const std::size_t m = parts_.m, s = parts_.s, entries = k();
  const KernelTable& table = kernels();
  const bool l2 = parts_.metric == Metric::l2, centred = has_terms();
  // ||q - x||^2 = ||q - c||^2 - 2 (q - middle) r + (||r||^2 + 2 (c - middle) r) for x = c + r: all
  // but the last term, which each row stores, are distances to the centroid and tables of the query
  // alone.
  float* scaled = thread_scratch<float, Tables>(m * s);
  double norm = 0;
  for (std::size_t j = 0; j < m * s; ++j) {
    const float q = j < parts_.d ? query[j] - (centred ? parts_.middle[j] : 0.0f) : 0.0f;
    norm += squared(static_cast<double>(j < parts_.d ? query[j] : 0.0f));
    scaled[j] = l2 ? -2 * q : -q;
  }
  out.floats.resize(m * entries);
  if (l2 && !centred)
    std::copy(norms_.begin(), norms_.end(), out.floats.begin());
  else
    std::fill(out.floats.begin(), out.floats.end(), 0.0f);
  for (std::size_t j = 0; j < m; ++j)
    table.multiply(scaled + j * s, 1, s, transposed_.data() + j * s * entries, entries,
                   out.floats.data() + j * entries);
  // Without residuals the query's own norm is not in the tables.
  out.constant = l2 && !centred ? norm : 0;
  out.base = centred ? static_cast<double>(parts_.term_low) : out.constant;
  // Everything above is float32: a generous bound on its rounding and on that of the canonical
  // distance.
  const double size = std::sqrt(norm) + middle_norm_ + 2 * largest_norm_;
  out.slack = (static_cast<double>(parts_.d) + 64) * 0x1p-22 * squared(size);
  if (!as_bytes) return;

  const float limit = parts_.bits == 8 ? 255.0f : 127.0f;
  std::vector<float> least(m);
  float widest = 0;
  for (std::size_t j = 0; j < m; ++j) {
    float most = 0;
    table.table_range(out.floats.data() + j * entries, entries, &least[j], &most);
    widest = std::max(widest, most - least[j]);
    out.base += static_cast<double>(least[j]);
  }
  // One unit: the widest table fills its bytes, and the largest term fits what 16 bits leave.
  const double room = 65535.0 - static_cast<double>(m) * 255;
  double unit = std::max(static_cast<double>(widest) / static_cast<double>(limit), 1e-30);
  if (centred) unit = std::max(unit, static_cast<double>(parts_.term_step) * 65536 / room);
  out.unit = unit;
  out.factor =
      centred ? static_cast<std::uint32_t>(static_cast<double>(parts_.term_step) * 65536 / unit)
              : 0;
  const auto inverse = static_cast<float>(1 / unit * (1 - 1e-6));
  const std::size_t per_table = parts_.bits == 8 ? 256 : 16;
  out.bytes.resize(round_up(m, 2) * per_table + 64);
  for (std::size_t j = 0; j < m; ++j)
    table.table_bytes(out.floats.data() + j * entries, entries, least[j], inverse,
                      static_cast<std::uint32_t>(limit), out.bytes.data() + j * per_table);
  if (parts_.bits == 4 && m % 2) std::fill_n(out.bytes.data() + m * 16, 16, std::uint8_t{0});
}

void ProductCodec::local_tables(const float* local, std::size_t book, Buffer<float>& out) const {
  const std::size_t m = parts_.m, s = parts_.s, entries = k();
  const KernelTable& table = kernels();
  float* scaled = thread_scratch<float, Tables>(s);
  out.resize(m * entries);
  for (std::size_t j = 0; j < m; ++j) {
    float norm = 0;
    for (std::size_t i = 0; i < s; ++i) {
      scaled[i] = -2 * local[j * s + i];
      norm += local[j * s + i] * local[j * s + i];
    }
    const std::size_t from = (book * m + j) * entries;
    for (std::size_t c = 0; c < entries; ++c) out[j * entries + c] = norms_[from + c] + norm;
    table.multiply(scaled, 1, s, transposed_.data() + from * s, entries, out.data() + j * entries);
  }
}

double ProductCodec::local_slack(const float* local) const {
  double norm = 0;
  for (std::size_t i = 0; i < local_d(); ++i) norm += squared(static_cast<double>(local[i]));
  return (static_cast<double>(local_d()) + 64) * 0x1p-22 * squared(std::sqrt(norm) + largest_norm_);
}

const ByteCodebooks ProductCodec::byte_codebooks(std::size_t book, std::size_t width) const {
  return {bytes_.data() + book * parts_.m * k() * piece_,
          parts_.metric == Metric::l2 ? byte_norms_.data() + book * parts_.m * k() : nullptr,
          parts_.m,
          parts_.bits,
          piece_,
          width,
          coder_.padded_d()};
}

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

std::size_t TableFilter::run(const KernelTable& table, std::size_t begin, std::size_t n,
                             const Threshold* thresholds, std::uint32_t* hits) const {
  if (thresholds[0] < 0) return 0;
  const auto kernel = codec_.parts().bits == 8 ? table.filter_product : table.filter_product4;
  return kernel(rows_.codes + begin * rows_.width, (n + 63) / 64, rows_.width, codec_.code_size(),
                tables_.bytes.data(), tables_.factor, static_cast<std::uint32_t>(thresholds[0]),
                hits);
}

void TableFilter::sums(const KernelTable& table, std::size_t begin, std::size_t n,
                       std::int32_t* out, std::size_t) const {
  auto* found = thread_scratch<std::uint16_t, TableFilter>((n + 63) / 64 * 64);
  table.sums_product(rows_.codes + begin * rows_.width, (n + 63) / 64, rows_.width,
                     codec_.code_size(), codec_.parts().bits, tables_.bytes.data(), tables_.factor,
                     found);
  for (std::size_t i = 0; i < n; ++i) out[i] = -static_cast<std::int32_t>(found[i]);
}

float TableFilter::most(std::size_t, std::int32_t sum) const {
  // Each byte was rounded down by less than a unit, the term by one more and two of its own steps.
  const double units = static_cast<double>(codec_.parts().m) * 1.01 + 2 - static_cast<double>(sum);
  const double value = static_cast<double>(value_) + tables_.base +
                       units * tables_.unit * (1 + 1e-5) +
                       3 * static_cast<double>(codec_.parts().term_step) + tables_.slack;
  const double slack = std::abs(value) * canonical_error(codec_.local_d()) +
                       std::abs(static_cast<double>(value_)) * 0x1p-18 + vanished(codec_.local_d());
  return std::nextafter(static_cast<float>(value + slack), infinity);
}

Bytes DecodedFilter::view() const {
  Bytes bytes;
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

DecodedFilter::DecodedFilter(const ProductCodec& codec, const ProductRowsOf& rows, std::size_t book,
                             const Shadow::Queries& queries, std::size_t nq, const float* values)
    : codec_(codec),
      rows_(rows),
      books_(codec.byte_codebooks(book, rows.width)),
      nq_(nq),
      values_(values),
      filter_(view(), codec.parts().metric, queries, 0, nq, codec.local_d(), codec.largest_norm()) {
}

void DecodedFilter::begin_chunk(std::size_t begin, std::size_t end) {
  kernels().decode_blocks(books_, rows_.codes + begin * rows_.width, (end - begin + 63) / 64,
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
  float* shifted = thread_scratch<float, ProductRowsOf>(nq_);
  for (std::size_t i = 0; i < nq_; ++i)
    shifted[i] = bounds[i] - values_[i] + (std::abs(bounds[i]) + std::abs(values_[i])) * 0x1p-20f;
  filter_.thresholds(shifted, out);
}

}  // namespace kf::scan
