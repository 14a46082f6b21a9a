// Stored vectors with 8-bit copies that filter, or 8-bit numbers that are both.

#include <cmath>

#include "codecs/codecs.h"
#include "core/checked.h"
#include "lists/codec.h"
#include "lists/way.h"
#include "scan/byte_codes.h"
#include "scan/byte_filter.h"

namespace kf::codecs {
namespace {

using scan::ByteCodes;
using scan::Bytes;
using scan::Shadow;

struct RawRows : CodecRows {
  Stored stored;  // what rows are ranked by
  Bytes bytes;    // their 8-bit copies
  double largest_norm = 0;
};

// 8-bit copies as they are packed, for n vectors.
struct Blocks {
  std::uint8_t* codes;
  std::int32_t* bias;
  float* residual;
  double* sizes;  // radius, largest norm

  Blocks(ArrayMaker& out, std::size_t n, std::size_t padded_d)
      : codes(out.make<std::uint8_t>("blocks", {checked_mul((n + 31) / 32 * 32, padded_d)})),
        bias(out.make<std::int32_t>("bias", {(n + 31) / 32 * 32})),
        residual(out.make<float>("residual", {(n + 31) / 32})),
        sizes(out.make<double>("sizes", {2})) {}
};

class RawCodec final : public CodecOf<RawCodec> {
 public:
  RawCodec(Metric metric, const Named& parts)
      : metric_(metric), coder_(scan::byte_codes(metric, parts)) {}

  std::size_t dim() const override { return coder_.d(); }

  // Vectors that are copied, or codes that are what is stored.
  void pack(const Named& rows, ArrayMaker& out) const override {
    if (!rows.has("vectors")) return pack_codes(rows, out);
    if (coder_.weighted()) throw InvalidArgument("vectors: expected one step for all dimensions");
    const std::size_t d = dim(), n = rows.array("vectors").shape.at(0);
    const float* x = rows.take<float>("vectors", {n, d});
    Shadow shadow = coder_.shadow();
    shadow.append(x, n);
    const Bytes view = shadow.view();
    const Blocks blocks(out, n, view.padded_d);
    shadow.write(blocks.codes, blocks.bias, blocks.residual);
    blocks.sizes[0] = view.radius;
    blocks.sizes[1] = scan::stored_vectors(rows, "vectors", n, d).largest_norm(n);
  }

  std::shared_ptr<const CodecRows> rows(const Named& packed, std::size_t n) const override {
    const std::size_t padded = (n + 31) / 32 * 32, d = dim();
    auto rows = std::make_shared<RawRows>();
    rows->bytes.padded_d = coder_.padded_d();
    rows->bytes.codes =
        packed.take<std::uint8_t>("blocks", {checked_mul(padded, coder_.padded_d())});
    rows->bytes.bias = packed.take<std::int32_t>("bias", {padded});
    rows->bytes.residual = packed.take<float>("residual", {padded / 32});
    const double* sizes = packed.take<double>("sizes", {2});
    rows->bytes.radius = sizes[0];
    rows->bytes.weighted = coder_.weighted();
    rows->largest_norm = sizes[1];
    rows->stored = packed.has("vectors") ? scan::stored_vectors(packed, "vectors", n, d)
                                         : coder_.stored(rows->bytes.codes);
    return rows;
  }

  class Way : public GroupWay<Way> {
   public:
    Way(const RawCodec& codec, const Lists& lists, const ListQuery& query, ListStats& stats)
        : GroupWay(lists, query, stats), codec_(codec) {
      codec.coder_.quantize_all(query.queries, query.n, query.threads, coded_);
    }

    void fetch(const Visit& visit) const {
      const Bytes& bytes = rows_of<RawRows>(visit).bytes;
      fetch_rows(visit, bytes.codes + visit.begin / 32 * 32 * bytes.padded_d, bytes.padded_d);
    }

    void group(const Visit& visit, const std::uint32_t* which, std::size_t queries, const float*,
               Collector* const* results) {
      const RawRows& rows = rows_of<RawRows>(visit);
      const StoredScorer scorer{{segment_of(visit), admitted(visit)},
                                rows.stored,
                                query_.queries,
                                which,
                                {codec_.metric_, codec_.dim()}};
      if (scan::sound(rows.largest_norm)) {
        const Shadow::Queries& some = coded_.some(which, queries, rows.bytes.padded_d);
        scan::ByteFilter filter(rows.bytes, codec_.metric_, some, 0, queries, codec_.dim(),
                                rows.largest_norm);
        scan(filter, scorer, visit, queries, results);
      } else {
        scan_all(scorer, visit, queries, results);
      }
      count(queries, visit, scorer);
    }

   private:
    const RawCodec& codec_;
    Shadow::Queries coded_;
  };

 private:
  void pack_codes(const Named& rows, ArrayMaker& out) const {
    const std::size_t d = dim(), n = rows.array("codes").shape.at(0);
    const std::uint8_t* codes = rows.take<std::uint8_t>("codes", {n, d});
    const Blocks blocks(out, n, coder_.padded_d());
    blocks.sizes[0] = coder_.pack(codes, n, blocks.codes, blocks.bias, blocks.residual);
    const Stored stored = coder_.stored(blocks.codes);
    blocks.sizes[1] = stored.largest_norm(n);
  }

  Metric metric_;
  ByteCodes coder_;
};

}  // namespace

std::unique_ptr<Codec> make_raw(Metric metric, const Named& parts) {
  return std::make_unique<RawCodec>(metric, parts);
}

}  // namespace kf::codecs
