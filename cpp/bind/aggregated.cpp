// Aggregated residuals and their inverted file over arrays that Python owns.

#include "scan/aggregated.h"

#include <algorithm>
#include <memory>

#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"
#include "core/threads.h"

namespace kf::bind {
namespace {

struct BoundPhotos {
  std::vector<py::object> keep;
  std::size_t words = 0;
  scan::ByPhoto photos;
};

struct BoundWords {
  std::vector<py::object> keep;
  scan::ByWord lists;
};

// starts[0] = 0, rising to n.
void check_rising(const Array<std::int64_t>& starts, std::size_t n) {
  const std::size_t count = rows(starts);
  require(count > 0 && starts.data()[0] == 0, "starts: expected to begin with 0");
  for (std::size_t i = 1; i < count; ++i)
    require(starts.data()[i - 1] <= starts.data()[i], "starts: expected to rise");
  require(starts.data()[count - 1] == static_cast<std::int64_t>(n),
          "starts: expected to end with the number of parts");
}

scan::PartShape shape_of(const py::object& parts, std::size_t n, const void** data,
                         std::vector<py::object>& keep) {
  scan::PartShape shape;
  if (py::isinstance<Array<std::uint64_t>>(parts)) {
    const auto codes = expect<std::uint64_t>(parts, "parts", 2);
    shape.width = cols(codes);
    *data = data_of<std::uint64_t>(parts, "parts", 2, checked_mul(n, shape.width), keep);
  } else {
    const auto vectors = expect<float>(parts, "parts", 2);
    shape.d = cols(vectors);
    *data = data_of<float>(parts, "parts", 2, checked_mul(n, shape.d), keep);
  }
  require(shape.bytes() > 0, "parts: expected at least one column");
  return shape;
}

std::unique_ptr<BoundPhotos> make_photos(std::size_t words, const py::object& starts,
                                         const py::object& word, const py::object& parts) {
  auto bound = std::make_unique<BoundPhotos>();
  scan::ByPhoto& p = bound->photos;
  const auto first = expect<std::int64_t>(starts, "starts", 1);
  const auto held = expect<std::uint32_t>(word, "word", 1);
  check_rising(first, rows(held));
  for (std::size_t i = 0; i < rows(held); ++i)
    require(held.data()[i] < words, "word: out of range");
  bound->words = words;
  bound->keep = {starts, word};
  p.photos = rows(first) - 1;
  p.starts = first.data();
  p.word = held.data();
  p.shape = shape_of(parts, rows(held), &p.parts, bound->keep);
  return bound;
}

std::unique_ptr<BoundWords> make_words(std::size_t photos, const py::object& starts,
                                       const py::object& photo, const py::object& parts) {
  auto bound = std::make_unique<BoundWords>();
  scan::ByWord& l = bound->lists;
  const auto first = expect<std::int64_t>(starts, "starts", 1);
  const auto holders = expect<std::uint32_t>(photo, "photo", 1);
  check_rising(first, rows(holders));
  require(rows(first) > 1, "starts: expected at least one word");
  for (std::size_t i = 0; i < rows(holders); ++i)
    require(holders.data()[i] < photos, "photo: out of range");
  bound->keep = {starts, photo};
  l.words = rows(first) - 1;
  l.photos = photos;
  l.starts = first.data();
  l.photo = holders.data();
  l.shape = shape_of(parts, rows(holders), &l.parts, bound->keep);
  return bound;
}

void check_alike(const BoundWords& lists, const BoundPhotos& photos) {
  require(lists.lists.words == photos.words &&
              lists.lists.shape.width == photos.photos.shape.width &&
              lists.lists.shape.d == photos.photos.shape.d,
          "photos: expected the words and parts of the lists");
}

// An array of n parts.
py::array parts_array(std::size_t n, scan::PartShape shape) {
  const auto count = static_cast<py::ssize_t>(n);
  if (shape.width) return Array<std::uint64_t>({count, static_cast<py::ssize_t>(shape.width)});
  return Array<float>({count, static_cast<py::ssize_t>(shape.d)});
}

py::tuple aggregate(const py::object& x, const py::object& starts, const py::object& words,
                    const py::object& codebook, const py::object& limits, bool signs,
                    std::size_t threads) {
  const auto vectors = expect<float>(x, "x", 2), books = expect<float>(codebook, "codebook", 2);
  const auto first = expect<std::int64_t>(starts, "starts", 1);
  const auto word = expect<std::int64_t>(words, "words", 2);
  check_rising(first, rows(vectors));
  require(rows(word) == rows(vectors) && cols(books) == cols(vectors) && cols(vectors) > 0,
          "words: expected a row for each vector");
  const std::size_t n = checked_mul(rows(word), cols(word));
  require(rows(vectors) < (std::size_t{1} << 32), "x: expected fewer than 2^32 vectors");
  for (std::size_t i = 0; i < n; ++i)
    require(word.data()[i] >= 0 && word.data()[i] < static_cast<std::int64_t>(rows(books)),
            "words: out of range");
  std::vector<py::object> keep;
  const std::size_t d = cols(vectors);
  const scan::Assigned given{
      rows(first) - 1,
      d,
      cols(word),
      rows(books),
      first.data(),
      vectors.data(),
      word.data(),
      books.data(),
      data_of<float>(limits, "limits", 2, checked_mul(rows(books), d), keep)};
  scan::PartShape shape;
  (signs ? shape.width : shape.d) = signs ? (d + 63) / 64 : d;
  scan::Aggregates found;
  {
    py::gil_scoped_release release;
    found = scan::aggregate(given, shape, threads);
  }
  py::array parts = parts_array(found.word.size(), shape);
  std::copy(found.parts.begin(), found.parts.end(),
            static_cast<std::uint8_t*>(parts.mutable_data()));
  return py::make_tuple(
      Array<std::int64_t>(static_cast<py::ssize_t>(found.starts.size()), found.starts.data()),
      Array<std::uint32_t>(static_cast<py::ssize_t>(found.word.size()), found.word.data()), parts);
}

py::tuple merged(const BoundWords& self, const BoundPhotos& more) {
  check_alike(self, more);
  const scan::ByWord& l = self.lists;
  const std::size_t n = l.size() + more.photos.size();
  Array<std::int64_t> starts(static_cast<py::ssize_t>(l.words + 1));
  Array<std::uint32_t> photo(static_cast<py::ssize_t>(n));
  py::array parts = parts_array(n, l.shape);
  std::int64_t* to_starts = starts.mutable_data();
  std::uint32_t* to_photo = photo.mutable_data();
  void* to_parts = parts.mutable_data();
  {
    py::gil_scoped_release release;
    scan::merge(l, more.photos, to_starts, to_photo, to_parts);
  }
  return py::make_tuple(starts, photo, parts);
}

py::tuple photo_by_photo(const BoundWords& self) {
  const scan::ByWord& l = self.lists;
  Array<std::int64_t> starts(static_cast<py::ssize_t>(l.photos + 1));
  Array<std::uint32_t> word(static_cast<py::ssize_t>(l.size()));
  py::array parts = parts_array(l.size(), l.shape);
  std::int64_t* to_starts = starts.mutable_data();
  std::uint32_t* to_word = word.mutable_data();
  void* to_parts = parts.mutable_data();
  {
    py::gil_scoped_release release;
    scan::by_photo(l, to_starts, to_word, to_parts);
  }
  return py::make_tuple(starts, word, parts);
}

Array<double> totals(const BoundWords& self, const BoundPhotos& more, const py::object& weights) {
  check_alike(self, more);
  const auto of = expect<float>(weights, "weights", 1);
  require(rows(of) == self.lists.words, "weights: expected one a word");
  Array<double> out(static_cast<py::ssize_t>(self.lists.photos + more.photos.photos));
  double* to = out.mutable_data();
  py::gil_scoped_release release;
  std::fill_n(to, self.lists.photos + more.photos.photos, 0.0);
  scan::total_weights(self.lists, more.photos, of.data(), to);
  return out;
}

Array<float> scores(const BoundWords& self, const BoundPhotos& more, const BoundPhotos& queries,
                    const py::object& weights, const py::object& table, float alpha, float tau,
                    std::size_t threads) {
  check_alike(self, more);
  check_alike(self, queries);
  const scan::ByWord& l = self.lists;
  const auto of = expect<float>(weights, "weights", 1);
  require(rows(of) == l.words, "weights: expected one a word");
  std::vector<py::object> keep;
  scan::Selectivity by{nullptr, 0, alpha, tau};
  const std::size_t entries = 64 * l.shape.width + 1;
  by.table = data_of<float>(table, "table", 1, entries, keep);
  require(!l.shape.width || by.table, "table: expected one with codes");
  if (by.table)
    for (std::size_t i = 0; i < entries; ++i)
      if (by.table[i] != 0.0f) by.limit = static_cast<std::int32_t>(i) + 1;
  const std::size_t photos = l.photos + more.photos.photos, n = queries.photos.photos;
  Array<float> out(
      std::vector<py::ssize_t>{static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(photos)});
  float* to = out.mutable_data();
  {
    py::gil_scoped_release release;
    std::fill_n(to, n * photos, 0.0f);
    parallel_for(
        n, 1,
        [&](std::size_t from, std::size_t end) {
          for (std::size_t q = from; q < end; ++q)
            scan::score(l, more.photos, queries.photos, q, of.data(), by, to + q * photos);
        },
        threads);
  }
  return out;
}

}  // namespace

void register_aggregated(py::module_ m) {
  m.def("aggregate", &aggregate, py::arg("x"), py::arg("starts"), py::arg("words"),
        py::arg("codebook"), py::arg("limits"), py::arg("signs"), py::arg("threads") = 0,
        "What photos hold of their words: starts (photos + 1,), words uint32 (n,) ascending in "
        "each photo, parts (n, .).");
  py::class_<BoundPhotos>(m, "ByPhoto", "What photos hold of visual words, photo by photo.")
      .def(py::init(&make_photos), py::arg("words"), py::arg("starts"), py::arg("word"),
           py::arg("parts"));
  py::class_<BoundWords>(m, "ByWord", "What photos hold of visual words, word by word.")
      .def(py::init(&make_words), py::arg("photos"), py::arg("starts"), py::arg("photo"),
           py::arg("parts"))
      .def("merged", &merged, py::arg("more"), "With more photos: starts, photo, parts.")
      .def("by_photo", &photo_by_photo, "Photo by photo: starts, word, parts.")
      .def("totals", &totals, py::arg("more"), py::arg("weights"),
           "Sums of the weights of each photo's words.")
      .def("scores", &scores, py::arg("more"), py::arg("queries"), py::arg("weights"),
           py::arg("table"), py::arg("alpha"), py::arg("tau"), py::arg("threads") = 0,
           "(queries, photos), without normalisation.");
}

}  // namespace kf::bind
