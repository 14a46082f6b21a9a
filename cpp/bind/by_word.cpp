// The inverted file of aggregated residuals over arrays that Python owns.

#include "words/by_word.h"

#include <algorithm>
#include <memory>

#include "bind/parts.h"
#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"
#include "words/likeness.h"

namespace kf::bind {
namespace {

struct BoundPhotos {
  std::vector<py::object> keep;
  std::size_t words = 0;
  words::ByPhoto photos;
};

struct BoundWords {
  std::vector<py::object> keep;
  words::ByWord lists;
};

// Parts in groups, each part with an item below `items`.
struct Groups {
  std::size_t count = 0;
  words::PartShape shape;
  const std::int64_t* starts = nullptr;
  const std::uint32_t* item = nullptr;
  const void* parts = nullptr;
};

Groups groups_of(const py::object& starts, const py::object& item, std::size_t items,
                 const py::object& parts, const char* name, std::vector<py::object>& keep) {
  Groups groups;
  const auto first = expect<std::int64_t>(starts, "starts", 1);
  const auto held = expect<std::uint32_t>(item, name, 1);
  const std::size_t n = rows(held);
  require_starts(first, n);
  require(n < (std::size_t{1} << 32), "parts: expected fewer than 2^32");
  for (std::size_t i = 0; i < n; ++i)
    if (held.data()[i] >= items) throw InvalidArgument(std::string(name) + ": out of range");
  keep = {starts, item};
  groups.count = rows(first) - 1;
  groups.starts = first.data();
  groups.item = held.data();
  if (py::isinstance<Array<std::uint64_t>>(parts)) {
    groups.shape.width = cols(expect<std::uint64_t>(parts, "parts", 2));
    groups.parts =
        data_of<std::uint64_t>(parts, "parts", 2, checked_mul(n, groups.shape.width), keep);
  } else {
    groups.shape.d = cols(expect<float>(parts, "parts", 2));
    groups.parts = data_of<float>(parts, "parts", 2, checked_mul(n, groups.shape.d), keep);
  }
  require(groups.shape.bytes() > 0, "parts: expected at least one column");
  return groups;
}

std::unique_ptr<BoundPhotos> make_photos(std::size_t words, const py::object& starts,
                                         const py::object& word, const py::object& parts) {
  auto bound = std::make_unique<BoundPhotos>();
  const Groups g = groups_of(starts, word, words, parts, "word", bound->keep);
  bound->words = words;
  bound->photos = {g.shape, g.count, g.starts, g.item, g.parts};
  return bound;
}

std::unique_ptr<BoundWords> make_words(std::size_t photos, const py::object& starts,
                                       const py::object& photo, const py::object& parts) {
  auto bound = std::make_unique<BoundWords>();
  const Groups g = groups_of(starts, photo, photos, parts, "photo", bound->keep);
  require(g.count > 0, "starts: expected at least one word");
  bound->lists = {g.shape, g.count, photos, g.starts, g.item, g.parts};
  // Scans look for where the photos of a tile end.
  for (std::size_t w = 0; w < g.count; ++w)
    for (auto i = g.starts[w] + 1; i < g.starts[w + 1]; ++i)
      require(g.item[i - 1] < g.item[i], "photo: expected to ascend in each word");
  return bound;
}

void check_alike(const BoundWords& lists, const BoundPhotos& photos) {
  require(lists.lists.words == photos.words &&
              lists.lists.shape.width == photos.photos.shape.width &&
              lists.lists.shape.d == photos.photos.shape.d,
          "photos: expected the words and parts of the lists");
}

py::tuple merged(const BoundWords& self, const BoundPhotos& more, const py::object& number) {
  check_alike(self, more);
  const words::ByWord& l = self.lists;
  const auto called = expect<std::uint32_t>(number, "number", 1);
  require(rows(called) == l.photos + more.photos.photos, "number: expected one a photo");
  std::uint32_t kept = 0;
  for (std::size_t p = 0; p < rows(called); ++p)
    if (called.data()[p] != words::dropped_photo)
      require(called.data()[p] == kept++, "number: expected 0, 1, ... for those that are kept");
  auto starts = array_of<std::int64_t>(l.words + 1);
  std::int64_t* to_starts = starts.mutable_data();
  {
    py::gil_scoped_release release;
    words::merged_starts(l, more.photos, called.data(), to_starts);
  }
  const auto n = static_cast<std::size_t>(to_starts[l.words]);
  auto photo = array_of<std::uint32_t>(n);
  py::array parts = parts_array(n, l.shape);
  std::uint32_t* to_photo = photo.mutable_data();
  void* to_parts = parts.mutable_data();
  {
    py::gil_scoped_release release;
    words::merge(l, more.photos, called.data(), to_starts, to_photo, to_parts);
  }
  return py::make_tuple(starts, photo, parts);
}

py::tuple photo_by_photo(const BoundWords& self) {
  const words::ByWord& l = self.lists;
  auto starts = array_of<std::int64_t>(l.photos + 1);
  auto word = array_of<std::uint32_t>(l.size());
  py::array parts = parts_array(l.size(), l.shape);
  std::int64_t* to_starts = starts.mutable_data();
  std::uint32_t* to_word = word.mutable_data();
  void* to_parts = parts.mutable_data();
  {
    py::gil_scoped_release release;
    words::by_photo(l, to_starts, to_word, to_parts);
  }
  return py::make_tuple(starts, word, parts);
}

Array<std::int64_t> holders(const BoundWords& self, const BoundPhotos& more,
                            const py::object& alive) {
  check_alike(self, more);
  std::vector<py::object> keep;
  const auto* living =
      data_of<std::uint8_t>(alive, "alive", 1, self.lists.photos + more.photos.photos, keep);
  auto out = array_of<std::int64_t>(self.lists.words);
  std::int64_t* to = out.mutable_data();
  py::gil_scoped_release release;
  std::fill_n(to, self.lists.words, std::int64_t{0});
  words::count_holders(self.lists, more.photos, living, to);
  return out;
}

Array<float> weights_of(const py::object& weights, std::size_t words) {
  const auto of = expect<float>(weights, "weights", 1);
  require(rows(of) == words, "weights: expected one a word");
  return of;
}

Array<double> totals(const BoundPhotos& self, const py::object& weights) {
  const auto of = weights_of(weights, self.words);
  auto out = array_of<double>(self.photos.photos);
  double* to = out.mutable_data();
  py::gil_scoped_release release;
  std::fill_n(to, self.photos.photos, 0.0);
  words::total_weights(self.photos, of.data(), to);
  return out;
}

Array<double> all_totals(const BoundWords& self, const BoundPhotos& more,
                         const py::object& weights) {
  check_alike(self, more);
  const auto of = weights_of(weights, self.lists.words);
  auto out = array_of<double>(self.lists.photos + more.photos.photos);
  double* to = out.mutable_data();
  py::gil_scoped_release release;
  std::fill_n(to, self.lists.photos + more.photos.photos, 0.0);
  words::total_weights(self.lists, of.data(), to);
  words::total_weights(more.photos, of.data(), to + self.lists.photos);
  return out;
}

// What all_scores and best_scores are asked.
struct Asked {
  std::vector<py::object> keep;
  words::Scored given;

  Asked(const BoundWords& self, const BoundPhotos& more, const BoundPhotos& queries,
        const py::object& weights, const py::object& table, float alpha, float tau,
        const py::object& query_factor, const py::object& factor) {
    check_alike(self, more);
    check_alike(self, queries);
    given.lists = self.lists;
    given.more = more.photos;
    given.queries = queries.photos;
    given.weights = weights_of(weights, self.lists.words).data();
    keep.push_back(weights);
    given.by.alpha = alpha;
    given.by.tau = tau;
    const std::size_t entries = 64 * self.lists.shape.width + 1;
    given.by.table = data_of<float>(table, "table", 1, entries, keep);
    require(!self.lists.shape.width || given.by.table, "table: expected one with codes");
    if (given.by.table)
      for (std::size_t i = 0; i < entries; ++i)
        if (given.by.table[i] != 0.0f) given.by.limit = static_cast<std::int32_t>(i) + 1;
    given.query_factor =
        data_of<float>(query_factor, "query_factor", 1, queries.photos.photos, keep);
    given.factor = data_of<float>(factor, "factor", 1, given.photos(), keep);
    require(given.query_factor && given.factor, "factor: expected one a photo");
  }
};

Array<float> scores(const BoundWords& self, const BoundPhotos& more, const BoundPhotos& queries,
                    const py::object& weights, const py::object& table, float alpha, float tau,
                    const py::object& query_factor, const py::object& factor, std::size_t threads) {
  const Asked asked(self, more, queries, weights, table, alpha, tau, query_factor, factor);
  const std::size_t n = queries.photos.photos;
  checked_mul(n, asked.given.photos());
  auto out = array_of<float>(n, asked.given.photos());
  float* to = out.mutable_data();
  py::gil_scoped_release release;
  words::all_scores(asked.given, threads, to);
  return out;
}

py::tuple best(const BoundWords& self, const BoundPhotos& more, const BoundPhotos& queries,
               const py::object& weights, const py::object& table, float alpha, float tau,
               const py::object& query_factor, const py::object& factor, const py::object& ids,
               const py::object& alive, std::size_t k, std::size_t threads) {
  Asked asked(self, more, queries, weights, table, alpha, tau, query_factor, factor);
  const std::size_t n = queries.photos.photos, photos = asked.given.photos();
  const auto* known = data_of<std::int64_t>(ids, "ids", 1, photos, asked.keep);
  require(known, "ids: expected one a photo");
  const auto* living = data_of<std::uint8_t>(alive, "alive", 1, photos, asked.keep);
  const Nearest found(n, k, 0);
  {
    py::gil_scoped_release release;
    words::best_scores(asked.given, known, living, k, threads, found.distance, found.id);
    turn_back(scan::Metric::inner_product, found.distance, n * k);
  }
  return py::make_tuple(found.distances, found.ids);
}

}  // namespace

void register_by_word(py::module_ m) {
  py::class_<BoundPhotos>(m, "ByPhoto", "What photos hold of visual words, photo by photo.")
      .def(py::init(&make_photos), py::arg("words"), py::arg("starts"), py::arg("word"),
           py::arg("parts"))
      .def("totals", &totals, py::arg("weights"), "Sums of the weights of each photo's words.");
  py::class_<BoundWords>(m, "ByWord", "What photos hold of visual words, word by word.")
      .def(py::init(&make_words), py::arg("photos"), py::arg("starts"), py::arg("photo"),
           py::arg("parts"))
      .def("merged", &merged, py::arg("more"), py::arg("number"),
           "With more photos and without those that are dropped: starts, photo, parts. number "
           "uint32: "
           "of each photo that is kept, the new one; of others 2^32 - 1.")
      .def("by_photo", &photo_by_photo, "Photo by photo: starts, word, parts.")
      .def("holders", &holders, py::arg("more"), py::arg("alive"),
           "How many photos hold each word; of those that are alive, if that is told.")
      .def("totals", &all_totals, py::arg("more"), py::arg("weights"),
           "Sums of the weights of each photo's words.")
      .def("scores", &scores, py::arg("more"), py::arg("queries"), py::arg("weights"),
           py::arg("table"), py::arg("alpha"), py::arg("tau"), py::arg("query_factor"),
           py::arg("factor"), py::arg("threads") = 0, "(queries, photos).")
      .def("best", &best, py::arg("more"), py::arg("queries"), py::arg("weights"), py::arg("table"),
           py::arg("alpha"), py::arg("tau"), py::arg("query_factor"), py::arg("factor"),
           py::arg("ids"), py::arg("alive"), py::arg("k"), py::arg("threads") = 0,
           "The k largest scores of each query, with their ids.");
}

}  // namespace kf::bind
