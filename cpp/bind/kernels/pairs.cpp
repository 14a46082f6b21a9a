// Single kernels of pairs of one set, so that tests can hold each level against a reference.

#include "kernels/pairs.h"

#include "bind/kernels/operands.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

auto filter_pairs_u8(const py::object& queries, const py::object& codes, const py::object& bias,
                     const py::object& query_thresholds, const py::object& query_offsets,
                     const py::object& point_thresholds) {
  ByteOperands in(queries, codes, bias);
  const auto t = expect<std::int32_t>(query_thresholds, "query_thresholds", 1);
  const auto o = expect<std::int32_t>(query_offsets, "query_offsets", 1);
  const auto p = expect<std::int32_t>(point_thresholds, "point_thresholds", 1);
  require(rows(t) == rows(in.queries) && rows(o) == rows(t) && rows(p) == rows(in.codes),
          "thresholds: expected one for each query and point");
  std::vector<std::uint32_t> hits(rows(t) * rows(in.codes));
  const std::size_t found = kernels<PairKernels>().filter_pairs_u8(
      in.queries.data(), in.scratch.data(), rows(t), in.codes.data(), in.bias.data(),
      rows(in.codes) / 16, cols(in.codes), t.data(), o.data(), p.data(), hits.data());
  return as_array(hits, found);
}

// In place.
auto insert_sorted(py::array_t<std::uint64_t, py::array::c_style>& keys, std::uint64_t key,
                   std::uint64_t ignored) {
  require(keys.ndim() == 1 && keys.size() > 0 && keys.size() % 8 == 0,
          "keys: expected a multiple of 8");
  return kernels<PairKernels>().insert_sorted(keys.mutable_data(),
                                              static_cast<std::size_t>(keys.size()), key, ignored);
}

auto keep_pairs_u8(const py::object& queries, const py::object& points,
                   const py::object& query_thresholds, const py::object& query_offsets,
                   const py::object& point_thresholds, const py::object& bias,
                   const py::object& hits) {
  const auto q = expect<std::int8_t>(queries, "queries", 2),
             x = expect<std::int8_t>(points, "points", 2);
  const auto t = expect<std::int32_t>(query_thresholds, "query_thresholds", 1),
             o = expect<std::int32_t>(query_offsets, "query_offsets", 1),
             p = expect<std::int32_t>(point_thresholds, "point_thresholds", 1),
             b = expect<std::int32_t>(bias, "bias", 1);
  const auto h = expect<std::uint32_t>(hits, "hits", 1);
  require(cols(q) == cols(x) && rows(t) == rows(q) && rows(o) == rows(q) && rows(p) == rows(x) &&
              rows(b) == rows(x),
          "points: expected a bias and thresholds each");
  std::vector<std::uint32_t> out(h.data(), h.data() + h.size());
  for (const std::uint32_t hit : out)
    require(hit >> 16 < rows(q) && (hit & 0xffff) < rows(x), "hits: expected pairs of rows");
  const std::size_t kept = kernels<PairKernels>().keep_pairs_u8(
      q.data(), x.data(), cols(q), t.data(), o.data(), p.data(), b.data(), out.data(), out.size());
  return as_array(out, kept);
}

auto filter_pairs_f32(const py::object& queries, const py::object& points, const py::object& bias,
                      const py::object& query_thresholds, const py::object& query_offsets,
                      const py::object& point_thresholds) {
  const auto q = expect<float>(queries, "queries", 3), x = expect<float>(points, "points", 2);
  const auto b = expect<float>(bias, "bias", 1);
  const auto t = expect<float>(query_thresholds, "query_thresholds", 1);
  const auto o = expect<float>(query_offsets, "query_offsets", 1);
  const auto p = expect<float>(point_thresholds, "point_thresholds", 1);
  require(cols(q) == cols(x) && q.shape(2) == 16, "queries: expected (groups, d, 16)");
  require(rows(b) == rows(x) && rows(x) < 65536 && rows(p) == rows(x) && rows(t) == 16 * rows(q) &&
              rows(o) == rows(t),
          "points: expected a bias and a threshold each, queries' padded");
  std::vector<std::uint32_t> hits(rows(t) * rows(x));
  const std::size_t found =
      kernels<PairKernels>().filter_pairs_f32(q.data(), rows(t), x.data(), b.data(), rows(x),
                                              cols(x), t.data(), o.data(), p.data(), hits.data());
  return as_array(hits, found);
}

}  // namespace

void register_pairs_kernels(py::module_& m) {
  m.def("filter_pairs_u8", &filter_pairs_u8);
  m.def("insert_sorted", &insert_sorted);
  m.def("keep_pairs_u8", &keep_pairs_u8);
  m.def("filter_pairs_f32", &filter_pairs_f32);
}

}  // namespace kf::bind
