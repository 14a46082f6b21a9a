// Scalar codes of 4 or 6 bits, each dimension on its own scale: bytes whose lower bits are zero, so
// that a step is 2^(8 - bits) steps of the byte. A list is widened to bytes, a chunk at a time that
// stays in the first-level cache, and filtered as bytes are; see byte_codes.h for the bounds.

#include <optional>

#include "codecs/codecs.h"
#include "codecs/narrow.h"
#include "core/checked.h"
#include "lists/way.h"
#include "scan/byte_codes.h"
#include "scan/byte_filter.h"

namespace kf::codecs {
namespace {

using scan::Bytes;
using scan::Shadow;

struct ScalarRows : CodecRows {
  const std::uint8_t* codes = nullptr;
  Bytes bytes;  // all but the codes
  double largest_norm = 0;
};

class ScalarCodec final : public CodecOf<ScalarCodec> {
 public:
  ScalarCodec(Metric metric, const Named& parts)
      : metric_(metric),
        coder_(scan::byte_codes(metric, parts)),
        layout_(coder_.d(), parts.count("bits")) {}

  std::size_t dim() const override { return coder_.d(); }

  // Codes (n, d) as bytes whose lower bits are zero.
  void pack(const Named& rows, ArrayMaker& out) const override {
    const std::size_t d = dim(), n = rows.array("codes").shape.at(0), padded = (n + 31) / 32 * 32;
    const std::uint8_t* codes = rows.take<std::uint8_t>("codes", {n, d});
    Buffer<std::uint8_t> wide(checked_mul(padded, coder_.padded_d()));
    std::uint8_t* blocks = out.make<std::uint8_t>("blocks", {padded / 16 * layout_.block()});
    double* sizes = out.make<double>("sizes", {2});
    sizes[0] = coder_.pack(codes, n, wide.data(), out.make<std::int32_t>("bias", {padded}),
                           out.make<float>("residual", {padded / 32}));
    layout_.narrow(wide.data(), padded / 16, blocks);
    const Stored stored = coder_.stored(wide.data());
    sizes[1] = stored.largest_norm(n);
  }

  std::shared_ptr<const CodecRows> rows(const Named& packed, std::size_t n) const override {
    const std::size_t padded = (n + 31) / 32 * 32;
    auto rows = std::make_shared<ScalarRows>();
    rows->codes = packed.take<std::uint8_t>("blocks", {checked_mul(padded / 16, layout_.block())});
    rows->bytes.padded_d = coder_.padded_d();
    rows->bytes.bias = packed.take<std::int32_t>("bias", {padded});
    rows->bytes.residual = packed.take<float>("residual", {padded / 32});
    rows->bytes.weighted = coder_.weighted();
    const double* sizes = packed.take<double>("sizes", {2});
    rows->bytes.radius = sizes[0];
    rows->largest_norm = sizes[1];
    return rows;
  }

  // The 8-bit filter, over rows that are widened when a chunk begins.
  class Filter {
   public:
    static constexpr std::size_t granule = 32, most_chunk = 256;
    using Threshold = scan::ByteFilter::Threshold;
    static constexpr Threshold never = scan::ByteFilter::never;

    Filter(const ScalarCodec& codec, const ScalarRows& rows, const Shadow::Queries& queries,
           std::size_t count)
        : codec_(codec), rows_(rows), queries_(queries), count_(count) {}
    std::size_t padded() const { return (count_ + 15) / 16 * 16; }
    void begin_chunk(std::size_t begin, std::size_t end) {
      const std::size_t blocks = (end - begin + 31) / 32 * 2;
      Bytes bytes = rows_.bytes;
      bytes.codes =
          codec_.layout_.wide(rows_.codes, begin / 16, blocks,
                              thread_scratch<std::uint8_t, Filter>(blocks * 16 * bytes.padded_d));
      bytes.bias += begin;
      bytes.residual += begin / 32;
      filter_.emplace(bytes, codec_.metric_, queries_, 0, count_, codec_.dim(), rows_.largest_norm);
      filter_->begin_chunk(0, end - begin);
    }
    void thresholds(const float* bounds, Threshold* out) const { filter_->thresholds(bounds, out); }
    std::size_t run(std::size_t, std::size_t n, const Threshold* thresholds, std::uint32_t* hits) {
      return filter_->run(0, n, thresholds, hits);
    }
    void sums(std::size_t, std::size_t n, std::int32_t* out, std::size_t stride) const {
      filter_->sums(0, n, out, stride);
    }
    static std::int32_t least_sum(Threshold threshold) { return threshold; }
    float most(std::size_t i, std::int32_t sum) const { return filter_->most(i, sum); }

   private:
    const ScalarCodec& codec_;
    const ScalarRows& rows_;
    const Shadow::Queries& queries_;
    std::size_t count_;
    std::optional<scan::ByteFilter> filter_;
  };

  // The canonical distance to what a row stands for.
  struct Scorer : Scored {
    const ScalarCodec& codec;
    const ScalarRows& rows;
    const float* queries;  // of which `which` are meant
    const std::uint32_t* which;
    scan::Distance distance{codec.metric_, codec.dim()};
    Stored stored = codec.coder_.stored(nullptr);
    float* scratch = thread_scratch<float, Scorer>(codec.dim());
    std::uint8_t* bytes = thread_scratch<std::uint8_t, Scorer>(codec.layout_.padded_d());

    void prefetch(std::size_t) const {}
    float value(std::size_t q, std::size_t row) const {
      ++scored;
      codec.layout_.row(rows.codes, row, bytes);
      stored.decode(bytes, scratch);
      return distance(queries + which[q] * stored.d, scratch);
    }
  };

  class Way : public GroupWay<Way> {
   public:
    Way(const ScalarCodec& codec, const Lists& lists, const ListQuery& query, ListStats& stats)
        : GroupWay(lists, query, stats), codec_(codec) {
      codec.coder_.quantize_all(query.queries, query.n, query.threads, coded_);
    }

    void fetch(const Visit& visit) const {
      const std::size_t block = codec_.layout_.block();
      fetch_rows(visit, rows_of<ScalarRows>(visit).codes + visit.begin / 32 * 2 * block,
                 block / 16);
    }

    void group(const Visit& visit, const std::uint32_t* which, std::size_t queries, const float*,
               Collector* const* results) {
      const ScalarRows& rows = rows_of<ScalarRows>(visit);
      const Scorer scorer{
          {segment_of(visit), admitted(visit)}, codec_, rows, query_.queries, which};
      if (scan::sound(rows.largest_norm)) {
        Filter filter(codec_, rows, coded_.some(which, queries, rows.bytes.padded_d), queries);
        scan(filter, scorer, visit, queries, results);
      } else {
        scan_all(scorer, visit, queries, results);
      }
      count(queries, visit, scorer);
    }

   private:
    const ScalarCodec& codec_;
    Shadow::Queries coded_;
  };

 private:
  Metric metric_;
  scan::ByteCodes coder_;
  NarrowLayout layout_;
};

}  // namespace

std::unique_ptr<Codec> make_scalar(Metric metric, const Named& parts) {
  return std::make_unique<ScalarCodec>(metric, parts);
}

}  // namespace kf::codecs
