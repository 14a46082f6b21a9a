// Residuals added up photo by photo.

#include "words/aggregate.h"

#include <algorithm>

#include "bind/parts.h"
#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"

namespace kf::bind {
namespace {

py::tuple aggregate(const py::object& x, const py::object& starts, const py::object& words,
                    const py::object& codebook, const py::object& limits, bool signs,
                    std::size_t threads) {
  const auto vectors = expect<float>(x, "x", 2), books = expect<float>(codebook, "codebook", 2);
  const auto first = expect<std::int64_t>(starts, "starts", 1);
  const auto word = expect<std::int64_t>(words, "words", 2);
  require_starts(first, rows(vectors));
  require(rows(word) == rows(vectors) && cols(books) == cols(vectors) && cols(vectors) > 0,
          "words: expected a row for each vector");
  const std::size_t n = checked_mul(rows(word), cols(word));
  require(rows(vectors) < (std::size_t{1} << 32), "x: expected fewer than 2^32 vectors");
  for (std::size_t i = 0; i < n; ++i)
    require(word.data()[i] >= 0 && word.data()[i] < static_cast<std::int64_t>(rows(books)),
            "words: out of range");
  std::vector<py::object> keep;
  const std::size_t d = cols(vectors);
  const words::Assigned given{
      rows(first) - 1,
      d,
      cols(word),
      rows(books),
      first.data(),
      vectors.data(),
      word.data(),
      books.data(),
      data_of<float>(limits, "limits", 2, checked_mul(rows(books), d), keep)};
  words::PartShape shape;
  (signs ? shape.width : shape.d) = signs ? (d + 63) / 64 : d;
  words::Aggregates found;
  {
    py::gil_scoped_release release;
    found = words::aggregate(given, shape, threads);
  }
  py::array parts = parts_array(found.word.size(), shape);
  std::copy(found.parts.begin(), found.parts.end(),
            static_cast<std::uint8_t*>(parts.mutable_data()));
  return py::make_tuple(copy_of(found.starts.data(), found.starts.size()),
                        copy_of(found.word.data(), found.word.size()), parts);
}

}  // namespace

void register_aggregate(py::module_ m) {
  m.def("aggregate", &aggregate, py::arg("x"), py::arg("starts"), py::arg("words"),
        py::arg("codebook"), py::arg("limits"), py::arg("signs"), py::arg("threads") = 0,
        "What photos hold of their words: starts (photos + 1,), words uint32 (n,) ascending in "
        "each photo, parts (n, .).");
}

}  // namespace kf::bind
