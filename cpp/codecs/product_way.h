#pragma once
// What ways through lists of product codes share: queries relative to a cell, the canonical
// distance, codes that are decoded once for a group of queries.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codecs/product_filters.h"
#include "lists/codec.h"
#include "lists/way.h"

namespace kf::codecs {

// Queries relative to a cell, made when they are first asked for: most lists have no survivor.
struct Locals {
  const ProductCode& code;
  const Coarse& coarse;
  const float* queries;  // (nq, d), of which `which` are meant
  const std::uint32_t* which;
  std::size_t count, cell;
  mutable const float* made = nullptr;  // (count, local_d)

  const float* get() const {
    if (made) return made;
    float* own = thread_scratch<float, Locals>(count * code.local_d() + coarse.d);
    const float* centroid = coarse.centroid(cell, own + count * code.local_d());
    code.locals(queries, which, count, centroid, cell, own);
    return made = own;
  }
};

struct ProductScorer : Scored {
  const CodeRows& rows;
  const Locals& locals;
  const float* codebooks;
  const float* values;  // inner products: what each distance starts from
  const ProductKernels& table = kernels<ProductKernels>();
  float* scratch = thread_scratch<float, ProductCode::Tables*>(locals.code.local_d());

  static void prefetch(std::size_t) {}
  float value(std::size_t q, std::size_t row) const {
    ++scored;
    const ProductParts& parts = locals.code.parts();
    const float* y = locals.get() + q * locals.code.local_d();
    const std::uint8_t* code = rows.code(row);
    const std::size_t stride = rows.stride();
    if (parts.metric == Metric::l2)
      return table.product_squared_l2(y, codebooks, code, stride, parts.m, parts.bits, parts.s,
                                      scratch);
    return values[q] -
           table.product_inner(y, codebooks, code, stride, parts.m, parts.bits, parts.s, scratch);
  }
};

class ProductWay : public Way {
 public:
  ProductWay(const ProductCode& code, const Lists& lists, const ListQuery& query, ListStats& stats)
      : Way(lists, query, stats), code_(code) {}

  void fetch(const Visit& visit) const {
    const CodeRows& rows = rows_of<CodeRows>(visit);
    fetch_rows(visit, rows.codes + visit.begin / 64 * 64 * rows.width, rows.width);
  }

  // By codes that are decoded to bytes.
  void group(const Visit& visit, const std::uint32_t* which, std::size_t queries,
             const float* values, Collector* const* results) {
    const Locals locals = locals_of(visit, which, queries);
    const ProductScorer scorer = scorer_of(visit, locals, values);
    if (scan::sound(code_.largest_norm())) {
      const float* own = locals.get();
      struct Padded;
      float* padded = thread_scratch<float, Padded>(code_.parts().m * code_.piece());
      thread_local scan::Shadow::Queries coded;
      coded.resize(queries, code_.coder().padded_d());
      for (std::size_t i = 0; i < queries; ++i) {
        code_.padded(own + i * code_.local_d(), padded);
        code_.coder().quantize(padded, 1, coded, i);
      }
      const bool ip = code_.parts().metric == Metric::inner_product;
      DecodedFilter filter(code_, scorer.rows, code_.book_of(visit.cell), coded, queries,
                           ip ? values : nullptr);
      scan(filter, scorer, visit, queries, results);
    } else {
      scan_all(scorer, visit, queries, results);
    }
    count(queries, visit, scorer);
  }

 protected:
  Locals locals_of(const Visit& visit, const std::uint32_t* which, std::size_t queries) const {
    return {code_, lists_.coarse(), query_.queries, which, queries, visit.cell};
  }
  // Both parts stay with the caller.
  ProductScorer scorer_of(const Visit& visit, const Locals& locals, const float* values) const {
    return {{segment_of(visit), admitted(visit)},
            rows_of<CodeRows>(visit),
            locals,
            code_.codebooks(code_.book_of(visit.cell)),
            values};
  }

  const ProductCode& code_;
};

}  // namespace kf::codecs
