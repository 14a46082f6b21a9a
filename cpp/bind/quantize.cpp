// Clustering over an array that Python owns.

#include "quantize/kmeans.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "bind/arrays.h"
#include "bind/registry.h"
#include "core/checked.h"
#include "core/threads.h"
#include "kernels/vectors.h"
#include "quantize/cluster_tree.h"

namespace kf::bind {
namespace {

struct BoundClustering {
  Array<float> points;
  std::unique_ptr<quantize::Clustering> clustering;
};

// (x - shift) a + bias in blocks of rows; each row's bits are the same in any batch.
Array<float> linear(const py::object& x, const py::object& shift, const py::object& a,
                    const py::object& bias) {
  const auto rows_of = expect<float>(x, "x", 2), matrix = expect<float>(a, "a", 2);
  const std::size_t n = rows(rows_of), d = cols(rows_of), p = cols(matrix);
  require(rows(matrix) == d, "a: expected a row for each dimension of x");
  Array<float> before, after;
  if (!shift.is_none()) before = expect<float>(shift, "shift", 1);
  if (!bias.is_none()) after = expect<float>(bias, "bias", 1);
  require(shift.is_none() || rows(before) == d, "shift: expected a number for each dimension of x");
  require(bias.is_none() || rows(after) == p, "bias: expected a number for each column of a");
  Array<float> out(std::vector<py::ssize_t>{rows_of.shape(0), matrix.shape(1)});
  const float *from = rows_of.data(), *by = matrix.data();
  const float* minus = shift.is_none() ? nullptr : before.data();
  const float* plus = bias.is_none() ? nullptr : after.data();
  float* to = out.mutable_data();
  {
    py::gil_scoped_release release;
    parallel_for(n, 64, [&](std::size_t begin, std::size_t end) {
      std::vector<float> moved;
      const float* block = from + begin * d;
      if (minus) {
        moved.assign(block, from + end * d);
        for (std::size_t i = 0; i < moved.size(); ++i) moved[i] -= minus[i % d];
        block = moved.data();
      }
      for (std::size_t i = begin * p; i < end * p; ++i) to[i] = plus ? plus[i % p] : 0.0f;
      kernels<VectorKernels>().multiply(block, end - begin, d, by, p, to + begin * p);
    });
  }
  return out;
}

py::tuple descend(const py::object& x, const py::object& inner, const py::object& leaves,
                  std::size_t branch, std::size_t paths, std::size_t k, std::size_t threads) {
  const auto points = expect<float>(x, "x", 2), nodes = expect<float>(inner, "inner", 2),
             ends = expect<float>(leaves, "leaves", 2);
  quantize::ClusterTree tree{cols(points), branch, 1, nodes.data(), ends.data()};
  require(branch > 1 && paths > 0 && k > 0, "branch: expected at least 2, paths and k at least 1");
  require(cols(nodes) == tree.d && cols(ends) == tree.d && tree.d > 0,
          "inner: expected the dimension of x");
  std::size_t rows_of_level = branch, before = 0;
  for (; rows_of_level < rows(ends); ++tree.depth) {
    before += rows_of_level;
    rows_of_level = checked_mul(rows_of_level, branch);
  }
  require(rows_of_level == rows(ends) && before == rows(nodes),
          "inner: expected the levels above the leaves, each branch times the one before");
  const std::size_t n = rows(points);
  const Nearest found(n, k);
  {
    py::gil_scoped_release release;
    quantize::descend(tree, points.data(), n, paths, k, threads, found.distance, found.id);
  }
  return py::make_tuple(found.distances, found.ids);
}

}  // namespace

void register_quantize(py::module_ m) {
  m.def("descend", &descend, py::arg("x"), py::arg("inner"), py::arg("leaves"), py::arg("branch"),
        py::arg("paths"), py::arg("k"), py::arg("threads") = 0,
        "The k nearest leaves of a tree of clusters among the children of the nearest nodes: "
        "distances and numbers.");
  m.def("linear", &linear, py::arg("x"), py::arg("shift"), py::arg("a"), py::arg("bias"),
        "(x - shift) a + bias; shift and bias may be None.");
  py::class_<BoundClustering>(m, "Clustering", "Points prepared once for many Lloyd iterations.")
      .def(py::init([](const py::object& points) {
             auto array = expect<float>(points, "points", 2);
             require(rows(array) > 0 && cols(array) > 0, "points: expected at least one vector");
             require(cols(array) <= 32768, "points: expected at most 32768 dimensions");
             const float* data = array.data();
             const std::size_t n = rows(array), d = cols(array);
             py::gil_scoped_release release;
             auto made = std::make_unique<quantize::Clustering>(data, n, d);
             py::gil_scoped_acquire acquire;
             return BoundClustering{std::move(array), std::move(made)};
           }),
           py::arg("points"))
      .def(
          "assign",
          [](BoundClustering& self, const py::object& centroids, const py::object& warm) {
            const auto c = expect<float>(centroids, "centroids", 2);
            const std::size_t n = self.clustering->size(), k = rows(c);
            require(k > 0 && cols(c) == self.clustering->dimension(),
                    "centroids: expected (k, d) of the points' dimension");
            auto labels = array_of<std::int64_t>(n);
            auto distances = array_of<float>(n);
            if (!warm.is_none()) {
              const auto before = expect<std::int64_t>(warm, "warm", 1);
              require(rows(before) == n, "warm: expected one label for each point");
              for (std::size_t i = 0; i < n; ++i) {
                require(before.data()[i] >= 0 && before.data()[i] < static_cast<std::int64_t>(k),
                        "warm: label out of range");
                labels.mutable_data()[i] = before.data()[i];
              }
            }
            std::int64_t* l = labels.mutable_data();
            float* d = distances.mutable_data();
            const bool start = !warm.is_none();
            {
              py::gil_scoped_release release;
              self.clustering->assign(c.data(), k, start, l, d);
            }
            return py::make_tuple(labels, distances);
          },
          py::arg("centroids"), py::arg("warm") = py::none())
      .def(
          "update",
          [](const BoundClustering& self, const py::object& labels, const py::object& centroids) {
            const auto l = expect<std::int64_t>(labels, "labels", 1);
            const auto before = expect<float>(centroids, "centroids", 2);
            const std::size_t k = rows(before);
            require(rows(l) == self.clustering->size(), "labels: expected one for each point");
            require(cols(before) == self.clustering->dimension(), "centroids: wrong dimension");
            for (std::size_t i = 0; i < rows(l); ++i)
              require(l.data()[i] >= 0 && l.data()[i] < static_cast<std::int64_t>(k),
                      "labels: out of range");
            Array<float> means(std::vector<py::ssize_t>{before.shape(0), before.shape(1)});
            std::copy_n(before.data(), before.size(), means.mutable_data());
            Array<std::int64_t> counts(before.shape(0));
            float* c = means.mutable_data();
            std::int64_t* n = counts.mutable_data();
            {
              py::gil_scoped_release release;
              self.clustering->update(l.data(), k, c, n);
            }
            return py::make_tuple(means, counts);
          },
          py::arg("labels"), py::arg("centroids"))
      .def(
          "seed",
          [](const BoundClustering& self, std::size_t k, const py::object& weights,
             std::uint64_t seed) {
            require(k > 0 && k <= self.clustering->size(),
                    "k: expected from 1 to the number of points");
            Array<double> w;
            if (!weights.is_none()) {
              w = expect<double>(weights, "weights", 1);
              require(rows(w) == self.clustering->size(), "weights: expected one for each point");
            }
            const double* data = weights.is_none() ? nullptr : w.data();
            std::vector<std::int64_t> chosen;
            {
              py::gil_scoped_release release;
              chosen = self.clustering->seed(k, data, seed);
            }
            return copy_of(chosen.data(), chosen.size());
          },
          py::arg("k"), py::arg("weights") = py::none(), py::arg("seed") = 0);

  m.def(
      "hadamard",
      [](const py::object& x, const py::object& signs) {
        const auto array = expect<float>(x, "x", 2), turns = expect<float>(signs, "signs", 3);
        const std::size_t n = rows(array), d = cols(array), blocks = rows(turns),
                          rounds = cols(turns), size = static_cast<std::size_t>(turns.shape(2));
        require(size >= d && size > 0 && (size & (size - 1)) == 0,
                "signs: expected a power of two, at least the dimension");
        auto out = array_of<float>(n, blocks * size);
        float* y = out.mutable_data();
        py::gil_scoped_release release;
        const auto transform = kernels<VectorKernels>().hadamard;
        const float scale = 1 / std::sqrt(static_cast<float>(size));
        parallel_for(n, 16, [&](std::size_t begin, std::size_t end) {
          for (std::size_t i = begin; i < end; ++i)
            for (std::size_t b = 0; b < blocks; ++b) {
              float* own = y + (i * blocks + b) * size;
              std::copy_n(array.data() + i * d, d, own);
              std::fill(own + d, own + size, 0.0f);
              for (std::size_t r = 0; r < rounds; ++r) {
                const float* sign = turns.data() + (b * rounds + r) * size;
                for (std::size_t j = 0; j < size; ++j) own[j] *= sign[j] * scale;
                transform(own, size);
              }
            }
        });
        return out;
      },
      py::arg("x"), py::arg("signs"),
      "Rounds of random signs and Walsh-Hadamard transforms: (n, d) to (n, blocks * size).");
}

}  // namespace kf::bind
