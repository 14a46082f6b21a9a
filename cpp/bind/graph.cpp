// Neighbour graphs: built from lists, diffused over, walked along.

#include <utility>
#include <vector>

#include "bind/arrays.h"
#include "bind/registry.h"
#include "graph/communities.h"
#include "graph/conjugate_gradient.h"
#include "graph/csr.h"
#include "graph/random_walk.h"
#include "graph/shortest_paths.h"
#include "graph/sliced.h"
#include "graph/symmetrize.h"

namespace kf::bind {

namespace {

// Holds the arrays that a graph::Csr points into.
struct GraphArrays {
  Array<std::int64_t> starts;
  Array<std::int32_t> neighbours;
  Array<float> weights;

  GraphArrays(const py::object& s, const py::object& i, const py::object& w)
      : starts(expect<std::int64_t>(s, "starts", 1)),
        neighbours(expect<std::int32_t>(i, "neighbours", 1)),
        weights(expect<float>(w, "weights", 1)) {
    require(starts.size() > 0, "starts: expected at least one entry");
    require(neighbours.size() == weights.size(), "weights: expected one for each neighbour");
  }

  graph::Csr view() const {
    return {rows(starts) - 1, rows(neighbours), starts.data(), neighbours.data(), weights.data()};
  }
};

using Solve = void (*)(const graph::Sliced&, const graph::RightSides&, const graph::FlowOptions&,
                       const float*, float*, const graph::FlowReport&);

graph::Sliced sliced(const py::object& starts, const py::object& neighbours,
                     const py::object& weights, bool halves) {
  const GraphArrays arrays(starts, neighbours, weights);
  const py::gil_scoped_release release;
  const graph::Csr csr = arrays.view();
  graph::check(csr);
  return {csr, halves ? graph::Storage::halves : graph::Storage::floats};
}

template <Solve solve>
py::tuple flow(const graph::Sliced& self, const py::object& side_starts, const py::object& side_ids,
               const py::object& side_values, double alpha, std::size_t iterations,
               double tolerance, const py::object& first_guess) {
  const auto s = expect<std::int64_t>(side_starts, "side_starts", 1);
  const auto i = expect<std::int32_t>(side_ids, "side_ids", 1);
  const auto v = expect<float>(side_values, "side_values", 1);
  require(s.size() > 0, "side_starts: expected at least one entry");
  require(i.size() == v.size(), "side_values: expected one for each id");
  require(alpha >= 0 && alpha < 1, "alpha: expected a number in [0, 1)");
  require(tolerance >= 0, "tolerance: expected a number >= 0");
  require(iterations <= 100000, "iterations: expected at most 100000");
  const graph::RightSides sides{rows(s) - 1, rows(i), s.data(), i.data(), v.data()};
  const std::size_t n = self.nodes();
  Array<float> guess;
  if (!first_guess.is_none()) {
    guess = expect<float>(first_guess, "start", 2);
    require(rows(guess) == sides.count && cols(guess) == n,
            "start: expected a row a query, a column a node");
  }
  auto out = array_of<float>(sides.count, n);
  auto taken = array_of<std::int32_t>(sides.count);
  auto residuals = array_of<double>(sides.count),
       history = array_of<double>(iterations + 1, sides.count);
  const graph::FlowReport report{taken.mutable_data(), residuals.mutable_data(),
                                 history.mutable_data()};
  const float* guessed = first_guess.is_none() ? nullptr : guess.data();
  float* scores = out.mutable_data();
  {
    const py::gil_scoped_release release;
    graph::check(sides, n);
    solve(self, sides, {alpha, iterations, tolerance}, guessed, scores, report);
  }
  return py::make_tuple(out, taken, residuals, history);
}

Array<float> multiply(const graph::Sliced& self, const py::object& x) {
  const auto in = expect<float>(x, "x", 2);
  require(cols(in) == self.nodes(), "x: expected a column a node");
  Array<float> out({in.shape(0), in.shape(1)});
  float* written = out.mutable_data();
  const std::size_t count = rows(in);
  {
    const py::gil_scoped_release release;
    graph::multiply(self, in.data(), count, written);
  }
  return out;
}

template <class Id>
py::tuple symmetrize(const py::object& ids, const py::object& weights, std::size_t k,
                     bool reciprocal) {
  const auto i = expect<Id>(ids, "ids", 2);
  const auto w = expect<float>(weights, "weights", 2);
  require(rows(i) == rows(w) && cols(i) == cols(w), "weights: expected the shape of ids");
  const graph::NeighbourLists<Id> lists{rows(i), cols(i), i.data(), w.data()};
  graph::OwnedCsr built;
  {
    const py::gil_scoped_release release;
    built = graph::symmetrize(lists, k, reciprocal);
  }
  return py::make_tuple(adopt(std::move(built.starts)), adopt(std::move(built.neighbours)),
                        adopt(std::move(built.weights)));
}

py::tuple path(const py::object& starts, const py::object& neighbours, const py::object& weights,
               const py::object& source_ids, const py::object& source_weights, std::int64_t target,
               const std::string& kind, double gamma) {
  const GraphArrays arrays(starts, neighbours, weights);
  const auto i = expect<std::int64_t>(source_ids, "source_ids", 1);
  const auto w = expect<float>(source_weights, "source_weights", 1);
  require(i.size() == w.size(), "source_weights: expected one for each id");
  require(gamma > 0, "gamma: expected a number > 0");
  graph::PathKind chosen = graph::PathKind::bottleneck;
  if (kind == "negative_log")
    chosen = graph::PathKind::negative_log;
  else if (kind == "one_minus")
    chosen = graph::PathKind::one_minus;
  else
    require(kind == "bottleneck", "kind: expected bottleneck, negative_log or one_minus");
  const graph::Csr csr = arrays.view();
  graph::Path found;
  {
    const py::gil_scoped_release release;
    graph::check(csr);
    found = graph::shortest_path(csr, {rows(i), i.data(), w.data()}, target, chosen, gamma);
  }
  return py::make_tuple(adopt(std::move(found.ids)), adopt(std::move(found.weights)));
}

// Runs over a graph without the interpreter's lock.
template <class Run>
auto over(const GraphArrays& arrays, Run&& run) {
  const graph::Csr csr = arrays.view();
  const py::gil_scoped_release release;
  graph::check(csr);
  return run(csr);
}

Array<std::int64_t> components(const py::object& starts, const py::object& neighbours,
                               const py::object& weights, float least) {
  return adopt(over({starts, neighbours, weights},
                    [&](const graph::Csr& csr) { return graph::components(csr, least); }));
}

Array<std::int64_t> communities(const py::object& starts, const py::object& neighbours,
                                const py::object& weights, double resolution, std::uint64_t seed) {
  require(resolution >= 0, "resolution: expected a number >= 0");
  return adopt(over({starts, neighbours, weights}, [&](const graph::Csr& csr) {
    return graph::communities(csr, resolution, seed);
  }));
}

double modularity(const py::object& starts, const py::object& neighbours, const py::object& weights,
                  const py::object& labels, double resolution) {
  const auto l = expect<std::int64_t>(labels, "labels", 1);
  require(static_cast<std::size_t>(l.size()) + 1 == py::len(starts),
          "labels: expected one for each node");
  const std::int64_t* of = l.data();
  return over({starts, neighbours, weights},
              [&](const graph::Csr& csr) { return graph::modularity(csr, of, resolution); });
}

}  // namespace

void register_graph(py::module_ m) {
  m.def(
      "symmetrize",
      [](const py::object& ids, const py::object& weights, std::size_t k, bool reciprocal) {
        return py::isinstance<Array<std::int32_t>>(ids)
                   ? symmetrize<std::int32_t>(ids, weights, k, reciprocal)
                   : symmetrize<std::int64_t>(ids, weights, k, reciprocal);
      },
      py::arg("ids"), py::arg("weights"), py::arg("k"), py::arg("reciprocal"));
  py::class_<graph::Sliced>(m, "FlowGraph", "A graph as solvers read it: ordered, in slices.")
      .def(py::init(&sliced), py::arg("starts"), py::arg("neighbours"), py::arg("weights"),
           py::arg("halves") = false)
      .def("__len__", &graph::Sliced::nodes)
      .def_property_readonly("nbytes", &graph::Sliced::bytes)
      .def("multiply", &multiply, py::arg("x"))
      .def("conjugate_gradient", &flow<graph::conjugate_gradient>, py::arg("side_starts"),
           py::arg("side_ids"), py::arg("side_values"), py::arg("alpha"), py::arg("iterations"),
           py::arg("tolerance"), py::arg("start") = py::none())
      .def("random_walk", &flow<graph::random_walk>, py::arg("side_starts"), py::arg("side_ids"),
           py::arg("side_values"), py::arg("alpha"), py::arg("iterations"), py::arg("tolerance"),
           py::arg("start") = py::none());
  m.def("path", &path, py::arg("starts"), py::arg("neighbours"), py::arg("weights"),
        py::arg("source_ids"), py::arg("source_weights"), py::arg("target"), py::arg("kind"),
        py::arg("gamma"));
  m.def("components", &components, py::arg("starts"), py::arg("neighbours"), py::arg("weights"),
        py::arg("least"));
  m.def("communities", &communities, py::arg("starts"), py::arg("neighbours"), py::arg("weights"),
        py::arg("resolution"), py::arg("seed"));
  m.def("modularity", &modularity, py::arg("starts"), py::arg("neighbours"), py::arg("weights"),
        py::arg("labels"), py::arg("resolution"));
}

}  // namespace kf::bind
