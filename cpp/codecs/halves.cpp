// Multi-LOPQ: local codes of each half of a vector, in the axes of its own cell of a multi-index
// (Kalantidis & Avrithis, CVPR 2014, section 4). Rows, not blocks.

#include <algorithm>
#include <cmath>

#include "codecs/codecs.h"
#include "codecs/product_code.h"
#include "lists/way.h"

namespace kf::codecs {
namespace {

class HalvesCodec final : public CodecOf<HalvesCodec> {
 public:
  HalvesCodec(Metric metric, const Named& parts)
      : left_(product_parts(metric, parts.under("left"))),
        right_(product_parts(metric, parts.under("right"))) {
    for (const ProductCode* half : {&left_, &right_}) {
      const ProductParts& of = half->parts();
      if (!half->local() || !of.local_tables || of.m * of.bits % 8 != 0 ||
          of.d != left_.parts().d || of.bits != left_.parts().bits)
        throw InvalidArgument("codec: expected local codes of whole bytes and equal bits");
    }
  }

  std::size_t dim() const override { return 2 * left_.parts().d; }
  void check(const Coarse& coarse) const override {
    if (!coarse.multi || left_.parts().cells != coarse.cells ||
        right_.parts().cells != coarse.cells)
      throw InvalidArgument("codec: expected a multi-index, and a group for each cell of a half");
  }
  std::shared_ptr<const CodecRows> rows(const Named& packed, std::size_t n) const override {
    return code_rows(packed, n, left_.width() + right_.width(), false);
  }
  static bool by_list(double) { return false; }

  class Way : public lists::Way {
   public:
    Way(const HalvesCodec& codec, const Lists& lists, const ListQuery& query, ListStats& stats)
        : lists::Way(lists, query, stats), halves_{&codec.left_, &codec.right_} {}

    // The query is rotated, and its tables are made, once for each half's cell that it visits.
    void one(std::uint32_t q, const std::vector<Visit>& visits, Collector& result) {
      thread_local std::vector<std::int32_t> place[2];
      thread_local std::vector<Half> made[2];
      const std::size_t k = lists_.coarse().cells;
      std::size_t used[2] = {0, 0};
      for (auto& of : place) of.assign(k, -1);
      const auto prepared = [&](std::size_t side, std::size_t cell) -> const Half& {
        std::int32_t& at = place[side][cell];
        if (at < 0) {
          at = static_cast<std::int32_t>(used[side]++);
          if (made[side].size() < used[side]) made[side].resize(used[side]);
          prepare(q, side, cell, made[side][static_cast<std::size_t>(at)]);
        }
        return made[side][static_cast<std::size_t>(at)];
      };
      const ProductKernels& table = kernels<ProductKernels>();
      const ProductParts* parts[2] = {&halves_[0]->parts(), &halves_[1]->parts()};
      const std::size_t m[2] = {parts[0]->m, parts[1]->m}, bits = parts[0]->bits;
      const std::size_t left_size = halves_[0]->code_size();
      const std::size_t entries = halves_[0]->k(),
                        wide = std::max(halves_[0]->local_d(), halves_[1]->local_d());
      float* scratch = thread_scratch<float, Half>(wide);
      const bool filtered =
          scan::sound(halves_[0]->largest_norm()) && scan::sound(halves_[1]->largest_norm());
      const double canonical = 1 + scan::canonical_error(wide);
      constexpr std::size_t most = 256;
      const float* pointers[512];
      float sums[most];
      std::size_t met = 0, scored = 0;
      for (std::size_t v = 0; v < visits.size(); ++v) {
        const Visit& visit = visits[v];
        if (v % 64 == 0) poll_interrupt();
        const Scored rows_that{segment_of(visit), admitted(visit)};
        const CodeRows& rows = rows_of<CodeRows>(visit);
        prepared(0, visit.cell / k);
        const Half& right = prepared(1, visit.cell % k);
        const Half& left = prepared(0, visit.cell / k);
        for (std::size_t j = 0; j < m[0]; ++j) pointers[j] = left.tables.data() + j * entries;
        for (std::size_t j = 0; j < m[1]; ++j)
          pointers[m[0] + j] = right.tables.data() + j * entries;
        const auto limit = [&] {
          const double bound = static_cast<double>(result.bound());
          return std::nextafter(static_cast<float>(bound * canonical + left.slack + right.slack +
                                                   scan::vanished(2 * wide)),
                                infinity);
        };
        float least = limit();
        for (std::size_t at = visit.begin; at < visit.end; at += most) {
          const std::size_t n = std::min(most, visit.end - at);
          const std::uint8_t* codes = rows.code(at);
          table.product_rows({codes, n, rows.width, m[0] + m[1], bits}, pointers, sums);
          for (std::size_t i = 0; i < n; ++i) {
            if (filtered && !(sums[i] <= least)) continue;
            if (rows_that.skips(at + i)) continue;
            const std::uint8_t* code = codes + i * rows.width;
            const float value =
                table.product_squared_l2(left.local.data(), halves_[0]->codebooks(left.book), code,
                                         1, m[0], bits, parts[0]->s, scratch) +
                table.product_squared_l2(right.local.data(), halves_[1]->codebooks(right.book),
                                         code + left_size, 1, m[1], bits, parts[1]->s, scratch);
            ++scored;
            if (value > result.bound()) continue;
            result.take(Candidate{value, visit.segment, at + i, rows_that.id(at + i)});
            least = limit();
          }
        }
        met += visit.end - visit.begin;
      }
      stats_.count(visits.size(), met, scored);
    }

    // Each query goes through its lists.
    void fetch(const Visit&) const {}
    void group(const Visit&, const std::uint32_t*, std::size_t, const float*, Collector* const*) {}

   private:
    // One side of a query in the axes of a cell.
    struct Half {
      Buffer<float> local, tables;
      double slack = 0;
      std::size_t book = 0;
    };
    void prepare(std::uint32_t q, std::size_t side, std::size_t cell, Half& out) const {
      const ProductCode& code = *halves_[side];
      const Coarse& coarse = lists_.coarse();
      const std::size_t half = coarse.d / 2;
      const std::uint32_t first = 0;
      out.local.resize(code.local_d());
      code.locals(query_.queries + q * coarse.d + side * half, &first, 1,
                  coarse.centroids + (side * coarse.cells + cell) * half, cell, out.local.data());
      out.book = code.book_of(cell);
      code.local_tables(out.local.data(), out.book, out.tables);
      out.slack = code.local_slack(out.local.data());
    }

    const ProductCode* halves_[2];
  };

 private:
  ProductCode left_, right_;
};

}  // namespace

std::unique_ptr<Codec> make_halves(Metric metric, const Named& parts) {
  return std::make_unique<HalvesCodec>(metric, parts);
}

}  // namespace kf::codecs
