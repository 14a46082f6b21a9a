// Lists, codecs and their search over arrays that Python owns.

#include <algorithm>
#include <memory>
#include <string>

#include "bind/named.h"
#include "bind/registry.h"
#include "bind/stored.h"
#include "codecs/codecs.h"
#include "core/checked.h"
#include "lists/list_search.h"
#include "lists/multi_sequence.h"

namespace kf::bind {
namespace {

struct BoundCodec {
  std::vector<py::object> keep;
  std::unique_ptr<lists::Codec> codec;
};

struct BoundDirectory {
  std::vector<py::object> keep;
  std::unique_ptr<lists::Directory> directory;
};

struct BoundSegment {
  std::vector<py::object> keep;
  lists::Segment segment;
  std::size_t n_cells = 0;
};

struct BoundSearch {
  std::vector<py::object> keep;
  scan::Metric metric = scan::Metric::l2;
  std::unique_ptr<lists::ListSearch> search;
  std::vector<std::size_t> rows;  // of each segment
  std::size_t d = 0, fine_d = 0;
};

std::unique_ptr<BoundCodec> make_codec(const std::string& name, const std::string& metric,
                                       const py::dict& parts) {
  auto bound = std::make_unique<BoundCodec>();
  const Named given = named(parts, bound->keep);
  const scan::Metric chosen = metric_named(metric);
  py::gil_scoped_release release;
  bound->codec = codecs::make(name, chosen, given);
  return bound;
}

py::dict pack(const BoundCodec& self, const py::dict& rows) {
  std::vector<py::object> keep;
  const Named given = named(rows, keep);
  MadeArrays made;
  {
    py::gil_scoped_release release;
    self.codec->pack(given, made);
  }
  return made.arrays();
}

std::unique_ptr<BoundSegment> make_segment(std::size_t n_cells, const py::object& cells,
                                           const py::object& starts, const py::object& ids,
                                           const py::object& alive) {
  auto bound = std::make_unique<BoundSegment>();
  lists::Segment& s = bound->segment;
  const auto id_array = expect<std::int64_t>(ids, "ids", 1);
  const auto cell_array = expect<std::uint32_t>(cells, "cells", 1);
  s.n = rows(id_array);
  s.ids = data_of<std::int64_t>(ids, "ids", 1, s.n, bound->keep);
  s.alive = data_of<std::uint8_t>(alive, "alive", 1, s.n, bound->keep);
  const auto* list_starts =
      data_of<std::int64_t>(starts, "starts", 1, rows(cell_array) + 1, bound->keep);
  require(list_starts, "starts: expected an array");
  bound->keep.push_back(cells);
  bound->n_cells = n_cells;
  s.directory = std::make_shared<const lists::Directory>(cell_array.data(), list_starts,
                                                         rows(cell_array), n_cells, s.n);
  return bound;
}

std::unique_ptr<BoundDirectory> make_directory(std::size_t n_cells, const py::object& cells,
                                               const py::object& starts) {
  auto bound = std::make_unique<BoundDirectory>();
  const auto cell_array = expect<std::uint32_t>(cells, "cells", 1);
  const auto start_array = expect<std::int64_t>(starts, "starts", 1);
  const std::size_t lists = rows(cell_array);
  require(rows(start_array) == lists + 1, "starts: expected one more than cells");
  bound->keep = {cells, starts};
  bound->directory =
      std::make_unique<lists::Directory>(cell_array.data(), start_array.data(), lists, n_cells,
                                         static_cast<std::size_t>(start_array.data()[lists]));
  return bound;
}

void attach(BoundSegment& self, const py::object& codec, const py::dict& packed) {
  const lists::Codec& of = *py::cast<const BoundCodec&>(codec).codec;
  self.segment.rows = of.rows(named(packed, self.keep), self.segment.n);
  self.segment.codec = &of;
  self.keep.push_back(codec);
}

void attach_fine(BoundSegment& self, const py::object& vectors, const py::object& centre,
                 const py::object& steps) {
  const auto array = py::cast<py::array>(vectors);
  require(array.ndim() == 2, "vectors: expected (n, d)");
  self.segment.fine = stored_in(vectors, self.segment.n, cols(array), centre, steps, self.keep);
}

lists::Coarse coarse_of(std::size_t d, const py::object& centroids, bool multi,
                        const py::object& scan, std::vector<py::object>& keep) {
  lists::Coarse coarse;
  coarse.d = d;
  if (centroids.is_none()) return coarse;
  const auto shape = py::cast<py::array>(centroids);
  require(shape.ndim() == (multi ? 3 : 2), "centroids: wrong rank");
  coarse.cells = static_cast<std::size_t>(shape.shape(multi ? 1 : 0));
  coarse.multi = multi;
  require(coarse.cells > 0 && (!multi || d % 2 == 0) && coarse.n_cells() <= 0xffffffffu,
          "centroids: expected at least one, and an even dimension for a multi-index");
  coarse.centroids = data_of<float>(centroids, "centroids", multi ? 3 : 2, coarse.cells * d, keep);
  if (multi) return coarse;
  coarse.scan = &py::cast<const scan::ExactScan&>(scan);
  require(coarse.scan->dimension() == d && coarse.scan->size() == coarse.cells,
          "coarse_scan: expected one over the centroids");
  keep.push_back(scan);
  return coarse;
}

std::unique_ptr<BoundSearch> make_search(const std::string& metric, std::size_t d,
                                         const py::object& centroids, bool multi,
                                         const py::object& coarse_scan, const py::object& codec,
                                         const py::list& segments) {
  auto bound = std::make_unique<BoundSearch>();
  bound->d = d;
  bound->metric = metric_named(metric);
  const lists::Coarse coarse = coarse_of(d, centroids, multi, coarse_scan, bound->keep);
  std::vector<lists::Segment> parts;
  for (const py::handle& item : segments) {
    const auto& s = py::cast<const BoundSegment&>(item);
    require(s.n_cells == coarse.n_cells(), "segments: another number of cells");
    bound->keep.push_back(py::reinterpret_borrow<py::object>(item));
    bound->fine_d = s.segment.fine.d;
    bound->rows.push_back(s.segment.n);
    parts.push_back(s.segment);
  }
  bound->keep.push_back(codec);
  bound->search = std::make_unique<lists::ListSearch>(
      bound->metric, coarse, *py::cast<const BoundCodec&>(codec).codec, std::move(parts));
  return bound;
}

py::dict statistics(const lists::ListStats& stats) {
  py::dict out;
  out["cells"] = stats.visited.load();
  out["rows"] = stats.rows.load();
  out["scored"] = stats.scored.load();
  return out;
}

// Queries as the search takes them, with what keeps them alive.
struct QueryArrays {
  Array<float> queries, original;
  std::vector<py::object> keep;
  std::vector<const std::uint8_t*> masks;
  lists::ListQuery query{};

  QueryArrays(const BoundSearch& search, const py::object& given, const py::object& given_original,
              std::size_t nprobe, std::size_t budget, std::size_t threads,
              const py::object& admitted, const py::object& counted = py::none())
      : queries(expect<float>(given, "queries", 2)),
        original(expect<float>(given_original, "original", 2)),
        masks(masks_of(admitted, search.rows, keep)) {
    require(cols(queries) == search.d, "queries: wrong dimension");
    require(rows(original) == rows(queries) && (!search.fine_d || cols(original) == search.fine_d),
            "original: expected one for each query");
    require(nprobe > 0, "nprobe: expected at least 1");
    checked_mul(checked_mul(rows(queries), nprobe), sizeof(std::int64_t));
    query = {
        queries.data(),
        original.data(),
        rows(queries),
        nprobe,
        budget,
        threads,
        masks.empty() ? nullptr : masks.data(),
        counted.is_none() ? nullptr : py::cast<const BoundDirectory&>(counted).directory.get()};
  }
};

py::tuple search(const BoundSearch& self, const py::object& queries, const py::object& original,
                 std::size_t k, std::size_t shortlist, std::size_t nprobe, std::size_t budget,
                 std::size_t threads, const py::object& admitted, const py::object& counted) {
  const QueryArrays in(self, queries, original, nprobe, budget, threads, admitted, counted);
  const Nearest found(in.query.n, k);
  lists::ListStats stats;
  {
    py::gil_scoped_release release;
    std::fill_n(found.distance, in.query.n * k, scan::infinity);
    std::fill_n(found.id, in.query.n * k, std::int64_t{-1});
    self.search->search(in.query, k, shortlist, found.distance, found.id, stats);
    turn_back(self.metric, found.distance, in.query.n * k);
  }
  return py::make_tuple(found.distances, found.ids, statistics(stats));
}

py::tuple range_search(const BoundSearch& self, const py::object& queries,
                       const py::object& original, float radius, std::size_t nprobe,
                       std::size_t budget, std::size_t threads, const py::object& admitted,
                       const py::object& counted) {
  const QueryArrays in(self, queries, original, nprobe, budget, threads, admitted, counted);
  std::vector<std::vector<Neighbour>> results;
  lists::ListStats stats;
  {
    py::gil_scoped_release release;
    results = self.search->range(in.query, turned_back(self.metric, radius), stats);
    turn_back(self.metric, results);
  }
  return py::make_tuple(pack_lists(results), statistics(stats));
}

py::tuple probe(const BoundSearch& self, const py::object& queries, std::size_t nprobe,
                std::size_t budget, std::size_t threads) {
  const QueryArrays in(self, queries, queries, nprobe, budget, threads, py::none());
  const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(in.query.n),
                                       static_cast<py::ssize_t>(nprobe)};
  Array<std::int64_t> cells(shape);
  Array<float> values(shape);
  std::int64_t* c = cells.mutable_data();
  float* v = values.mutable_data();
  {
    py::gil_scoped_release release;
    self.search->lists().probe(in.query, c, v);
  }
  return py::make_tuple(cells, values);
}

py::tuple multi_sequence(const py::object& left, const py::object& right, std::size_t most) {
  const auto l = expect<float>(left, "left", 1), r = expect<float>(right, "right", 1);
  require(rows(l) <= lists::Ordered::most && rows(r) <= lists::Ordered::most,
          "left: expected at most 65536 numbers");
  std::vector<lists::MultiSequence::Pair> found;
  lists::Ordered a, b;
  {
    py::gil_scoped_release release;
    a.start(l.data(), rows(l));
    b.start(r.data(), rows(r));
    lists::MultiSequence sequence;
    sequence.start(a, b);
    for (lists::MultiSequence::Pair pair; found.size() < most && sequence.next(pair);)
      found.push_back(pair);
  }
  const auto n = static_cast<py::ssize_t>(found.size());
  Array<std::int64_t> i(n), j(n);
  Array<float> sums(n);
  for (std::size_t at = 0; at < found.size(); ++at) {
    i.mutable_data()[at] = a.at(found[at].i);
    j.mutable_data()[at] = b.at(found[at].j);
    sums.mutable_data()[at] = found[at].sum;
  }
  return py::make_tuple(i, j, sums);
}

}  // namespace

void register_lists(py::module_ m) {
  py::class_<BoundCodec>(m, "Codec", "What bytes stand for a vector, as lists are searched.")
      .def(py::init(&make_codec), py::arg("name"), py::arg("metric"), py::arg("parts"),
           "name: one of codecs.def; parts: arrays and numbers that were learnt.")
      .def("pack", &pack, py::arg("rows"), "Rows as they are searched, by name.");

  py::class_<BoundDirectory>(m, "Directory", "How many rows cells have.")
      .def(py::init(&make_directory), py::arg("n_cells"), py::arg("cells"), py::arg("starts"));

  py::class_<BoundSegment>(m, "Segment", "Rows sorted by cell.")
      .def(py::init(&make_segment), py::arg("n_cells"), py::arg("cells"), py::arg("starts"),
           py::arg("ids"), py::arg("alive") = py::none())
      .def("rows", &attach, py::arg("codec"), py::arg("packed"), "What a codec packed of them.")
      .def("fine", &attach_fine, py::arg("vectors"), py::arg("centre") = py::none(),
           py::arg("steps") = py::none());

  py::class_<BoundSearch>(m, "ListSearch", "Search through lists.")
      .def(py::init(&make_search), py::arg("metric"), py::arg("dim"), py::arg("centroids"),
           py::arg("multi"), py::arg("coarse_scan"), py::arg("codec"), py::arg("segments"))
      .def("search", &search, py::arg("queries"), py::arg("original"), py::arg("k"),
           py::arg("shortlist"), py::arg("nprobe"), py::arg("budget") = 0, py::arg("threads") = 0,
           py::arg("admitted") = py::none(), py::arg("counted") = py::none())
      .def("range_search", &range_search, py::arg("queries"), py::arg("original"),
           py::arg("radius"), py::arg("nprobe"), py::arg("budget") = 0, py::arg("threads") = 0,
           py::arg("admitted") = py::none(), py::arg("counted") = py::none())
      .def("probe", &probe, py::arg("queries"), py::arg("nprobe"), py::arg("budget") = 0,
           py::arg("threads") = 0);

  m.def("multi_sequence", &multi_sequence, py::arg("left"), py::arg("right"), py::arg("most"),
        "Pairs of two sequences by ascending sum: positions in both, sums.");
}

}  // namespace kf::bind
