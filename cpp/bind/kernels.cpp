// Single kernels, so that tests can hold each level against a reference.

#include "kernels/table.h"

#include <vector>

#include "bind/arrays.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

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

Array<std::uint32_t> as_array(const std::vector<std::uint32_t>& hits, std::size_t found) {
  return Array<std::uint32_t>(static_cast<py::ssize_t>(found), hits.data());
}

}  // namespace

void register_kernels(py::module_ m) {
  m.def("squared_l2", [](const py::object& a, const py::object& b) {
    const auto x = expect<float>(a, "a", 1), y = expect<float>(b, "b", 1);
    require(x.size() == y.size(), "b: expected the length of a");
    return kernels().squared_l2(x.data(), y.data(), rows(x));
  });
  m.def("inner_product", [](const py::object& a, const py::object& b) {
    const auto x = expect<float>(a, "a", 1), y = expect<float>(b, "b", 1);
    require(x.size() == y.size(), "b: expected the length of a");
    return kernels().inner_product(x.data(), y.data(), rows(x));
  });
  m.def("filter_u8", [](const py::object& queries, const py::object& codes, const py::object& bias,
                        const py::object& thresholds) {
    ByteOperands in(queries, codes, bias);
    const auto t = expect<std::int32_t>(thresholds, "thresholds", 1);
    require(rows(t) == rows(in.queries), "thresholds: expected one for each query");
    std::vector<std::uint32_t> hits(rows(t) * rows(in.codes));
    const std::size_t found = kernels().filter_u8(
        in.queries.data(), in.scratch.data(), rows(t), in.codes.data(), in.bias.data(),
        rows(in.codes) / 16, cols(in.codes), t.data(), hits.data());
    return as_array(hits, found);
  });
  m.def("best_u8", [](const py::object& queries, const py::object& codes, const py::object& bias) {
    ByteOperands in(queries, codes, bias);
    Array<std::int32_t> best(static_cast<py::ssize_t>(rows(in.queries)));
    kernels().best_u8(in.queries.data(), in.scratch.data(), rows(in.queries), in.codes.data(),
                      in.bias.data(), rows(in.codes) / 16, cols(in.codes), best.mutable_data());
    return best;
  });
  m.def("filter_f32", [](const py::object& queries, std::size_t nq, const py::object& points,
                         const py::object& bias, const py::object& thresholds) {
    const auto q = expect<float>(queries, "queries", 3), x = expect<float>(points, "points", 2);
    const auto b = expect<float>(bias, "bias", 1), t = expect<float>(thresholds, "thresholds", 1);
    require(rows(q) == (nq + 15) / 16 && cols(q) == cols(x) && q.shape(2) == 16,
            "queries: expected (groups, d, 16)");
    require(rows(b) == rows(x) && rows(x) < 65536 && rows(t) == 16 * rows(q),
            "points: expected a bias each, thresholds padded");
    std::vector<std::uint32_t> hits(rows(t) * rows(x));
    const std::size_t found = kernels().filter_f32(q.data(), nq, x.data(), b.data(), rows(x),
                                                   cols(x), t.data(), hits.data());
    return as_array(hits, found);
  });
  m.def("encode_u8", [](const py::object& x, const py::object& centre, float scale) {
    const auto v = expect<float>(x, "x", 1), c = expect<float>(centre, "centre", 1);
    require(v.size() == c.size() && scale > 0,
            "centre: expected the length of x, and a positive scale");
    Array<std::int8_t> codes(v.size());
    Array<float> totals(4);
    kernels().encode_u8(v.data(), c.data(), scale, rows(v), codes.mutable_data(),
                        totals.mutable_data());
    return py::make_tuple(codes, totals);
  });
}

}  // namespace kf::bind
