#include "codecs/product_code.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/checked.h"
#include "core/error.h"
#include "core/threads.h"
#include "kernels/vectors.h"

namespace kf::codecs {
namespace {

std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

double squared(double x) { return x * x; }

}  // namespace

ProductParts product_parts(Metric metric, const Named& from) {
  ProductParts parts;
  const std::vector<std::size_t>& shape = from.array("codebooks").shape;
  parts.codebooks = from.take<float>("codebooks", {any, any, any, any});
  parts.metric = metric;
  parts.d = from.count("dim");
  parts.books = shape[0];
  parts.m = shape[1];
  if (shape[2] != 16 && shape[2] != 256)
    throw InvalidArgument("codebooks: expected 16 or 256 codewords");
  parts.bits = shape[2] == 16 ? 4 : 8;
  parts.s = shape[3];
  parts.residual = from.flag("residual");
  parts.term_low = static_cast<float>(from.number("term_low"));
  parts.term_step = static_cast<float>(from.number("term_step"));
  parts.centre = from.take<float>("centre", {parts.m * parts.s});
  parts.scale = static_cast<float>(from.number("scale"));
  const bool local = from.has("rotations");
  if (parts.books == 0 || (!local && parts.books != 1))
    throw InvalidArgument("codebooks: expected one, or one for each group");
  if (!(parts.scale > 0 && std::isfinite(parts.scale) && std::isfinite(parts.term_low) &&
        parts.term_step >= 0 && std::isfinite(parts.term_step)))
    throw InvalidArgument("scale: expected a finite number above 0");
  if (parts.residual && !local) parts.middle = from.take<float>("middle", {parts.d});
  if (!local) return parts;
  parts.local_tables = from.flag("tables");
  parts.groups = from.array("rotations").shape.at(0);
  parts.rotations = from.take<float>("rotations", {parts.groups, parts.d, parts.d});
  parts.means = from.take<float>("means", {parts.groups, parts.d});
  parts.group = from.take<std::int32_t>("group", {any});
  parts.cells = from.array("group").shape[0];
  for (std::size_t i = 0; i < parts.cells; ++i)
    if (parts.group[i] < 0 || parts.group[i] >= static_cast<std::int64_t>(parts.groups))
      throw InvalidArgument("group: out of range");
  if (parts.books != 1 && parts.books != parts.groups)
    throw InvalidArgument("codebooks: expected one, or one for each group");
  return parts;
}

std::shared_ptr<const CodeRows> code_rows(const Named& packed, std::size_t n, std::size_t width,
                                          bool blocked) {
  auto rows = std::make_shared<CodeRows>();
  rows->width = width;
  rows->blocked = blocked;
  rows->codes = blocked ? packed.take<std::uint8_t>("codes", {checked_mul(round_up(n, 64), width)})
                        : packed.take<std::uint8_t>("codes", {n, width});
  return rows;
}

ProductCode::ProductCode(const ProductParts& parts)
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

void ProductCode::locals(const float* queries, const std::uint32_t* rows, std::size_t count,
                         const float* centroid, std::size_t cell, float* out) const {
  const std::size_t d = parts_.d, wide = local_d();
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
  float* shifted = thread_scratch<float, ProductCode>(2 * count * d);
  float* turned = shifted + count * d;
  for (std::size_t i = 0; i < count; ++i) {
    const float* q = queries + rows[i] * d;
    for (std::size_t j = 0; j < d; ++j) shifted[i * d + j] = q[j] - centroid[j] - mean[j];
  }
  std::fill(turned, turned + count * d, 0.0f);
  kernels<VectorKernels>().multiply(shifted, count, d, turned_.data() + g * d * d, d, turned);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(out + i * wide, turned + i * d, d * sizeof(float));
    std::fill(out + i * wide + d, out + (i + 1) * wide, 0.0f);
  }
}

void ProductCode::padded(const float* local, float* out) const {
  if (piece_ == parts_.s) {
    std::memcpy(out, local, local_d() * sizeof(float));
    return;
  }
  for (std::size_t j = 0; j < parts_.m; ++j) {
    std::memcpy(out + j * piece_, local + j * parts_.s, parts_.s * sizeof(float));
    std::fill(out + j * piece_ + parts_.s, out + (j + 1) * piece_, 0.0f);
  }
}

float ProductCode::term(const std::uint8_t* code) const {
  const std::uint8_t* at = code + code_size();
  const auto units = static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8;
  return parts_.term_low + static_cast<float>(units) * parts_.term_step;
}

float ProductCode::limit(const Tables& tables, float bound, float value) const {
  const double b = static_cast<double>(bound), v = static_cast<double>(value);
  const double reach = b + std::abs(b) * scan::canonical_error(local_d()) + std::abs(v) * 0x1p-18 +
                       scan::vanished(local_d()) + tables.slack;
  return std::nextafter(static_cast<float>(reach - v - tables.constant), infinity);
}

void ProductCode::tables(const float* query, bool as_bytes, Tables& out) const {
  const std::size_t m = parts_.m, s = parts_.s, entries = k();
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
  const auto multiply = kernels<VectorKernels>().multiply;
  for (std::size_t j = 0; j < m; ++j)
    multiply(scaled + j * s, 1, s, transposed_.data() + j * s * entries, entries,
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
  const ProductKernels& table = kernels<ProductKernels>();
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
  out.bytes.resize(round_up(m, 2) * (per_table + 16) + 64);
  for (std::size_t j = 0; j < m; ++j)
    table.table_bytes(out.floats.data() + j * entries, entries, least[j], inverse,
                      static_cast<std::uint32_t>(limit), out.bytes.data() + j * per_table);
  if (parts_.bits == 4 && m % 2) std::fill_n(out.bytes.data() + m * 16, 16, std::uint8_t{0});
  // Bounds are looked up where the entries themselves are slow to.
  if (entries > table.widest_table())
    table.table_least(out.bytes.data(), m * 16, out.bytes.data() + m * 256);
}

void ProductCode::local_tables(const float* local, std::size_t book, Buffer<float>& out) const {
  const std::size_t m = parts_.m, s = parts_.s, entries = k();
  float* scaled = thread_scratch<float, Tables>(s);
  out.resize(m * entries);
  const auto multiply = kernels<VectorKernels>().multiply;
  for (std::size_t j = 0; j < m; ++j) {
    float norm = 0;
    for (std::size_t i = 0; i < s; ++i) {
      scaled[i] = -2 * local[j * s + i];
      norm += local[j * s + i] * local[j * s + i];
    }
    const std::size_t from = (book * m + j) * entries;
    for (std::size_t c = 0; c < entries; ++c) out[j * entries + c] = norms_[from + c] + norm;
    multiply(scaled, 1, s, transposed_.data() + from * s, entries, out.data() + j * entries);
  }
}

double ProductCode::local_slack(const float* local) const {
  double norm = 0;
  for (std::size_t i = 0; i < local_d(); ++i) norm += squared(static_cast<double>(local[i]));
  return (static_cast<double>(local_d()) + 64) * 0x1p-22 * squared(std::sqrt(norm) + largest_norm_);
}

const ByteCodebooks ProductCode::byte_codebooks(std::size_t book, std::size_t width) const {
  return {bytes_.data() + book * parts_.m * k() * piece_,
          parts_.metric == Metric::l2 ? byte_norms_.data() + book * parts_.m * k() : nullptr,
          parts_.m,
          parts_.bits,
          piece_,
          width,
          coder_.padded_d()};
}

}  // namespace kf::codecs
