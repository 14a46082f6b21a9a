// Binary codes and their search over arrays that Python owns.

#include "scan/hamming.h"

#include <memory>

#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"

namespace kf::bind {
namespace {

struct BoundHamming {
  std::vector<py::object> keep;
  std::vector<std::size_t> rows;  // of each segment
  std::size_t fine_d = 0;
  scan::Metric metric = scan::Metric::l2;
  std::unique_ptr<scan::HammingScan> scan;
};

// A segment is a tuple: ids, alive or None, codes (blocks, words, 8), vectors of the second look or
// None, their centre and steps.
std::unique_ptr<BoundHamming> make_hamming(const std::string& metric, std::size_t words,
                                           const py::list& segments) {
  require(words > 0 && words <= 64, "words: expected from 1 to 64");
  auto bound = std::make_unique<BoundHamming>();
  std::vector<scan::HammingSegment> parts;
  for (const py::handle& item : segments) {
    const auto fields = py::cast<py::tuple>(item);
    require(fields.size() == 6, "segments: expected tuples of six");
    const auto ids = expect<std::int64_t>(fields[0], "ids", 1);
    scan::HammingSegment s;
    s.n = rows(ids);
    s.ids = data_of<std::int64_t>(fields[0], "ids", 1, s.n, bound->keep);
    s.alive = data_of<std::uint8_t>(fields[1], "alive", 1, s.n, bound->keep);
    s.codes = data_of<std::uint64_t>(fields[2], "codes", 3, checked_mul((s.n + 7) / 8 * 8, words),
                                     bound->keep);
    require(s.codes, "codes: expected an array");
    if (!fields[3].is_none()) {
      const auto vectors = py::cast<py::array>(fields[3]);
      require(vectors.ndim() == 2, "vectors: expected (n, d)");
      s.fine = stored_in(fields[3], s.n, cols(vectors), fields[4], fields[5], bound->keep);
    }
    require(parts.empty() || bound->fine_d == s.fine.d, "segments: a second look for all or none");
    bound->fine_d = s.fine.d;
    bound->rows.push_back(s.n);
    parts.push_back(s);
  }
  bound->metric = metric_named(metric);
  bound->scan = std::make_unique<scan::HammingScan>(bound->metric, words, std::move(parts));
  return bound;
}

struct HammingInputs {
  Array<std::uint64_t> codes;
  std::vector<py::object> keep;
  std::vector<const std::uint8_t*> masks;
  scan::HammingQuery query;

  HammingInputs(const BoundHamming& scan, const py::object& query_codes, const py::object& vectors,
                std::size_t threads, const py::object& admitted)
      : codes(expect<std::uint64_t>(query_codes, "codes", 2)),
        masks(masks_of(admitted, scan.rows, keep)) {
    require(cols(codes) == scan.scan->words(), "codes: wrong number of words");
    query = {codes.data(), nullptr, rows(codes), threads, masks.empty() ? nullptr : masks.data()};
    if (scan.fine_d)
      query.vectors =
          data_of<float>(vectors, "vectors", 2, checked_mul(query.n, scan.fine_d), keep);
    require(!scan.fine_d || query.vectors, "vectors: expected with a second look");
  }
};

}  // namespace

void register_hamming(py::module_ m) {
  py::class_<BoundHamming>(m, "HammingScan", "Search of binary codes.")
      .def(py::init(&make_hamming), py::arg("metric"), py::arg("words"), py::arg("segments"))
      .def(
          "search",
          [](const BoundHamming& self, const py::object& codes, const py::object& vectors,
             std::size_t k, std::size_t shortlist, std::size_t threads,
             const py::object& admitted) {
            const HammingInputs in(self, codes, vectors, threads, admitted);
            const Nearest found(in.query.n, k);
            const bool looked = !vectors.is_none();
            std::size_t scored;
            {
              py::gil_scoped_release release;
              scored = self.scan->search(in.query, k, shortlist, found.distance, found.id);
              // Without a second look these are numbers of bits.
              if (looked) turn_back(self.metric, found.distance, in.query.n * k);
            }
            return py::make_tuple(found.distances, found.ids, scored);
          },
          py::arg("codes"), py::arg("vectors"), py::arg("k"), py::arg("shortlist"),
          py::arg("threads") = 0, py::arg("admitted") = py::none())
      .def(
          "range_search",
          [](const BoundHamming& self, const py::object& codes, std::int32_t radius,
             std::size_t threads, const py::object& admitted) {
            const auto array = expect<std::uint64_t>(codes, "codes", 2);
            require(cols(array) == self.scan->words(), "codes: wrong number of words");
            std::vector<py::object> keep;
            const auto masks = masks_of(admitted, self.rows, keep);
            const scan::HammingQuery query{array.data(), nullptr, rows(array), threads,
                                           masks.empty() ? nullptr : masks.data()};
            std::vector<std::vector<Neighbour>> results;
            {
              py::gil_scoped_release release;
              results = self.scan->range(query, radius);
            }
            return pack_lists(results);
          },
          py::arg("codes"), py::arg("radius"), py::arg("threads") = 0,
          py::arg("admitted") = py::none());
}

}  // namespace kf::bind
