// Spatial verification of one query against many photos.

#include "geometry/verify.h"

#include <string>
#include <vector>

#include "bind/arrays.h"
#include "bind/registry.h"
#include "core/threads.h"

namespace kf::bind {
namespace {

geometry::Model model_named(const std::string& name) {
  if (name == "similarity") return geometry::Model::similarity;
  if (name == "affine") return geometry::Model::affine;
  if (name == "homography") return geometry::Model::homography;
  throw InvalidArgument("model: expected one of similarity, affine, homography, got '" + name +
                        "'");
}

// Keeps a photo's arrays alive while their pointers are in use.
struct Owned {
  Array<float> positions, scales, angles;
  geometry::Features features{};

  explicit Owned(const py::tuple& parts) {
    require(parts.size() == 3, "features: expected (positions, scales, angles)");
    positions = expect<float>(parts[0], "positions", 2);
    scales = expect<float>(parts[1], "scales", 1);
    angles = expect<float>(parts[2], "angles", 1);
    const std::size_t n = rows(positions);
    require(cols(positions) == 2 && rows(scales) == n && rows(angles) == n,
            "features: expected n of each");
    features = {positions.data(), scales.data(), angles.data(), n};
  }
};

}  // namespace

void register_geometry(py::module_ m) {
  m.def(
      "verify_many",
      [](const py::tuple& query, const py::list& photos, const py::list& pairs,
         const std::string& model, float coarse, float tolerance, float scale_factor,
         bool use_angles, std::size_t refined) {
        const Owned from(query);
        require(photos.size() == pairs.size(), "pairs: expected a list for each photo");
        std::vector<Owned> to;
        std::vector<Array<std::int64_t>> lists;
        for (std::size_t i = 0; i < photos.size(); ++i) {
          to.emplace_back(photos[i].cast<py::tuple>());
          lists.push_back(expect<std::int64_t>(pairs[i], "pairs", 2));
          const auto& list = lists.back();
          require(cols(list) == 2, "pairs: expected (m, 2)");
          for (std::size_t j = 0; j < rows(list); ++j)
            require(list.at(j, 0) >= 0 &&
                        list.at(j, 0) < static_cast<std::int64_t>(from.features.n) &&
                        list.at(j, 1) >= 0 &&
                        list.at(j, 1) < static_cast<std::int64_t>(to.back().features.n),
                    "pairs: row out of range");
        }
        const geometry::VerifyOptions options{model_named(model), coarse,     tolerance,
                                              scale_factor,       use_angles, refined};
        std::vector<geometry::Verified> results(to.size());
        {
          py::gil_scoped_release release;
          parallel_for(to.size(), 1, [&](std::size_t i, std::size_t) {
            results[i] = geometry::verify(from.features, to[i].features, lists[i].data(),
                                          rows(lists[i]), options);
          });
        }
        py::list out;
        for (const geometry::Verified& result : results) {
          Array<double> matrix(std::vector<py::ssize_t>{3, 3});
          std::copy(result.matrix.begin(), result.matrix.end(), matrix.mutable_data());
          out.append(py::make_tuple(
              matrix, Array<std::int64_t>(static_cast<py::ssize_t>(result.inliers.size()),
                                          result.inliers.data())));
        }
        return out;
      },
      py::arg("query"), py::arg("photos"), py::arg("pairs"), py::arg("model") = "affine",
      py::arg("coarse") = 20.0f, py::arg("tolerance") = 8.0f, py::arg("scale_factor") = 2.5f,
      py::arg("use_angles") = true, py::arg("refined") = 8);
}

}  // namespace kf::bind
