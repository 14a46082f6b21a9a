// Exact search over arrays that Python owns.

#include "scan/exact.h"

#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <string>

#include "bind/names.h"
#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"

namespace kf::bind {
namespace {

// Keeps the arrays alive while their pointers are in use.
struct ScanInputs {
  Array<float> vectors, queries;
  py::object ids, alive;
  scan::Base base;

  ScanInputs(const scan::ExactScan& scan, const py::object& base_vectors,
             const py::object& base_ids, const py::object& base_alive,
             const py::object& query_vectors)
      : vectors(expect<float>(base_vectors, "base", 2)),
        queries(expect<float>(query_vectors, "queries", 2)),
        ids(base_ids),
        alive(base_alive),
        base{} {
    require(cols(vectors) == scan.dimension() && cols(queries) == scan.dimension(),
            "queries: wrong dimension");
    base = {vectors.data(), nullptr, nullptr, rows(vectors)};
    if (!ids.is_none()) {
      const auto array = expect<std::int64_t>(ids, "ids", 1);
      require(rows(array) == base.n, "ids: expected one for each base vector");
      base.ids = array.data();
    }
    if (!alive.is_none()) {
      const auto array = expect<std::uint8_t>(alive, "alive", 1);
      require(rows(array) == base.n, "alive: expected one for each base vector");
      base.alive = array.data();
    }
  }
};

py::tuple fit_bytes(const py::object& x, const std::string& metric) {
  const auto array = expect<float>(x, "x", 2);
  require(rows(array) > 0 && cols(array) > 0 && cols(array) <= 32768,
          "x: expected vectors of at most 32768 dimensions");
  scan::Shadow shadow(cols(array), metric_named(metric));
  shadow.fit(array.data(), rows(array));
  return py::make_tuple(copy_of(shadow.centre().data(), cols(array)), shadow.scale());
}

}  // namespace

void register_scan(py::module_ m) {
  m.def("fit_bytes", &fit_bytes, py::arg("x"), py::arg("metric"),
        "Centre and scale of 8-bit copies that filter.");
  py::class_<scan::Growing>(m, "Growing", "What is kept beside vectors that the caller keeps.")
      .def(
          "append",
          [](scan::Growing& self, const py::object& x, std::optional<std::size_t> at,
             const py::object& earlier) {
            const auto array = expect<float>(x, "x", 2);
            require(cols(array) == self.dimension(), "x: wrong dimension");
            Array<float> before;
            if (!earlier.is_none()) {
              before = expect<float>(earlier, "earlier", 2);
              require(cols(before) == self.dimension() && at && rows(before) == *at,
                      "earlier: expected the first `at` vectors");
            }
            const float* first = earlier.is_none() ? nullptr : before.data();
            py::gil_scoped_release release;
            self.append(array.data(), rows(array), at, first);
          },
          py::arg("x"), py::arg("at") = py::none(), py::arg("earlier") = py::none(),
          "Puts vectors behind the first `at`, which are `earlier`, else behind all; all or "
          "nothing.")
      .def("__len__", &scan::Growing::size);

  py::class_<scan::ExactScan, scan::Growing>(
      m, "ExactScan", "Filters of exact search over vectors that the caller keeps.")
      .def(py::init([](std::size_t d, const std::string& metric, bool shadow) {
             require(d > 0, "dim: expected at least 1");
             return new scan::ExactScan(d, metric_named(metric), shadow);
           }),
           py::arg("dim"), py::arg("metric"), py::arg("shadow") = true)
      .def_property_readonly(
          "counts",
          [](const scan::ExactScan& self) {
            const scan::Counts c = self.counts();
            return std::array{c.along, c.bytes, c.floats, c.distances};
          },
          "Pairs looked at along directions, in bytes, in floats, canonically.")
      .def_property_readonly("has_head", &scan::ExactScan::has_head)
      .def_property_readonly("shadow_bytes",
                             [](const scan::ExactScan& self) {
                               const py::gil_scoped_release release;
                               return self.shadow_bytes();
                             })
      .def(
          "search",
          [](const scan::ExactScan& self, const py::object& vectors, const py::object& queries,
             std::size_t k, const py::object& ids, const py::object& alive,
             const std::string& filter, std::size_t threads) {
            const ScanInputs in(self, vectors, ids, alive, queries);
            const scan::Filter chosen = filter_named(filter, true);
            const std::size_t nq = rows(in.queries);
            const Nearest found(nq, k);
            {
              py::gil_scoped_release release;
              self.search(in.base, in.queries.data(), nq, k, chosen, threads, found.distance,
                          found.id);
              turn_back(self.metric(), found.distance, nq * k);
            }
            return py::make_tuple(found.distances, found.ids);
          },
          py::arg("base"), py::arg("queries"), py::arg("k"), py::arg("ids") = py::none(),
          py::arg("alive") = py::none(), py::arg("filter") = "auto", py::arg("threads") = 0)
      .def(
          "range_search",
          [](const scan::ExactScan& self, const py::object& vectors, const py::object& queries,
             float radius, const py::object& ids, const py::object& alive,
             const std::string& filter, std::size_t threads) {
            const ScanInputs in(self, vectors, ids, alive, queries);
            const scan::Filter chosen = filter_named(filter, true);
            std::vector<std::vector<Neighbour>> results;
            {
              py::gil_scoped_release release;
              const float limit = turned_back(self.metric(), radius);
              results =
                  self.range(in.base, in.queries.data(), rows(in.queries), limit, chosen, threads);
              turn_back(self.metric(), results);
            }
            return pack_lists(results);
          },
          py::arg("base"), py::arg("queries"), py::arg("radius"), py::arg("ids") = py::none(),
          py::arg("alive") = py::none(), py::arg("filter") = "auto", py::arg("threads") = 0);
}

}  // namespace kf::bind
