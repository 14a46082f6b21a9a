// Matching and spatial verification of one query against many photos.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bind/arrays.h"
#include "bind/registry.h"
#include "core/threads.h"
#include "geometry/match.h"
#include "geometry/verify.h"
#include "kernels/geometry.h"

namespace kf::bind {
namespace {

geometry::Model model_named(const std::string& name) {
  if (name == "similarity") return geometry::Model::similarity;
  if (name == "affine") return geometry::Model::affine;
  if (name == "homography") return geometry::Model::homography;
  throw InvalidArgument("model: expected one of similarity, affine, homography, got '" + name +
                        "'");
}

bool finite(const float* x, std::size_t n) {
  return std::all_of(x, x + n, [](float v) { return std::isfinite(v); });
}

// Keeps a photo's arrays alive while their pointers are in use.
struct Owned {
  Array<float> positions, scales, angles, shapes;
  geometry::Features features{};

  Owned(const py::tuple& parts, const std::string& name) {
    require(parts.size() == 4, "features: expected (positions, scales, angles, shapes)");
    const auto check = [&](bool right, const char* message) {
      if (!right) throw InvalidArgument(name + ": expected " + message);
    };
    for (std::size_t i = 0; i < 3; ++i)
      check(py::isinstance<Array<float>>(parts[i]), "float32 arrays");
    positions = parts[0].cast<Array<float>>();
    scales = parts[1].cast<Array<float>>();
    angles = parts[2].cast<Array<float>>();
    check(positions.ndim() == 2 && cols(positions) == 2 && scales.ndim() == 1 &&
              angles.ndim() == 1 && rows(scales) == rows(positions) &&
              rows(angles) == rows(positions),
          "positions (n, 2), scales (n,) and angles (n,)");
    const std::size_t n = rows(positions);
    check(finite(positions.data(), 2 * n) && finite(scales.data(), n) && finite(angles.data(), n) &&
              std::all_of(scales.data(), scales.data() + n, [](float s) { return s > 0; }),
          "finite positions and angles, and scales above 0");
    features = {positions.data(), scales.data(), angles.data(), nullptr, n};
    if (parts[3].is_none()) return;
    check(py::isinstance<Array<float>>(parts[3]), "float32 arrays");
    shapes = parts[3].cast<Array<float>>();
    check(shapes.ndim() == 3 && rows(shapes) == n && shapes.shape(1) == 2 && shapes.shape(2) == 2 &&
              finite(shapes.data(), 4 * n),
          "finite shapes (n, 2, 2)");
    features.shapes = shapes.data();
  }
};

void check_pairs(const Array<std::int64_t>& pairs, std::size_t n, std::size_t m) {
  require(cols(pairs) == 2, "correspondences: expected (m, 2)");
  const std::int64_t* rows_of = pairs.data();
  bool within = true;
  for (std::size_t j = 0; j < rows(pairs); ++j)
    within &= static_cast<std::uint64_t>(rows_of[2 * j]) < n &&
              static_cast<std::uint64_t>(rows_of[2 * j + 1]) < m;
  if (!within)
    throw InvalidArgument("correspondences: expected rows below " + std::to_string(n) + " and " +
                          std::to_string(m));
}

// For each photo the map, and the rows of the query's and of the photo's features that it explains
// and that it does not.
py::list verify_many(const py::tuple& query, const py::list& photos, const py::list& pairs,
                     const py::object& qualities, const geometry::VerifyOptions& options) {
  const Owned from(query, "query");
  require(photos.size() == pairs.size(), "correspondences: expected a list for each photo");
  const bool known = !qualities.is_none();
  const py::list given = known ? qualities.cast<py::list>() : py::list();
  require(!known || given.size() == pairs.size(), "qualities: expected a list for each photo");
  std::vector<Owned> to;
  std::vector<Array<std::int64_t>> lists;
  std::vector<Array<float>> quality;
  for (std::size_t i = 0; i < photos.size(); ++i) {
    to.emplace_back(photos[i].cast<py::tuple>(), "photos");
    lists.push_back(expect<std::int64_t>(pairs[i], "correspondences", 2));
    check_pairs(lists.back(), from.features.n, to.back().features.n);
    if (!known) continue;
    quality.push_back(expect<float>(given[i], "qualities", 1));
    require(rows(quality.back()) == rows(lists.back()), "qualities: expected one for each pair");
  }
  std::vector<geometry::Verified> results(to.size());
  {
    py::gil_scoped_release release;
    parallel_for(to.size(), 1, [&](std::size_t i, std::size_t) {
      results[i] = geometry::verify(from.features, to[i].features, lists[i].data(),
                                    known ? quality[i].data() : nullptr, rows(lists[i]), options);
    });
  }
  py::list out;
  for (std::size_t i = 0; i < results.size(); ++i) {
    Array<double> matrix(std::vector<py::ssize_t>{3, 3});
    std::copy(results[i].matrix.begin(), results[i].matrix.end(), matrix.mutable_data());
    const std::vector<std::int64_t>& fits = results[i].inliers;
    const std::size_t n = rows(lists[i]), found = fits.size();
    const auto room = [](std::size_t m) { return array_of<std::int64_t>(m, 2); };
    Array<std::int64_t> inliers = room(found), others = room(n - found);
    std::int64_t *in = inliers.mutable_data(), *out_of = others.mutable_data();
    for (std::size_t row = 0, k = 0; row < n; ++row) {
      const bool fit = k < found && fits[k] == static_cast<std::int64_t>(row);
      std::int64_t*& at = fit ? in : out_of;
      at = std::copy_n(lists[i].data() + 2 * row, 2, at);
      k += fit;
    }
    out.append(py::make_tuple(matrix, inliers, others));
  }
  return out;
}

std::vector<const geometry::Coded*> coded_of(const geometry::Coded& query, const py::list& photos) {
  std::vector<const geometry::Coded*> coded;
  for (const py::handle& photo : photos) {
    coded.push_back(&photo.cast<const geometry::Coded&>());
    require(coded.back()->dim() == query.dim(), "photos: expected codes of the query's dimension");
  }
  return coded;
}

py::list as_arrays(const std::vector<geometry::Pairs>& found) {
  py::list out;
  for (const geometry::Pairs& pairs : found) {
    auto array = array_of<std::int64_t>(pairs.size(), 2);
    std::int64_t* at = array.mutable_data();
    for (const auto& [q, p] : pairs) *at++ = q, *at++ = p;
    out.append(array);
  }
  return out;
}

py::list match_many(const geometry::Coded& query, const py::list& photos, double ratio,
                    bool mutual) {
  const auto coded = coded_of(query, photos);
  std::vector<geometry::Pairs> found(coded.size());
  {
    py::gil_scoped_release release;
    const geometry::Asking asking(query);
    parallel_for(coded.size(), 1, [&](std::size_t i, std::size_t) {
      found[i] = asking.match(*coded[i], {ratio, mutual});
    });
  }
  return as_arrays(found);
}

void check_words(const Array<std::int64_t>& words, const char* name) {
  const std::int64_t* x = words.data();
  if (std::any_of(x, x + words.size(), [](std::int64_t word) { return word < 0 || word >> 32; }))
    throw InvalidArgument(std::string(name) + ": expected words from 0 to 2**32 - 1");
}

py::list match_words(const geometry::Coded& query, const py::list& photos,
                     const py::object& query_words, const py::list& photo_words, std::size_t most,
                     double ratio, bool mutual) {
  const auto coded = coded_of(query, photos);
  const auto asked = expect<std::int64_t>(query_words, "query_words", 2);
  require(rows(asked) == query.size(), "query_words: expected a row for each feature");
  check_words(asked, "query_words");
  require(photo_words.size() == coded.size(), "photo_words: expected words for each photo");
  std::vector<Array<std::int64_t>> held;
  for (std::size_t i = 0; i < coded.size(); ++i) {
    held.push_back(expect<std::int64_t>(photo_words[i], "photo_words", 1));
    require(rows(held.back()) == coded[i]->size(), "photo_words: expected one for each feature");
    check_words(held.back(), "photo_words");
  }
  std::vector<geometry::Pairs> found(coded.size());
  {
    py::gil_scoped_release release;
    const geometry::Asking asking(query);
    parallel_for(coded.size(), 1, [&](std::size_t i, std::size_t) {
      found[i] = asking.match_words(*coded[i], asked.data(), held[i].data(), cols(asked), most,
                                    {ratio, mutual});
    });
  }
  return as_arrays(found);
}

}  // namespace

void register_geometry(py::module_ m) {
  py::class_<geometry::Coded>(m, "Coded")
      .def(py::init([](const py::object& codes, const py::object& positions) {
             const auto x = expect<std::uint8_t>(codes, "codes", 2);
             const auto places = expect<float>(positions, "positions", 2);
             require(rows(places) == rows(x) && cols(places) == 2,
                     "positions: expected (n, 2), n as of the codes");
             require(cols(x) > 0 && cols(x) <= 4096, "codes: expected 1 to 4096 dimensions");
             py::gil_scoped_release release;
             return std::make_unique<geometry::Coded>(x.data(), rows(x), cols(x), places.data());
           }),
           py::arg("codes"), py::arg("positions"))
      .def("__len__", &geometry::Coded::size);
  m.def(
      "root_codes",
      [](const py::object& descriptors, float scale) {
        const auto x = expect<std::uint8_t>(descriptors, "descriptors", 2);
        Array<std::uint8_t> codes(std::vector<py::ssize_t>{x.shape(0), x.shape(1)});
        py::gil_scoped_release release;
        kernels<GeometryKernels>().root_codes(x.data(), rows(x), cols(x), scale,
                                              codes.mutable_data());
        return codes;
      },
      py::arg("descriptors"), py::arg("scale"));
  m.def("match_many", &match_many, py::arg("query"), py::arg("photos"), py::arg("ratio"),
        py::arg("mutual"));
  m.def("match_words", &match_words, py::arg("query"), py::arg("photos"), py::arg("query_words"),
        py::arg("photo_words"), py::arg("most"), py::arg("ratio"), py::arg("mutual"));
  m.def(
      "verify_many",
      [](const py::tuple& query, const py::list& photos, const py::list& pairs,
         const py::object& qualities, const std::string& model, float coarse, float tolerance,
         float scale_factor, bool use_angles, bool mirrored, std::size_t refined, bool sampled,
         std::uint64_t seed, double confidence, std::size_t samples) {
        return verify_many(query, photos, pairs, qualities,
                           {model_named(model),
                            coarse,
                            tolerance,
                            {scale_factor, use_angles, mirrored},
                            refined,
                            sampled,
                            seed,
                            confidence,
                            samples});
      },
      py::arg("query"), py::arg("photos"), py::arg("pairs"), py::arg("qualities") = py::none(),
      py::arg("model") = "affine", py::arg("coarse") = 20.0f, py::arg("tolerance") = 8.0f,
      py::arg("scale_factor") = 2.5f, py::arg("use_angles") = true, py::arg("mirrored") = false,
      py::arg("refined") = 8, py::arg("sampled") = false, py::arg("seed") = 0,
      py::arg("confidence") = 0.99, py::arg("samples") = 10'000);
}

}  // namespace kf::bind
