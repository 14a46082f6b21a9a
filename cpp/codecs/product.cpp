// Product codes of vectors or of residuals: look-up tables of one query over several lists, or
// 8-bit products of a group of queries with one list.

#include <cmath>

#include "codecs/codecs.h"
#include "codecs/product_way.h"
#include "kernels/filters.h"

namespace kf::codecs {
namespace {

class PlainCodec final : public CodecOf<PlainCodec> {
 public:
  PlainCodec(Metric metric, const Named& parts)
      : code_(product_parts(metric, parts)), blocked_(parts.flag("blocked")) {
    if (code_.local()) throw InvalidArgument("rotations: expected none");
  }

  std::size_t dim() const override { return code_.parts().d; }
  std::shared_ptr<const CodecRows> rows(const Named& packed, std::size_t n) const override {
    return code_rows(packed, n, code_.width(), blocked_);
  }
  // Codes of the vectors themselves: their distances do not start from the centroid's.
  bool knows_cells() const { return code_.parts().residual; }
  // Decoding a list costs as much as five queries' look-ups.
  bool by_list(double shared) const { return blocked_ && shared >= 6 && scan::bytes_beat_floats(); }

  class Way : public ProductWay {
   public:
    Way(const PlainCodec& codec, const Lists& lists, const ListQuery& query, ListStats& stats)
        : ProductWay(codec.code_, lists, query, stats), blocked_(codec.blocked_) {}

    void one(std::uint32_t q, const std::vector<Visit>& visits, Collector& result) {
      thread_local ProductCode::Tables tables;
      code_.tables(query_.queries + q * code_.parts().d, blocked_, tables);
      if (!blocked_) return short_lists(q, visits, tables, result);
      if (by_all_sums(q, visits, tables, result)) return;
      Collector* const results[1] = {&result};
      for (std::size_t v = 0; v < visits.size(); ++v) {
        const Visit& visit = visits[v];
        if (v % 32 == 0) poll_interrupt();
        if (v + 1 < visits.size()) fetch(visits[v + 1]);
        const Locals locals = locals_of(visit, &q, 1);
        const ProductScorer scorer = scorer_of(visit, locals, &visit.value);
        if (scan::sound(code_.largest_norm())) {
          TableFilter filter(code_, tables, scorer.rows, visit.value);
          scan(filter, scorer, visit, 1, results);
        } else {
          scan_all(scorer, visit, 1, results);
        }
        count(1, visit, scorer);
      }
    }

   private:
    // One query that has found nothing yet: the integer sums of all rows first, across lists, then
    // distances of what may be among the k best alone. False where that does not pay or rows may be
    // masked.
    bool by_all_sums(std::uint32_t q, const std::vector<Visit>& visits,
                     const ProductCode::Tables& tables, Collector& result) {
      std::size_t total = 0, widest = 0;
      float largest = 0;
      for (const Visit& visit : visits) {
        if (segment_of(visit).alive) return false;
        total += visit.end - visit.begin;
        widest = std::max(widest, visit.end - visit.begin);
        if (!(std::abs(visit.value) <= largest)) largest = std::abs(visit.value);  // NaN stays
      }
      const std::size_t k = result.wanted();
      if (k == 0 || total < 2 * k || widest > 16384 || total > 1u << 18 || query_.admitted ||
          !scan::sound(code_.largest_norm()) || result.bound() < infinity ||
          !(static_cast<double>(largest) <= 1e9 * tables.unit))
        return false;
      // Where sums of all rows are slow, a bound that few of many rows reach spares most of them.
      const ProductKernels& table = kernels<ProductKernels>();
      if (code_.k() > table.widest_table() && total > 128 * k) return false;
      struct Tag;
      auto* found = thread_scratch<std::uint16_t, Tag>(widest + 128);
      auto* sums = thread_scratch<std::int32_t, Tag>(total);
      std::size_t at = 0;
      for (std::size_t v = 0; v < visits.size(); ++v) {
        if (v + 1 < visits.size()) fetch(visits[v + 1]);
        if (v % 32 == 0) poll_interrupt();
        const Visit& visit = visits[v];
        const CodeRows& rows = rows_of<CodeRows>(visit);
        const std::size_t first = visit.begin / 64 * 64, n = visit.end - visit.begin;
        table.sums_product(rows.codes + first * rows.width, (visit.end - first + 63) / 64,
                           rows.width, code_.code_size(), code_.parts().bits, tables.bytes.data(),
                           tables.factor, found);
        // Larger is nearer.
        const auto shift =
            static_cast<std::int32_t>(std::floor(static_cast<double>(visit.value) / tables.unit));
        const std::uint16_t* own = found + (visit.begin - first);
        for (std::size_t i = 0; i < n; ++i)
          sums[at + i] = -shift - static_cast<std::int32_t>(own[i]);
        at += n;
      }
      // The centroids' values are part of the sums, rounded down by less than a unit.
      const TableFilter filter(code_, tables, rows_of<CodeRows>(visits[0]), 0);
      const float slack = largest * 0x1p-17f + static_cast<float>(1.01 * tables.unit);
      const float known = filter.most(0, scan::kth_largest(sums, total, k)) + slack;
      TableFilter::Threshold threshold = 0;
      const float reach = known + slack;
      filter.thresholds(&reach, &threshold, false);
      auto* hits = thread_scratch<std::uint32_t, Tag>(total);
      const std::size_t survivors =
          scan::at_least(sums, total, static_cast<std::int32_t>(-threshold), hits);
      std::size_t h = 0, start = 0, scored = 0;
      for (const Visit& visit : visits) {
        const std::size_t n = visit.end - visit.begin;
        if (h < survivors && hits[h] < start + n) {
          const Locals locals = locals_of(visit, &q, 1);
          const ProductScorer scorer = scorer_of(visit, locals, &visit.value);
          for (; h < survivors && hits[h] < start + n; ++h) {
            const std::size_t row = visit.begin + hits[h] - start;
            const float value = scorer.value(0, row);
            if (value <= result.bound())
              result.take(Candidate{value, visit.segment, row, scorer.id(row)});
          }
          scored += scorer.scored;
        }
        start += n;
      }
      stats_.count(visits.size(), total, scored);
      return true;
    }

    // Lists of a few rows: float tables, row by row.
    void short_lists(std::uint32_t q, const std::vector<Visit>& visits,
                     const ProductCode::Tables& tables, Collector& result) {
      const ProductParts& parts = code_.parts();
      const ProductKernels& table = kernels<ProductKernels>();
      const float* pointers[256];
      for (std::size_t j = 0; j < parts.m; ++j) pointers[j] = tables.floats.data() + j * code_.k();
      constexpr std::size_t most = 256, ahead = 8;
      float sums[most];
      std::size_t met = 0, scored = 0;
      for (std::size_t v = 0; v < visits.size(); ++v) {
        const Visit& visit = visits[v];
        if (v % 64 == 0) poll_interrupt();
        if (v + ahead < visits.size()) {
          const Visit& next = visits[v + ahead];
          prefetch(rows_of<CodeRows>(next).code(next.begin), 128);
        }
        const Locals locals = locals_of(visit, &q, 1);
        const ProductScorer scorer = scorer_of(visit, locals, &visit.value);
        float limit = code_.limit(tables, result.bound(), visit.value);
        for (std::size_t at = visit.begin; at < visit.end; at += most) {
          const std::size_t n = std::min(most, visit.end - at);
          const std::uint8_t* codes = scorer.rows.code(at);
          const std::size_t width = scorer.rows.width;
          table.product_rows({codes, n, width, parts.m, parts.bits}, pointers, sums);
          if (code_.has_terms())
            for (std::size_t i = 0; i < n; ++i) sums[i] += code_.term(codes + i * width);
          for (std::size_t i = 0; i < n; ++i) {
            if (!(sums[i] <= limit)) continue;
            if (scorer.skips(at + i)) continue;
            const float value = scorer.value(0, at + i);
            if (value > result.bound()) continue;
            result.take(Candidate{value, visit.segment, at + i, scorer.id(at + i)});
            limit = code_.limit(tables, result.bound(), visit.value);
          }
        }
        met += visit.end - visit.begin;
        scored += scorer.scored;
      }
      stats_.count(visits.size(), met, scored);
    }

    bool blocked_;
  };

 private:
  ProductCode code_;
  bool blocked_;
};

}  // namespace

std::unique_ptr<Codec> make_product(Metric metric, const Named& parts) {
  return std::make_unique<PlainCodec>(metric, parts);
}

}  // namespace kf::codecs
