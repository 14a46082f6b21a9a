// Exact search over arrays that Python owns.

#include "scan/exact.h"
#include "scan/self_join.h"

#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "bind/arrays.h"
#include "bind/registry.h"
#include "core/checked.h"

namespace kf::bind {
namespace {

scan::Filter filter_named(const std::string& name) {
  if (name == "auto") return scan::Filter::automatic;
  if (name == "u8") return scan::Filter::u8;
  if (name == "f32") return scan::Filter::f32;
  if (name == "none") return scan::Filter::none;
  throw InvalidArgument("filter: expected one of auto, u8, f32, none, got '" + name + "'");
}

// Keeps the arrays alive while their pointers are in use.
struct Inputs {
  Array<float> vectors, queries;
  py::object ids, alive;
  scan::Base base;

  Inputs(const scan::ExactScan& scan, const py::object& base_vectors, const py::object& base_ids,
         const py::object& base_alive, const py::object& query_vectors)
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

scan::Metric metric_named(const std::string& name) {
  require(name == "l2" || name == "ip", "metric: expected l2 or ip");
  return name == "l2" ? scan::Metric::l2 : scan::Metric::inner_product;
}

py::tuple self_join(const py::object& x, const std::string& metric, std::size_t k,
                    const std::string& filter, std::size_t threads) {
  const auto v = expect<float>(x, "x", 2);
  require(cols(v) > 0 && k > 0, "x: expected at least one dimension, k at least 1");
  const scan::Metric chosen = metric_named(metric);
  const scan::Filter wish = filter_named(filter);
  const py::ssize_t n = v.shape(0), width = static_cast<py::ssize_t>(k);
  Array<float> distances({n, width});
  Array<std::int32_t> ids({n, width});
  float* d = distances.mutable_data();
  std::int32_t* i = ids.mutable_data();
  {
    const py::gil_scoped_release release;
    scan::self_join(v.data(), rows(v), cols(v), chosen, k, wish, threads, d, i);
  }
  return py::make_tuple(distances, ids);
}

Array<float> list_values(const py::object& x, const std::string& metric, const py::object& ids) {
  const auto v = expect<float>(x, "x", 2);
  const auto i = expect<std::int32_t>(ids, "ids", 2);
  require(rows(v) == rows(i), "ids: expected one list for each row");
  const scan::Metric chosen = metric_named(metric);
  Array<float> distances({i.shape(0), i.shape(1)});
  float* out = distances.mutable_data();
  {
    const py::gil_scoped_release release;
    scan::list_values(v.data(), rows(v), cols(v), chosen, i.data(), cols(i), out);
  }
  return distances;
}

}  // namespace

void register_scan(py::module_ m) {
  py::class_<scan::Growing>(m, "Growing", "What is kept beside vectors that the caller keeps.")
      .def(
          "append",
          [](scan::Growing& self, const py::object& x, std::optional<std::size_t> at) {
            const auto array = expect<float>(x, "x", 2);
            require(cols(array) == self.dimension(), "x: wrong dimension");
            py::gil_scoped_release release;
            self.append(array.data(), rows(array), at);
          },
          py::arg("x"), py::arg("at") = py::none(),
          "Puts vectors behind the first `at`, else behind all; all or nothing.")
      .def("__len__", &scan::Growing::size);

  py::class_<scan::ExactScan, scan::Growing>(
      m, "ExactScan", "Filters of exact search over vectors that the caller keeps.")
      .def(py::init([](std::size_t d, const std::string& metric, bool shadow) {
             require(d > 0, "dim: expected at least 1");
             return new scan::ExactScan(d, metric_named(metric), shadow);
           }),
           py::arg("dim"), py::arg("metric"), py::arg("shadow") = true)
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
            const Inputs in(self, vectors, ids, alive, queries);
            const scan::Filter chosen = filter_named(filter);
            const std::size_t nq = rows(in.queries);
            const Nearest found(nq, k);
            {
              py::gil_scoped_release release;
              self.search(in.base, in.queries.data(), nq, k, chosen, threads, found.distance,
                          found.id);
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
            const Inputs in(self, vectors, ids, alive, queries);
            const scan::Filter chosen = filter_named(filter);
            std::vector<std::vector<Neighbour>> results;
            {
              py::gil_scoped_release release;
              results =
                  self.range(in.base, in.queries.data(), rows(in.queries), radius, chosen, threads);
            }
            return pack_lists(results);
          },
          py::arg("base"), py::arg("queries"), py::arg("radius"), py::arg("ids") = py::none(),
          py::arg("alive") = py::none(), py::arg("filter") = "auto", py::arg("threads") = 0);
  m.def("self_join", &self_join, py::arg("x"), py::arg("metric"), py::arg("k"),
        py::arg("filter") = "auto", py::arg("threads") = 0);
  m.def("list_values", &list_values, py::arg("x"), py::arg("metric"), py::arg("ids"));
}

}  // namespace kf::bind
