// What manifold learning asks of graphs: geodesic distances, sparse symmetric systems.

#include <algorithm>
#include <cmath>
#include <memory>

#include "bind/arrays.h"
#include "bind/registry.h"
#include "graph/csr.h"
#include "graph/geodesics.h"
#include "graph/symmetric.h"

namespace kf::bind {
namespace {

void require_lengths(const Array<float>& values, const char* message) {
  const float* data = values.data();
  const bool sound =
      std::all_of(data, data + values.size(), [](float length) { return length >= 0; });
  require(sound, message);
}

Array<float> geodesics(const py::object& starts, const py::object& neighbours,
                       const py::object& lengths, const py::object& side_starts,
                       const py::object& side_ids, const py::object& side_values) {
  const auto s = expect<std::int64_t>(starts, "starts", 1);
  const auto i = expect<std::int32_t>(neighbours, "neighbours", 1);
  const auto w = expect<float>(lengths, "lengths", 1);
  const auto ss = expect<std::int64_t>(side_starts, "side_starts", 1);
  const auto si = expect<std::int32_t>(side_ids, "side_ids", 1);
  const auto sv = expect<float>(side_values, "side_values", 1);
  require(s.size() > 0, "starts: expected at least one entry");
  require(i.size() == w.size(), "lengths: expected one for each neighbour");
  require(ss.size() > 0, "side_starts: expected at least one entry");
  require(si.size() == sv.size(), "side_values: expected one for each id");
  require_lengths(w, "lengths: expected numbers >= 0");
  require_lengths(sv, "side_values: expected numbers >= 0");
  const graph::Csr csr{rows(s) - 1, rows(i), s.data(), i.data(), w.data()};
  const graph::RightSides sides{rows(ss) - 1, rows(si), ss.data(), si.data(), sv.data()};
  Array<float> out({ss.size() - 1, s.size() - 1});
  float* data = out.mutable_data();
  {
    const py::gil_scoped_release release;
    graph::check(csr);
    graph::check(sides, csr.n);
    graph::geodesics(csr, sides, data);
  }
  return out;
}

// Holds the arrays that a graph::SymmetricMatrix points into, and its factor once there is one.
class Symmetric {
 public:
  Symmetric(const py::object& starts, const py::object& columns, const py::object& values)
      : starts_(expect<std::int64_t>(starts, "starts", 1)),
        columns_(expect<std::int32_t>(columns, "columns", 1)),
        values_(expect<double>(values, "values", 1)) {
    require(starts_.size() > 0, "starts: expected at least one entry");
    require(columns_.size() == values_.size(), "values: expected one for each column");
    const double* data = values_.data();
    require(std::all_of(data, data + values_.size(), [](double v) { return std::isfinite(v); }),
            "values: expected finite numbers");
    graph::check(view());
  }

  Array<double> multiply(const py::object& block) const {
    const auto x = block_of(block);
    Array<double> out({x.shape(0), x.shape(1)});
    double* data = out.mutable_data();
    const py::gil_scoped_release release;
    graph::multiply(view(), x.data(), cols(x), data);
    return out;
  }

  // Whether L has at most so many entries: then it has been computed.
  bool factorize(double shift, std::size_t most) {
    const py::gil_scoped_release release;
    factor_ = std::make_unique<graph::Factor>(view(), shift);
    if (factor_->fill() > most) {
      factor_.reset();
      return false;
    }
    factor_->factorize();
    return true;
  }

  Array<double> solve(const py::object& block) const {
    const auto x = block_of(block);
    require(factor_ != nullptr, "matrix: expected one that was factorized");
    Array<double> out({x.shape(0), x.shape(1)});
    double* data = out.mutable_data();
    const py::gil_scoped_release release;
    std::copy_n(x.data(), rows(x) * cols(x), data);
    factor_->solve(data, cols(x));
    return out;
  }

 private:
  graph::SymmetricMatrix view() const {
    return {rows(starts_) - 1, rows(columns_), starts_.data(), columns_.data(), values_.data()};
  }

  Array<double> block_of(const py::object& block) const {
    auto x = expect<double>(block, "x", 2);
    require(rows(x) == rows(starts_) - 1, "x: expected one row for each row of the matrix");
    require(cols(x) > 0, "x: expected at least one column");
    return x;
  }

  Array<std::int64_t> starts_;
  Array<std::int32_t> columns_;
  Array<double> values_;
  std::unique_ptr<graph::Factor> factor_;
};

}  // namespace

void register_manifold(py::module_ m) {
  m.def("geodesics", &geodesics, py::arg("starts"), py::arg("neighbours"), py::arg("lengths"),
        py::arg("side_starts"), py::arg("side_ids"), py::arg("side_values"));
  py::class_<Symmetric>(m, "Symmetric")
      .def(py::init<const py::object&, const py::object&, const py::object&>(), py::arg("starts"),
           py::arg("columns"), py::arg("values"))
      .def("multiply", &Symmetric::multiply, py::arg("x"))
      .def("factorize", &Symmetric::factorize, py::arg("shift"), py::arg("most"))
      .def("solve", &Symmetric::solve, py::arg("x"));
}

}  // namespace kf::bind
