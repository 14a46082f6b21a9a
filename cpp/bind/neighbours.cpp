// Neighbour lists of a set: exact, and by nn-descent.

#include "bind/names.h"
#include "bind/registry.h"
#include "neighbours/nn_descent.h"
#include "neighbours/self_join.h"

namespace kf::bind {
namespace {

using Lists = Nearest<float, std::int32_t>;

Array<float> set_of(const py::object& x, std::size_t k) {
  auto v = expect<float>(x, "x", 2);
  require(cols(v) > 0 && k > 0, "x: expected at least one dimension, k at least 1");
  return v;
}

py::tuple self_join(const py::object& x, const std::string& metric, std::size_t k,
                    const std::string& filter, std::size_t threads) {
  const auto v = set_of(x, k);
  const scan::Metric chosen = metric_named(metric);
  const scan::Filter wish = filter_named(filter);
  const Lists found(rows(v), k);
  {
    const py::gil_scoped_release release;
    neighbours::self_join(v.data(), rows(v), cols(v), chosen, k, wish, threads, found.distance,
                          found.id);
  }
  return py::make_tuple(found.distances, found.ids);
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
    neighbours::list_values(v.data(), rows(v), cols(v), chosen, i.data(), cols(i), out);
  }
  return distances;
}

py::tuple nn_descent(const py::object& x, const std::string& metric, std::size_t k,
                     std::uint64_t seed, std::size_t probes, std::size_t sample, double recall,
                     std::size_t rounds, double least_change) {
  const auto v = set_of(x, k);
  const scan::Metric chosen = metric_named(metric);
  require(sample > 0, "sample: expected at least 1");
  const Lists found(rows(v), k);
  std::size_t taken = 0;
  {
    const py::gil_scoped_release release;
    taken = neighbours::nn_descent(v.data(), rows(v), cols(v), chosen, k,
                                   {seed, probes, sample, recall, rounds, least_change},
                                   found.distance, found.id);
  }
  return py::make_tuple(found.distances, found.ids, taken);
}

}  // namespace

void register_neighbours(py::module_ m) {
  m.def("self_join", &self_join, py::arg("x"), py::arg("metric"), py::arg("k"),
        py::arg("filter") = "auto", py::arg("threads") = 0);
  m.def("list_values", &list_values, py::arg("x"), py::arg("metric"), py::arg("ids"));
  const neighbours::DescentOptions usual;
  m.def("nn_descent", &nn_descent, py::arg("x"), py::arg("metric"), py::arg("k"), py::arg("seed"),
        py::arg("probes") = usual.probes, py::arg("sample") = usual.sample,
        py::arg("recall") = usual.recall, py::arg("rounds") = usual.rounds,
        py::arg("least_change") = usual.least_change);
}

}  // namespace kf::bind
