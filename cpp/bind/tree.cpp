// k-d trees over points that Python owns.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "bind/arrays.h"
#include "bind/registry.h"
#include "core/checked.h"
#include "tree/kd_tree.h"

namespace kf::bind {
namespace {

KdNorm norm_of(double p) {
  if (p == 1) return KdNorm::l1;
  if (p == 2) return KdNorm::l2;
  require(std::isinf(p) && p > 0, "p: expected 1, 2 or infinity");
  return KdNorm::max;
}

template <class T>
struct Balls {
  Array<T> queries;
  Array<double> radii;
  tree::BallOptions options;

  Balls(const tree::KdTree<T>& self, const py::object& q, const py::object& r, double p, double eps,
        std::size_t threads, bool sorted)
      : queries(expect<T>(q, "x", 2)), radii(expect<double>(r, "r", 1)) {
    require(cols(queries) == self.dimension(), "x: wrong dimension");
    require(rows(radii) == rows(queries), "r: expected one for each query");
    require(std::none_of(radii.data(), radii.data() + radii.size(),
                         [](double radius) { return std::isnan(radius) || radius < 0; }),
            "r: expected numbers >= 0");
    require(eps >= 0, "eps: expected a number >= 0");
    options = {norm_of(p), eps, sorted, threads};
  }
};

template <class T>
void register_kd_tree(py::module_& m, const char* name) {
  using Tree = tree::KdTree<T>;
  py::class_<Tree>(m, name, "Exact search in few dimensions over a copy of the points.")
      .def(py::init([](const py::object& data, std::size_t bucket, const py::object& order) {
             const auto x = expect<T>(data, "data", 2);
             Array<std::uint32_t> given;
             if (!order.is_none()) {
               given = expect<std::uint32_t>(order, "order", 1);
               require(rows(given) == rows(x), "order: expected one for each point");
             }
             const std::uint32_t* known = order.is_none() ? nullptr : given.data();
             const py::gil_scoped_release release;
             return new Tree(x.data(), rows(x), cols(x), bucket, known);
           }),
           py::arg("data"), py::arg("bucket"), py::arg("order") = py::none())
      .def("__len__", &Tree::size)
      .def_property_readonly("leaf_count", &Tree::leaf_count)
      .def("box",
           [](const Tree& self) {
             const auto d = static_cast<py::ssize_t>(self.dimension());
             return py::make_tuple(Array<T>(d, self.least().data()),
                                   Array<T>(d, self.most().data()));
           })
      .def("order",
           [](const Tree& self) { return copy_of(self.order().data(), self.order().size()); })
      .def(
          "nearest",
          [](const Tree& self, const py::object& x, std::size_t k, double p, double eps,
             double bound, std::size_t threads) {
            const auto queries = expect<T>(x, "x", 2);
            require(cols(queries) == self.dimension(), "x: wrong dimension");
            require(eps >= 0, "eps: expected a number >= 0");
            require(bound >= 0, "distance_upper_bound: expected a number >= 0");
            const tree::NearestOptions options{k, norm_of(p), eps, bound, threads};
            const Nearest<T> found(rows(queries), k);
            auto leaves = array_of<std::uint32_t>(rows(queries));
            std::uint32_t* l = leaves.mutable_data();
            {
              const py::gil_scoped_release release;
              self.nearest(queries.data(), rows(queries), options, found.distance, found.id, l);
            }
            return py::make_tuple(found.distances, found.ids, leaves);
          },
          py::arg("x"), py::arg("k"), py::arg("p"), py::arg("eps"), py::arg("bound"),
          py::arg("threads"))
      .def(
          "balls",
          [](const Tree& self, const py::object& x, const py::object& r, double p, double eps,
             std::size_t threads, bool sorted) {
            const Balls<T> in(self, x, r, p, eps, threads, sorted);
            std::vector<std::int64_t> starts, ids;
            {
              const py::gil_scoped_release release;
              self.balls(in.queries.data(), in.radii.data(), rows(in.queries), in.options, starts,
                         ids);
            }
            return py::make_tuple(adopt(std::move(starts)), adopt(std::move(ids)));
          },
          py::arg("x"), py::arg("r"), py::arg("p"), py::arg("eps"), py::arg("threads"),
          py::arg("sorted"))
      .def(
          "count_balls",
          [](const Tree& self, const py::object& x, const py::object& r, double p, double eps,
             std::size_t threads) {
            const Balls<T> in(self, x, r, p, eps, threads, false);
            Array<std::int64_t> counts(in.queries.shape(0));
            std::int64_t* out = counts.mutable_data();
            {
              const py::gil_scoped_release release;
              self.count_balls(in.queries.data(), in.radii.data(), rows(in.queries), in.options,
                               out);
            }
            return counts;
          },
          py::arg("x"), py::arg("r"), py::arg("p"), py::arg("eps"), py::arg("threads"))
      .def(
          "pairs",
          [](const Tree& self, double r, double p, double eps, std::size_t threads) {
            require(r >= 0, "r: expected a number >= 0");
            require(eps >= 0, "eps: expected a number >= 0");
            const tree::BallOptions options{norm_of(p), eps, true, threads};
            std::vector<std::int64_t> found;
            {
              const py::gil_scoped_release release;
              found = self.pairs(r, options);
            }
            const auto count = static_cast<py::ssize_t>(found.size() / 2);
            return adopt(std::move(found)).reshape({count, py::ssize_t{2}});
          },
          py::arg("r"), py::arg("p"), py::arg("eps"), py::arg("threads"));
}

}  // namespace

void register_tree(py::module_ m) {
  register_kd_tree<float>(m, "KdTree32");
  register_kd_tree<double>(m, "KdTree64");
}

}  // namespace kf::bind
