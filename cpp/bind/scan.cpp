// Exact search over arrays that Python owns.

#include "scan/exact.h"

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

}  // namespace

void register_scan(py::module_ m) {
  py::class_<scan::ExactScan>(m, "ExactScan",
                              "Filters of exact search over vectors that the caller keeps.")
      .def(py::init([](std::size_t d, const std::string& metric, bool shadow) {
             require(d > 0, "dim: expected at least 1");
             require(metric == "l2" || metric == "ip", "metric: expected l2 or ip");
             return new scan::ExactScan(
                 d, metric == "l2" ? scan::Metric::l2 : scan::Metric::inner_product, shadow);
           }),
           py::arg("dim"), py::arg("metric"), py::arg("shadow") = true)
      .def("append",
           [](scan::ExactScan& self, const py::object& x) {
             const auto array = expect<float>(x, "x", 2);
             require(cols(array) == self.dimension(), "x: wrong dimension");
             py::gil_scoped_release release;
             self.append(array.data(), rows(array));
           })
      .def("__len__", &scan::ExactScan::size)
      .def_property_readonly("shadow_bytes", &scan::ExactScan::shadow_bytes)
      .def(
          "search",
          [](const scan::ExactScan& self, const py::object& vectors, const py::object& queries,
             std::size_t k, const py::object& ids, const py::object& alive,
             const std::string& filter, std::size_t threads) {
            const Inputs in(self, vectors, ids, alive, queries);
            const scan::Filter chosen = filter_named(filter);
            const std::size_t nq = rows(in.queries);
            require(k > 0, "k: expected at least 1");
            checked_mul(checked_mul(nq, k), sizeof(std::int64_t));
            const auto shape =
                std::vector<py::ssize_t>{static_cast<py::ssize_t>(nq), static_cast<py::ssize_t>(k)};
            Array<float> distances(shape);
            Array<std::int64_t> found(shape);
            float* d = distances.mutable_data();
            std::int64_t* f = found.mutable_data();
            {
              py::gil_scoped_release release;
              self.search(in.base, in.queries.data(), nq, k, chosen, threads, d, f);
            }
            return py::make_tuple(distances, found);
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
}

}  // namespace kf::bind
