// Single kernels of filters, so that tests can hold each level against a reference.

#include "kernels/filters.h"

#include "bind/kernels/operands.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

auto filter_u8(const py::object& queries, const py::object& codes, const py::object& bias,
               const py::object& thresholds) {
  ByteOperands in(queries, codes, bias);
  const auto t = expect<std::int32_t>(thresholds, "thresholds", 1);
  require(rows(t) == rows(in.queries), "thresholds: expected one for each query");
  std::vector<std::uint32_t> hits(rows(t) * rows(in.codes));
  const std::size_t found = kernels<FilterKernels>().filter_u8(
      in.queries.data(), in.scratch.data(), rows(t), in.codes.data(), in.bias.data(),
      rows(in.codes) / 16, cols(in.codes), t.data(), hits.data());
  return as_array(hits, found);
}

auto best_u8(const py::object& queries, const py::object& codes, const py::object& bias) {
  ByteOperands in(queries, codes, bias);
  auto best = array_of<std::int32_t>(rows(in.queries));
  kernels<FilterKernels>().best_u8(in.queries.data(), in.scratch.data(), rows(in.queries),
                                   in.codes.data(), in.bias.data(), rows(in.codes) / 16,
                                   cols(in.codes), best.mutable_data());
  return best;
}

auto filter_f32(const py::object& queries, std::size_t nq, const py::object& points,
                const py::object& bias, const py::object& thresholds) {
  const auto q = expect<float>(queries, "queries", 3), x = expect<float>(points, "points", 2);
  const auto b = expect<float>(bias, "bias", 1), t = expect<float>(thresholds, "thresholds", 1);
  require(rows(q) == (nq + 15) / 16 && cols(q) == cols(x) && q.shape(2) == 16,
          "queries: expected (groups, d, 16)");
  require(rows(b) == rows(x) && rows(x) < 65536 && rows(t) == 16 * rows(q),
          "points: expected a bias each, thresholds padded");
  std::vector<std::uint32_t> hits(rows(t) * rows(x));
  const std::size_t found = kernels<FilterKernels>().filter_f32(
      q.data(), nq, x.data(), b.data(), rows(x), cols(x), t.data(), hits.data());
  return as_array(hits, found);
}

auto nearest_f32(const py::object& queries, std::size_t nq, const py::object& points,
                 const py::object& bias) {
  const auto q = expect<float>(queries, "queries", 3), x = expect<float>(points, "points", 2);
  const auto b = expect<float>(bias, "bias", 1);
  require(rows(q) == (nq + 15) / 16 && cols(q) == cols(x) && q.shape(2) == 16,
          "queries: expected (groups, d, 16)");
  require(rows(b) == rows(x), "bias: expected one for each point");
  auto best = array_of<float>(16 * rows(q)), second = array_of<float>(16 * rows(q)),
       where = array_of<float>(16 * rows(q));
  kernels<FilterKernels>().nearest_f32(q.data(), nq, x.data(), b.data(), rows(x), cols(x),
                                       best.mutable_data(), second.mutable_data(),
                                       where.mutable_data());
  return py::make_tuple(best, second, where);
}

auto encode_u8(const py::object& x, const py::object& centre, float scale) {
  const auto v = expect<float>(x, "x", 1), c = expect<float>(centre, "centre", 1);
  require(v.size() == c.size() && scale > 0,
          "centre: expected the length of x, and a positive scale");
  Array<std::int8_t> codes(v.size());
  Array<float> totals(4);
  kernels<FilterKernels>().encode_u8(v.data(), c.data(), scale, rows(v), codes.mutable_data(),
                                     totals.mutable_data());
  return py::make_tuple(codes, totals);
}

auto sums_u8(const py::object& queries, const py::object& codes, const py::object& bias) {
  ByteOperands in(queries, codes, bias);
  Array<std::int32_t> sums(std::vector<py::ssize_t>{in.queries.shape(0), in.codes.shape(0)});
  kernels<FilterKernels>().sums_u8(in.queries.data(), in.scratch.data(), rows(in.queries),
                                   in.codes.data(), in.bias.data(), rows(in.codes) / 16,
                                   cols(in.codes), sums.mutable_data(), rows(in.codes));
  return sums;
}

auto group_max(const py::object& sums, std::size_t groups) {
  const auto x = expect<std::int32_t>(sums, "sums", 1);
  require(groups > 0 && groups <= rows(x), "groups: expected from 1 to the number of sums");
  auto out = array_of<std::int32_t>(groups);
  kernels<FilterKernels>().group_max(x.data(), rows(x), groups, out.mutable_data());
  return out;
}

auto at_least(const py::object& sums, std::int32_t threshold) {
  const auto x = expect<std::int32_t>(sums, "sums", 1);
  std::vector<std::uint32_t> out(rows(x));
  return as_array(out, kernels<FilterKernels>().at_least(x.data(), rows(x), threshold, out.data()));
}

auto row_sums(const py::object& query, const py::object& codes, const py::object& bias,
              const py::object& places) {
  const auto q = expect<std::int8_t>(query, "query", 1);
  const auto c = expect<std::uint8_t>(codes, "codes", 2);
  const auto b = expect<std::int32_t>(bias, "bias", 1);
  const auto p = expect<std::uint32_t>(places, "places", 1);
  require(cols(c) >= rows(q) && rows(b) == rows(c), "codes: expected the query's dimension");
  for (std::size_t i = 0; i < rows(p); ++i) require(p.data()[i] < rows(c), "places: out of range");
  Array<std::int32_t> sums(p.size());
  kernels<FilterKernels>().row_sums(q.data(), rows(q), c.data(), cols(c), b.data(), p.data(),
                                    rows(p), sums.mutable_data());
  return sums;
}

}  // namespace

void register_filters_kernels(py::module_& m) {
  m.def("filter_u8", &filter_u8);
  m.def("best_u8", &best_u8);
  m.def("filter_f32", &filter_f32);
  m.def("nearest_f32", &nearest_f32);
  m.def("encode_u8", &encode_u8);
  m.def("sums_u8", &sums_u8);
  m.def("group_max", &group_max);
  m.def("at_least", &at_least);
  m.def("row_sums", &row_sums);
}

}  // namespace kf::bind
