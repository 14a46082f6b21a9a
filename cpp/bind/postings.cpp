// Compressed posting lists over arrays that Python owns.

#include "words/posting_scores.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"

namespace kf::bind {
namespace {

struct BoundPostings {
  std::vector<py::object> keep;
  words::Postings lists;
};

std::unique_ptr<BoundPostings> make_postings(std::size_t photos, const py::object& words,
                                             const py::object& starts, const py::object& offsets,
                                             const py::object& bytes,
                                             const py::object& signatures) {
  auto bound = std::make_unique<BoundPostings>();
  words::Postings& l = bound->lists;
  require(photos <= words::posting_rows, "photos: too many for one segment");
  const auto names = expect<std::uint32_t>(words, "words", 1);
  l.rows = photos;
  l.lists = rows(names);
  l.words = data_of<std::uint32_t>(words, "words", 1, l.lists, bound->keep);
  l.starts = data_of<std::uint32_t>(starts, "starts", 1, l.lists + 1, bound->keep);
  l.offsets = data_of<std::uint32_t>(offsets, "offsets", 1, l.lists + 1, bound->keep);
  require(l.starts && l.offsets && l.words, "starts: expected arrays");
  require_starts(l.starts, l.lists, l.starts[l.lists], "starts");
  require_starts(l.offsets, l.lists, l.offsets[l.lists], "offsets");
  for (std::size_t i = 1; i < l.lists; ++i)
    require(l.words[i - 1] < l.words[i], "words: expected to ascend");
  l.bytes = data_of<std::uint8_t>(bytes, "bytes", 1, l.offsets[l.lists] + words::posting_pad,
                                  bound->keep);
  l.signatures = data_of<std::uint64_t>(signatures, "signatures", 1,
                                        l.starts[l.lists] + words::signature_pad, bound->keep);
  require(l.bytes, "bytes: expected an array");
  return bound;
}

template <class T>
Array<T> as_array(const std::vector<T>& values) {
  return copy_of(values.data(), values.size());
}

// words, starts, offsets, bytes, signatures or None.
py::tuple as_tuple(const words::PackedPostings& packed, bool signatures) {
  return py::make_tuple(as_array(packed.words), as_array(packed.starts), as_array(packed.offsets),
                        as_array(packed.bytes),
                        signatures ? py::object(as_array(packed.signatures)) : py::none());
}

words::PostingRule rule_of(const std::string& term, const std::string& match,
                           const py::object& likeness, std::int32_t within,
                           std::vector<py::object>& keep) {
  require(term == "count" || term == "root" || term == "one", "term: unknown");
  require(match == "product" || match == "least" || match == "least_normed", "match: unknown");
  words::PostingRule rule;
  rule.term = term == "count"  ? words::Term::count
              : term == "root" ? words::Term::root
                               : words::Term::one;
  rule.match = match == "product" ? words::Match::product
               : match == "least" ? words::Match::least
                                  : words::Match::least_normed;
  rule.likeness = data_of<float>(likeness, "likeness", 1, 65, keep);
  require(within >= 0 && within <= 64, "within: expected from 0 to 64");
  rule.within = within;
  return rule;
}

// Of a search: segments with ids, inverse norms and masks; queries.
struct PostingInputs {
  std::vector<py::object> keep;
  std::vector<words::PostingPart> parts;
  std::vector<words::PostingQuery> queries;
  words::PostingRule rule;
  std::size_t photos = 0;

  PostingInputs(const py::list& segments, const py::list& asked, const std::string& term,
                const std::string& match, const py::object& likeness, std::int32_t within)
      : rule(rule_of(term, match, likeness, within, keep)) {
    bool signatures = false;
    for (const py::handle& item : segments) {
      const auto fields = py::cast<py::tuple>(item);
      require(fields.size() == 4, "segments: expected tuples of four");
      words::PostingPart part;
      part.lists = py::cast<const BoundPostings&>(fields[0]).lists;
      keep.push_back(fields[0]);
      part.ids = data_of<std::int64_t>(fields[1], "ids", 1, part.lists.rows, keep);
      part.inverse = data_of<float>(fields[2], "inverse", 1, part.lists.rows, keep);
      part.admitted = data_of<std::uint8_t>(fields[3], "admitted", 1, part.lists.rows, keep);
      require(part.ids && part.inverse, "segments: expected ids and norms");
      require(parts.empty() || signatures == (part.lists.signatures != nullptr),
              "segments: signatures for all or none");
      signatures = part.lists.signatures != nullptr;
      photos += part.lists.rows;
      parts.push_back(part);
    }
    require(!signatures || (rule.likeness && rule.match == words::Match::product),
            "likeness: expected with signatures, and products");
    for (const py::handle& item : asked) {
      const auto fields = py::cast<py::tuple>(item);
      require(fields.size() == 5, "queries: expected tuples of five");
      words::PostingQuery q;
      q.n = rows(expect<std::uint32_t>(fields[0], "words", 1));
      q.words = data_of<std::uint32_t>(fields[0], "words", 1, q.n, keep);
      for (std::size_t i = 1; i < q.n; ++i)
        require(q.words[i - 1] < q.words[i], "words: expected to ascend");
      std::size_t weights = q.n;
      require(parts.empty() || signatures == !fields[4].is_none(),
              "queries: expected what the postings hold");
      if (!fields[4].is_none()) {
        q.starts = data_of<std::int64_t>(fields[3], "starts", 1, q.n + 1, keep);
        require(q.starts && q.starts[q.n] >= 0, "starts: expected an array");
        weights = static_cast<std::size_t>(q.starts[q.n]);
        require_starts(q.starts, q.n, weights, "starts");
        q.signatures = data_of<std::uint64_t>(fields[4], "signatures", 1, weights, keep);
        require(q.signatures, "signatures: expected an array");
      }
      q.weights = data_of<float>(fields[1], "weights", 1, weights, keep);
      q.photo_weights = data_of<float>(fields[2], "photo_weights", 1, q.n, keep);
      require(q.weights && (rule.match == words::Match::product || q.photo_weights),
              "weights: expected arrays");
      queries.push_back(q);
    }
  }
};

// A run of equal words is a list: words, photos and counts by ascending word and photo.
py::tuple pack(const py::object& words, const py::object& photos, const py::object& counts,
               const py::object& signatures) {
  std::vector<py::object> keep;
  const std::size_t n = rows(expect<std::uint32_t>(words, "words", 1));
  const auto* w = data_of<std::uint32_t>(words, "words", 1, n, keep);
  const auto* p = data_of<std::uint32_t>(photos, "photos", 1, n, keep);
  const auto* c = data_of<std::uint32_t>(counts, "counts", 1, n, keep);
  const auto* s = data_of<std::uint64_t>(signatures, "signatures", 1, n, keep);
  require(p && c, "photos: expected an array");
  for (std::size_t i = 0; i < n; ++i) {
    require(p[i] < words::posting_rows && c[i] > 0, "photos: out of range, or a count of 0");
    require(!i || w[i - 1] < w[i] || (w[i - 1] == w[i] && p[i - 1] <= p[i]),
            "words: expected to ascend, and the photos of each");
  }
  words::PackedPostings packed;
  {
    py::gil_scoped_release release;
    for (std::size_t at = 0; at < n;) {
      const std::size_t end = static_cast<std::size_t>(std::upper_bound(w + at, w + n, w[at]) - w);
      packed.append(w[at], p + at, c + at, s ? s + at : nullptr, end - at);
      at = end;
    }
    packed.finish(s != nullptr);
  }
  return as_tuple(packed, s != nullptr);
}

py::tuple merge(const py::list& segments) {
  std::vector<py::object> keep;
  std::vector<words::Postings> parts;
  std::vector<const std::uint32_t*> rows_of;
  for (const py::handle& item : segments) {
    const auto fields = py::cast<py::tuple>(item);
    require(fields.size() == 2, "segments: expected pairs");
    const words::Postings& lists = py::cast<const BoundPostings&>(fields[0]).lists;
    require(parts.empty() || !lists.signatures == !parts[0].signatures,
            "segments: signatures for all or none");
    keep.push_back(fields[0]);
    const auto* row = data_of<std::uint32_t>(fields[1], "rows", 1, lists.rows, keep);
    require(row, "rows: expected an array");
    for (std::size_t i = 0; i < lists.rows; ++i)
      require(row[i] < words::posting_rows || row[i] == words::dropped, "rows: out of range");
    parts.push_back(lists);
    rows_of.push_back(row);
  }
  words::PackedPostings packed;
  {
    py::gil_scoped_release release;
    packed = words::merge_postings(parts, rows_of);
  }
  return as_tuple(packed, !parts.empty() && parts[0].signatures);
}

}  // namespace

void register_postings(py::module_ m) {
  m.attr("posting_rows") = words::posting_rows;
  m.def("pack_postings", &pack, py::arg("words"), py::arg("photos"), py::arg("counts"),
        py::arg("signatures") = py::none(),
        "Lists: words, starts, offsets, bytes, signatures or None.");
  m.def("merge_postings", &merge, py::arg("segments"),
        "Pairs of Postings and their photos' new rows (2**32 - 1: none) as the lists of one.");
  py::class_<BoundPostings>(m, "Postings", "Compressed posting lists by visual word.")
      .def(py::init(&make_postings), py::arg("photos"), py::arg("words"), py::arg("starts"),
           py::arg("offsets"), py::arg("bytes"), py::arg("signatures") = py::none())
      .def(
          "holders",
          [](const BoundPostings& self, const py::object& alive, std::size_t k) {
            std::vector<py::object> keep;
            const words::Postings& l = self.lists;
            const auto* living = data_of<std::uint8_t>(alive, "alive", 1, l.rows, keep);
            require(!l.lists || l.words[l.lists - 1] < k, "k: expected more than the largest word");
            std::vector<std::int64_t> held(k);
            {
              py::gil_scoped_release release;
              words::count_holders(l, living, held.data());
            }
            return as_array(held);
          },
          py::arg("alive"), py::arg("k"), "How many living photos hold each word, int64 (k,).")
      .def(
          "own_sums",
          [](const BoundPostings& self, const py::object& weights, const std::string& term,
             const std::string& match, const py::object& likeness, std::int32_t within) {
            std::vector<py::object> keep;
            const words::Postings& l = self.lists;
            const auto w = expect<float>(weights, "weights", 1);
            const words::PostingRule rule = rule_of(term, match, likeness, within, keep);
            require(!l.lists || l.words[l.lists - 1] < rows(w), "weights: too few");
            require(!l.signatures || rule.likeness, "likeness: expected with signatures");
            std::vector<double> sums(l.rows);
            {
              py::gil_scoped_release release;
              words::own_sums(l, rule, w.data(), sums.data());
            }
            return as_array(sums);
          },
          py::arg("weights"), py::arg("term"), py::arg("match"), py::arg("likeness") = py::none(),
          py::arg("within") = 64, "The photos' products with themselves, or sums, float64.")
      .def(
          "check",
          [](const BoundPostings& self) {
            py::gil_scoped_release release;
            words::check(self.lists);
          },
          "Raise ValueError unless all lists are sound.")
      .def(
          "unpack",
          [](const BoundPostings& self) {
            words::UnpackedPostings found;
            {
              py::gil_scoped_release release;
              found = words::unpack_postings(self.lists);
            }
            return py::make_tuple(
                as_array(found.words), as_array(found.photos), as_array(found.counts),
                self.lists.signatures ? py::object(as_array(found.signatures)) : py::none());
          },
          "words, photos, counts, signatures or None of all postings, list by list.");
  m.def(
      "all_scores",
      [](const py::list& segments, const py::list& queries, const std::string& term,
         const std::string& match, const py::object& likeness, std::int32_t within,
         std::size_t threads) {
        const PostingInputs in(segments, queries, term, match, likeness, within);
        auto scores = array_of<float>(in.queries.size(), in.photos);
        float* out = scores.mutable_data();
        {
          py::gil_scoped_release release;
          words::all_scores(in.parts, in.queries, in.rule, threads, out);
        }
        return scores;
      },
      py::arg("segments"), py::arg("queries"), py::arg("term"), py::arg("match"),
      py::arg("likeness") = py::none(), py::arg("within") = 64, py::arg("threads") = 0);
  m.def(
      "best_scores",
      [](const py::list& segments, const py::list& queries, const std::string& term,
         const std::string& match, const py::object& likeness, std::int32_t within, std::size_t k,
         std::size_t threads) {
        const PostingInputs in(segments, queries, term, match, likeness, within);
        const Nearest found(in.queries.size(), k, 0);
        {
          py::gil_scoped_release release;
          words::best_scores(in.parts, in.queries, in.rule, k, threads, found.distance, found.id);
          turn_back(scan::Metric::inner_product, found.distance, in.queries.size() * k);
        }
        return py::make_tuple(found.distances, found.ids);
      },
      py::arg("segments"), py::arg("queries"), py::arg("term"), py::arg("match"),
      py::arg("likeness") = py::none(), py::arg("within") = 64, py::arg("k") = 10,
      py::arg("threads") = 0);
}

}  // namespace kf::bind
