#pragma once
// What several families of kernels are given and give.

#include <vector>

#include "bind/arrays.h"

namespace kf::bind {

// The operands of the integer filters: queries (nq, d), codes (n, d) in blocks, bias (n,).
struct ByteOperands {
  Array<std::int8_t> queries;
  Array<std::uint8_t> codes;
  Array<std::int32_t> bias;
  std::vector<std::int16_t> scratch;

  ByteOperands(const py::object& q, const py::object& c, const py::object& b)
      : queries(expect<std::int8_t>(q, "queries", 2)),
        codes(expect<std::uint8_t>(c, "codes", 2)),
        bias(expect<std::int32_t>(b, "bias", 1)),
        scratch(static_cast<std::size_t>(queries.size())) {
    const std::size_t d = cols(queries), steps = (d + 63) / 64;
    require(d > 0 && d % (4 * steps) == 0,
            "queries: expected a dimension that splits into equal tiles");
    require(rows(queries) % 16 == 0, "queries: expected a multiple of 16 rows");
    require(rows(codes) % 32 == 0 && rows(codes) < 65536,
            "codes: expected a multiple of 32 rows below 65536");
    require(cols(codes) == d && rows(bias) == rows(codes),
            "codes: expected the queries' dimension, a bias each");
  }
};

inline Array<std::uint32_t> as_array(const std::vector<std::uint32_t>& hits, std::size_t found) {
  return copy_of(hits.data(), found);
}

}  // namespace kf::bind
