// Locally-adaptive vector quantization (Aguerrebere, Bhati, Hildebrand, Tepper & Willke,
// "Similarity search in the blink of an eye with compressed indices", VLDB 2023): a vector less the
// mean of all is kept in 4 or 8 bits a dimension between its own least and largest number; a second
// level keeps in 8 bits what the first one lost. Lists are scanned by the first level, the second
// one ranks.
//
// With v = low + step * byte for the first level, x for what both stand for, and loss >= ||x -
// (mean
// + v)||, which includes what decoding rounds:
//   l2: y = q - mean = s y^ + e for y^ of 8 bits, |e| = ||e||. By the triangle inequality
//         ||q - x|| >= ||s y^ - v|| - |e| - loss,
//       so a row within a bound has ||s y^ - v||^2 <= (R + loss)^2 for R = sqrt(bound) + |e|, or
//         (||v||^2 - loss^2) - 2 s (low sum(y^) + step <y^, byte>) - 2 R loss <= R^2 - ||s y^||^2.
//   products: q = s y^ + e; <q, x> <= <q, mean> + s (low sum(y^) + step <y^, byte>) + |e| ||v|| +
//       ||q|| loss.
// Both are the linear form that scaled_within takes: of <y^, byte>, an exact integer, and four
// numbers of the row. Its float32 rounding, of nine operations, lies within 16 * 2^-24 of the
// sum of the largest magnitudes.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codecs/codecs.h"
#include "codecs/narrow.h"
#include "core/checked.h"
#include "kernels/filters.h"
#include "kernels/vectors.h"
#include "lists/way.h"

namespace kf::codecs {
namespace {

double squared(double x) { return x * x; }
float above(double x) { return std::nextafter(static_cast<float>(x), infinity); }
float below(double x) { return std::nextafter(static_cast<float>(x), -infinity); }

struct LvqRows : CodecRows {
  const std::uint8_t* codes = nullptr;   // the first level, in blocks
  const std::uint8_t* second = nullptr;  // (n, d), or null
  ScaledRows scales{};
  // The largest magnitude of each of the four, and the largest norm of what rows stand for.
  const double* sizes = nullptr;
};

// Queries in 8 bits, each on its own scale.
struct LvqQueries {
  Buffer<std::int8_t> codes;  // (n rounded up to 16, padded_d)
  struct One {
    // s, sum(y^), sum |y^|, ||s y^|| (of products ||q||), |e|; <q, mean>, and what it rounds.
    double scale, sum, reach, norm, residual, offset, blur;
  };
  std::vector<One> of;

  void resize(std::size_t n, std::size_t padded_d) {
    codes.assign((n + 15) / 16 * 16 * padded_d, 0);
    of.resize(n);
  }
};

class LvqCodec final : public CodecOf<LvqCodec> {
 public:
  LvqCodec(Metric metric, const Named& parts)
      : metric_(metric),
        mean_(parts.take<float>("mean", {any})),
        d_(parts.array("mean").shape[0]),
        two_(parts.flag("second")),
        layout_(d_, parts.count("bits")),
        unit_(static_cast<double>(1u << (8 - layout_.bits()))) {
    if (d_ == 0 || d_ > 32768) throw InvalidArgument("mean: expected from 1 to 32768 dimensions");
  }

  std::size_t dim() const override { return d_; }

  // codes: the first level (n, d), in the upper bits of bytes; scales: low and step (n, 2); second:
  // (n, d).
  void pack(const Named& rows, ArrayMaker& out) const override {
    const std::size_t n = rows.array("codes").shape.at(0), padded = (n + 31) / 32 * 32;
    const std::uint8_t* codes = rows.take<std::uint8_t>("codes", {n, d_});
    const float* scales = rows.take<float>("scales", {n, 2});
    const std::uint8_t* second = two_ ? rows.take<std::uint8_t>("second", {n, d_}) : nullptr;
    std::uint8_t* blocks =
        out.make<std::uint8_t>("blocks", {checked_mul(padded / 16, layout_.block())});
    float* of[4];
    const char* names[4] = {"norm", "low", "step", "loss"};
    for (std::size_t i = 0; i < 4; ++i) of[i] = out.make<float>(names[i], {padded});
    double* sizes = out.make<double>("sizes", {5});
    std::fill(sizes, sizes + 5, 0.0);
    Buffer<std::uint8_t> wide(checked_mul(padded, layout_.padded_d()), 0);
    std::vector<float> x(d_);
    for (std::size_t i = 0; i < padded; ++i) {
      if (i >= n) {
        for (float* array : of) array[i] = 0;
        continue;
      }
      const std::uint8_t* code = codes + i * d_;
      const float low = scales[2 * i], step = scales[2 * i + 1];
      decode(code, second ? second + i * d_ : nullptr, low, step, x.data());
      double lost = 0, norm = 0;
      std::uint8_t* to = wide.data() + i / 16 * 16 * layout_.padded_d() + i % 16 * 4;
      for (std::size_t j = 0; j < d_; ++j) {
        to[j / 4 * 64 + j % 4] = code[j];
        const double v = first(code[j], low, step);
        norm += squared(v);
        lost += squared(static_cast<double>(x[j]) - (static_cast<double>(mean_[j]) + v));
      }
      // What double arithmetic rounds is far below 1e-9 of the norms.
      const double loss = above(std::sqrt(lost) * (1 + 1e-6) + std::sqrt(norm) * 1e-9);
      of[0][i] = metric_ == Metric::l2 ? below((norm * (1 - 1e-9)) - squared(loss))
                                       : above(std::sqrt(norm) * (1 + 1e-9));
      of[1][i] = low;
      of[2][i] = step;
      of[3][i] = static_cast<float>(loss);
      for (std::size_t a = 0; a < 4; ++a)
        sizes[a] = std::max(sizes[a], std::abs(static_cast<double>(of[a][i])));
      sizes[4] = std::max(sizes[4], static_cast<double>(kernels<VectorKernels>().inner_product(
                                        x.data(), x.data(), d_)));
    }
    sizes[4] = std::sqrt(sizes[4] * (1 + scan::canonical_error(d_)));
    layout_.narrow(wide.data(), padded / 16, blocks);
    if (second) std::memcpy(out.make<std::uint8_t>("second", {n, d_}), second, checked_mul(n, d_));
  }

  std::shared_ptr<const CodecRows> rows(const Named& packed, std::size_t n) const override {
    const std::size_t padded = (n + 31) / 32 * 32;
    auto rows = std::make_shared<LvqRows>();
    rows->codes = packed.take<std::uint8_t>("blocks", {checked_mul(padded / 16, layout_.block())});
    rows->scales = {packed.take<float>("norm", {padded}), packed.take<float>("low", {padded}),
                    packed.take<float>("step", {padded}), packed.take<float>("loss", {padded})};
    rows->sizes = packed.take<double>("sizes", {5});
    if (two_) rows->second = packed.take<std::uint8_t>("second", {n, d_});
    return rows;
  }

  class Filter {
   public:
    static constexpr std::size_t granule = 32, most_chunk = 256;
    struct Threshold {
      float limit, weight;
    };
    static constexpr Threshold never{-std::numeric_limits<float>::infinity(), 0};

    Filter(const LvqCodec& codec, const LvqRows& rows, const LvqQueries& queries, std::size_t count)
        : codec_(codec), rows_(rows), queries_(queries), count_(count) {}
    std::size_t padded() const { return (count_ + 15) / 16 * 16; }
    void begin_chunk(std::size_t begin, std::size_t end) {
      const std::size_t blocks = (end - begin + 31) / 32 * 2, wide = codec_.layout_.padded_d();
      bytes_ = codec_.layout_.wide(rows_.codes, begin / 16, blocks,
                                   thread_scratch<std::uint8_t, Filter>(blocks * 16 * wide));
    }
    void thresholds(const float* bounds, Threshold* out) const {
      for (std::size_t i = 0; i < count_; ++i)
        out[i] = codec_.threshold(queries_.of[i], rows_, static_cast<double>(bounds[i]));
    }
    std::size_t run(std::size_t begin, std::size_t n, const Threshold* thresholds,
                    std::uint32_t* hits) const {
      const std::size_t wide = codec_.layout_.padded_d(), blocks = (n + 31) / 32 * 2;
      const std::size_t stride = 16 * blocks;
      auto* scratch = thread_scratch<std::int16_t, Filter>(padded() * wide);
      auto* sums = thread_scratch<std::int32_t, Filter>(padded() * stride + most_chunk);
      std::int32_t* bias = sums + padded() * stride;
      std::fill(bias, bias + most_chunk, 0);
      // Tiles take 16 queries, used or not; a few are quicker without.
      kernels<FilterKernels>().sums_u8(queries_.codes.data(), scratch,
                                       count_ < 5 ? count_ : padded(), bytes_, bias, blocks, wide,
                                       sums, stride);
      const ScaledRows rows{rows_.scales.norm + begin, rows_.scales.low + begin,
                            rows_.scales.step + begin, rows_.scales.loss + begin};
      std::size_t found = 0;
      for (std::size_t i = 0; i < count_; ++i) {
        std::uint32_t* own = hits + found;
        const std::size_t more = kernels<NarrowKernels>().scaled_within(
            rows, sums + i * stride, n, codec_.reach(queries_.of[i], thresholds[i]), own);
        for (std::size_t h = 0; h < more; ++h) own[h] |= static_cast<std::uint32_t>(i << 16);
        found += more;
      }
      return found;
    }

   private:
    const LvqCodec& codec_;
    const LvqRows& rows_;
    const LvqQueries& queries_;
    std::size_t count_;
    const std::uint8_t* bytes_ = nullptr;
  };

  struct Scorer : Scored {
    const LvqCodec& codec;
    const LvqRows& rows;
    const float* queries;  // of which `which` are meant
    const std::uint32_t* which;
    scan::Distance distance{codec.metric_, codec.d_};
    float* scratch = thread_scratch<float, Scorer>(codec.d_);
    std::uint8_t* bytes = thread_scratch<std::uint8_t, Scorer>(codec.layout_.padded_d());

    void prefetch(std::size_t row) const {
      if (rows.second)
        kf::prefetch(rows.second + row * codec.d_, std::min<std::size_t>(codec.d_, 1024));
    }
    float value(std::size_t q, std::size_t row) const {
      ++scored;
      const std::size_t d = codec.d_;
      codec.layout_.row(rows.codes, row, bytes);
      codec.decode(bytes, rows.second ? rows.second + row * d : nullptr, rows.scales.low[row],
                   rows.scales.step[row], scratch);
      return distance(queries + which[q] * d, scratch);
    }
  };

  class Way : public GroupWay<Way> {
   public:
    Way(const LvqCodec& codec, const Lists& lists, const ListQuery& query, ListStats& stats)
        : GroupWay(lists, query, stats), codec_(codec) {
      coded_.resize(query.n, codec.layout_.padded_d());
      parallel_for(
          query.n, 64,
          [&](std::size_t begin, std::size_t end) {
            for (std::size_t q = begin; q < end; ++q)
              codec.quantize(query.queries + q * codec.d_, coded_, q);
          },
          query.threads);
    }

    void fetch(const Visit& visit) const {
      const std::size_t block = codec_.layout_.block();
      fetch_rows(visit, rows_of<LvqRows>(visit).codes + visit.begin / 32 * 2 * block, block / 16);
    }

    void group(const Visit& visit, const std::uint32_t* which, std::size_t queries, const float*,
               Collector* const* results) {
      const LvqRows& rows = rows_of<LvqRows>(visit);
      const Scorer scorer{
          {segment_of(visit), admitted(visit)}, codec_, rows, query_.queries, which};
      if (scan::sound(rows.sizes[4])) {
        thread_local LvqQueries some;
        const std::size_t wide = codec_.layout_.padded_d();
        some.resize(queries, wide);
        for (std::size_t i = 0; i < queries; ++i) {
          std::memcpy(some.codes.data() + i * wide, coded_.codes.data() + which[i] * wide, wide);
          some.of[i] = coded_.of[which[i]];
        }
        Filter filter(codec_, rows, some, queries);
        scan_chunks(filter, scorer, visit, queries, results);
      } else {
        scan_all(scorer, visit, queries, results);
      }
      count(queries, visit, scorer);
    }

   private:
    const LvqCodec& codec_;
    LvqQueries coded_;
  };

 private:
  static double first(std::uint8_t byte, float low, float step) {
    return static_cast<double>(low) + static_cast<double>(step) * static_cast<double>(byte);
  }
  // In float64, rounded once: alike at every level.
  void decode(const std::uint8_t* code, const std::uint8_t* second, float low, float step,
              float* out) const {
    const double a = static_cast<double>(low), b = static_cast<double>(step);
    const double finer = b * unit_ / 255;
    if (second)
      for (std::size_t j = 0; j < d_; ++j)
        out[j] = static_cast<float>(static_cast<double>(mean_[j]) + (a + b * code[j]) +
                                    (second[j] - 127.5) * finer);
    else
      for (std::size_t j = 0; j < d_; ++j)
        out[j] = static_cast<float>(static_cast<double>(mean_[j]) + (a + b * code[j]));
  }

  void quantize(const float* q, LvqQueries& out, std::size_t at) const {
    const bool l2 = metric_ == Metric::l2;
    const auto number = [&](std::size_t j) {
      return static_cast<double>(q[j]) - (l2 ? static_cast<double>(mean_[j]) : 0.0);
    };
    double largest = 1e-30;
    for (std::size_t j = 0; j < d_; ++j) largest = std::max(largest, std::abs(number(j)));
    LvqQueries::One one{largest / 127, 0, 0, 0, 0, 0, 0};
    std::int8_t* codes = out.codes.data() + at * layout_.padded_d();
    double norm = 0, lost = 0, length = 0;
    for (std::size_t j = 0; j < d_; ++j) {
      const double y = number(j), code = std::nearbyint(y / one.scale);
      codes[j] = static_cast<std::int8_t>(code);
      one.sum += code;
      one.reach += std::abs(code);
      norm += squared(code * one.scale);
      lost += squared(y - code * one.scale);
      length += squared(y);
      const double product = static_cast<double>(q[j]) * static_cast<double>(mean_[j]);
      one.offset += product;
      one.blur += std::abs(product) * 1e-10;
    }
    one.residual = std::sqrt(lost) * (1 + 1e-9) + std::sqrt(length) * 1e-12;
    // ||s y^|| for distances, ||q|| for products.
    one.norm = std::sqrt(l2 ? norm : length) * (1 + 1e-9);
    out.of[at] = one;
  }

  Filter::Threshold threshold(const LvqQueries::One& q, const LvqRows& rows, double bound) const {
    if (!(bound < std::numeric_limits<float>::max())) return {infinity, 0};
    const double* most = rows.sizes;
    const double canonical = scan::canonical_error(d_);
    // Of both sums of products, whose magnitudes cancel.
    const double products = q.scale * (most[1] * std::abs(q.sum) + most[2] * 255 * q.reach);
    if (metric_ == Metric::l2) {
      const double reach =
          std::sqrt((bound > 0 ? bound : 0) * (1 + canonical) + scan::vanished(d_)) + q.residual;
      const double size =
          most[0] + 2 * products + 2 * reach * most[3] + squared(reach) + squared(q.norm);
      const double limit = squared(reach) - squared(q.norm) * (1 - 4e-9) + size * 0x1p-20;
      return {above(limit), static_cast<float>(-2 * reach)};
    }
    const double size = q.residual * most[0] + products + q.norm * most[3];
    // How far a canonical product may lie from the true one, as elsewhere.
    const double margin = 2 * canonical * q.norm * most[4] + std::abs(bound) * 1e-6 + q.blur;
    return {above(bound + q.offset + size * 0x1p-20 + margin), 0};
  }
  ScaledReach reach(const LvqQueries::One& q, const Filter::Threshold& threshold) const {
    if (metric_ == Metric::l2)
      return {1, static_cast<float>(-2 * q.scale * q.sum), static_cast<float>(-2 * q.scale),
              threshold.weight, threshold.limit};
    return {static_cast<float>(-q.residual), static_cast<float>(-q.scale * q.sum),
            static_cast<float>(-q.scale), static_cast<float>(-q.norm), threshold.limit};
  }

  Metric metric_;
  const float* mean_;
  std::size_t d_;
  bool two_;
  NarrowLayout layout_;
  double unit_;  // bytes' steps in one of the first level
};

}  // namespace

std::unique_ptr<Codec> make_lvq(Metric metric, const Named& parts) {
  return std::make_unique<LvqCodec>(metric, parts);
}

}  // namespace kf::codecs
