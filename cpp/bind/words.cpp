// Inverted files of visual words over arrays that Python owns.

#include "scan/words.h"

#include <algorithm>
#include <memory>

#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"
#include "core/threads.h"

namespace kf::bind {
namespace {

struct BoundLists {
  std::vector<py::object> keep;
  scan::WordLists lists;
};

std::unique_ptr<BoundLists> make_lists(std::size_t photos, const py::object& starts,
                                       const py::object& photo, const py::object& value,
                                       const py::object& codes, const py::object& vectors) {
  auto bound = std::make_unique<BoundLists>();
  scan::WordLists& l = bound->lists;
  const auto first = expect<std::int64_t>(starts, "starts", 1);
  const auto holders = expect<std::uint32_t>(photo, "photo", 1);
  require(rows(first) > 0, "starts: expected one more than words");
  l.words = rows(first) - 1;
  l.photos = photos;
  l.n = rows(holders);
  l.starts = first.data();
  l.photo = holders.data();
  require(l.starts[0] == 0 && l.starts[l.words] == static_cast<std::int64_t>(l.n),
          "starts: expected to rise from 0 to the number of postings");
  for (std::size_t w = 0; w < l.words; ++w)
    require(l.starts[w] <= l.starts[w + 1], "starts: expected to rise");
  for (std::size_t i = 0; i < l.n; ++i) require(l.photo[i] < photos, "photo: out of range");
  bound->keep = {starts, photo};
  l.value = data_of<float>(value, "value", 1, l.n, bound->keep);
  if (!codes.is_none()) {
    l.width = cols(expect<std::uint64_t>(codes, "codes", 2));
    l.codes = data_of<std::uint64_t>(codes, "codes", 2, checked_mul(l.n, l.width), bound->keep);
    require(l.width > 0, "codes: expected at least one word");
  }
  if (!vectors.is_none()) {
    l.d = cols(expect<float>(vectors, "vectors", 2));
    l.vectors = data_of<float>(vectors, "vectors", 2, checked_mul(l.n, l.d), bound->keep);
    require(!l.codes, "vectors: expected codes or vectors");
  }
  return bound;
}

}  // namespace

void register_words(py::module_ m) {
  m.def(
      "aggregate_residuals",
      [](const py::object& x, const py::object& words, const py::object& codebook) {
        const auto vectors = expect<float>(x, "x", 2),
                   books = expect<float>(codebook, "codebook", 2);
        const auto w = expect<std::int64_t>(words, "words", 2);
        const std::size_t n = rows(vectors), d = cols(vectors);
        require(rows(w) == n && cols(books) == d, "words: expected a row for each vector");
        for (std::size_t i = 0; i < n * cols(w); ++i)
          require(w.data()[i] >= 0 && w.data()[i] < static_cast<std::int64_t>(rows(books)),
                  "words: out of range");
        scan::Aggregates found;
        {
          py::gil_scoped_release release;
          found = scan::aggregate_residuals(vectors.data(), n, d, w.data(), cols(w), books.data());
        }
        const auto count = static_cast<py::ssize_t>(found.words.size());
        Array<float> sums({count, static_cast<py::ssize_t>(d)});
        std::copy(found.sums.begin(), found.sums.end(), sums.mutable_data());
        return py::make_tuple(Array<std::int64_t>(count, found.words.data()), sums);
      },
      py::arg("x"), py::arg("words"), py::arg("codebook"),
      "Sums of residuals by word: words (m,) ascending, sums (m, d).");

  py::class_<BoundLists>(m, "WordLists", "Postings by visual word.")
      .def(py::init(&make_lists), py::arg("photos"), py::arg("starts"), py::arg("photo"),
           py::arg("value") = py::none(), py::arg("codes") = py::none(),
           py::arg("vectors") = py::none())
      .def(
          "score",
          [](const BoundLists& self, const py::list& queries, const py::object& table, float alpha,
             float tau, bool minimum, std::size_t threads) {
            const scan::WordLists& l = self.lists;
            std::vector<py::object> keep;
            scan::Selectivity by{nullptr, alpha, tau, minimum};
            by.table = data_of<float>(table, "table", 1, 64 * l.width + 1, keep);
            require(!l.codes || by.table, "table: expected one with codes");
            std::vector<scan::WordQuery> parts;
            for (const py::handle& item : queries) {
              const auto fields = py::cast<py::tuple>(item);
              require(fields.size() == 3, "queries: expected tuples of three");
              const auto word = expect<std::int64_t>(fields[0], "word", 1);
              scan::WordQuery q;
              q.n = rows(word);
              q.word = word.data();
              for (std::size_t i = 0; i < q.n; ++i)
                require(q.word[i] >= 0 && q.word[i] < static_cast<std::int64_t>(l.words),
                        "word: out of range");
              keep.push_back(fields[0]);
              q.weight = data_of<float>(fields[1], "weight", 1, q.n, keep);
              require(q.weight, "weight: expected an array");
              if (l.codes)
                q.codes =
                    data_of<std::uint64_t>(fields[2], "codes", 2, checked_mul(q.n, l.width), keep);
              if (l.vectors)
                q.vectors = data_of<float>(fields[2], "vectors", 2, checked_mul(q.n, l.d), keep);
              require((!l.codes || q.codes) && (!l.vectors || q.vectors),
                      "queries: expected what the postings hold");
              parts.push_back(q);
            }
            Array<float> scores(std::vector<py::ssize_t>{static_cast<py::ssize_t>(parts.size()),
                                                         static_cast<py::ssize_t>(l.photos)});
            float* out = scores.mutable_data();
            {
              py::gil_scoped_release release;
              std::fill_n(out, parts.size() * l.photos, 0.0f);
              parallel_for(
                  parts.size(), 1,
                  [&](std::size_t from, std::size_t to) {
                    for (std::size_t q = from; q < to; ++q)
                      scan::score_words(l, parts[q], by, out + q * l.photos);
                  },
                  threads);
            }
            return scores;
          },
          py::arg("queries"), py::arg("table"), py::arg("alpha"), py::arg("tau"),
          py::arg("minimum") = false, py::arg("threads") = 0);
}

}  // namespace kf::bind
