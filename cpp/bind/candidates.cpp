// Search among proposed rows, over arrays that Python owns: randomized k-d trees, hash tables.

#include "candidates/candidates.h"

#include <algorithm>
#include <memory>

#include "bind/named.h"
#include "bind/registry.h"
#include "bind/stored.h"
#include "candidates/hash_tables.h"
#include "candidates/kd_forest.h"
#include "core/checked.h"

namespace kf::bind {
namespace {

static_assert(sizeof(candidates::Node) == 16);

struct BoundStructure {
  std::vector<py::object> keep;
  std::vector<std::size_t> rows;  // of each segment
  std::unique_ptr<candidates::Structure> structure;
};

struct BoundCandidates {
  std::vector<py::object> keep;
  std::vector<std::size_t> rows;
  std::size_t keys = 0;
  scan::Metric metric = scan::Metric::l2;
  std::unique_ptr<scan::ByteCodes> coder;
  std::unique_ptr<candidates::CandidateScan> scan;
};

// Throws unless the nodes are one tree, depth first, whose leaves part n rows between them. That
// each child lies behind its parent is not enough: two ways to one node, again and again, are paths
// without number.
void check_tree(const candidates::Node* nodes, std::int64_t count, std::size_t d, std::size_t n) {
  std::vector<std::int64_t> right;  // children that wait for the left halves to end
  std::int64_t row = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const candidates::Node& node = nodes[i];
    if (node.dimension >= 0) {
      require(static_cast<std::size_t>(node.dimension) < d && node.link > i + 1,
              "nodes: expected each before those below it");
      right.push_back(node.link);
      continue;
    }
    require(node.begin() == row && node.link >= row, "nodes: expected leaves to part the rows");
    row = node.link;
    require(right.empty() ? i + 1 == count : i + 1 == right.back(),
            "nodes: expected a tree, depth first");
    if (!right.empty()) right.pop_back();
  }
  require(right.empty() && static_cast<std::size_t>(row) == n,
          "nodes: expected leaves to part the rows");
}

// A segment is (nodes int32 (N, 4), roots int64 (trees,), order uint32 (trees, n)).
std::unique_ptr<BoundStructure> forests(std::size_t d, const py::list& segments) {
  auto bound = std::make_unique<BoundStructure>();
  std::vector<candidates::Forest> parts;
  for (const py::handle& item : segments) {
    const auto fields = py::cast<py::tuple>(item);
    require(fields.size() == 3, "segments: expected tuples of three");
    const auto nodes = expect<std::int32_t>(fields[0], "nodes", 2);
    const auto roots = expect<std::int64_t>(fields[1], "roots", 1);
    const auto order = expect<std::uint32_t>(fields[2], "order", 2);
    candidates::Forest forest;
    forest.trees = rows(order);
    forest.n = cols(order);
    require(cols(nodes) == 4 && rows(roots) == forest.trees, "roots: expected one for each tree");
    forest.nodes = reinterpret_cast<const candidates::Node*>(nodes.data());
    forest.roots = roots.data();
    forest.order = order.data();
    for (std::size_t t = 0; t < forest.trees; ++t) {
      const std::int64_t end =
          t + 1 < forest.trees ? roots.data()[t + 1] : static_cast<std::int64_t>(rows(nodes));
      const std::int64_t begin = roots.data()[t];
      require(begin >= 0 && begin < end && end <= static_cast<std::int64_t>(rows(nodes)),
              "roots: expected to rise");
      check_tree(forest.nodes + begin, end - begin, d, forest.n);
    }
    for (std::size_t i = 0; i < forest.trees * forest.n; ++i)
      require(order.data()[i] < forest.n, "order: row out of range");
    bound->keep.push_back(py::reinterpret_borrow<py::object>(item));
    bound->rows.push_back(forest.n);
    parts.push_back(forest);
  }
  bound->structure = std::make_unique<candidates::Forests>(std::move(parts));
  return bound;
}

// A segment is (starts uint32 (tables, 2^bits + 1), order uint32 (tables, n)).
std::unique_ptr<BoundStructure> hash_tables(std::size_t tables, std::size_t bits,
                                            const py::list& segments) {
  require(tables > 0 && bits > 0 && bits <= 24, "bits: expected from 1 to 24");
  auto bound = std::make_unique<BoundStructure>();
  std::vector<candidates::HashTables> parts;
  for (const py::handle& item : segments) {
    const auto fields = py::cast<py::tuple>(item);
    require(fields.size() == 2, "segments: expected pairs");
    const auto starts = expect<std::uint32_t>(fields[0], "starts", 2);
    const auto order = expect<std::uint32_t>(fields[1], "order", 2);
    const std::size_t keys = std::size_t{1} << bits, n = cols(order);
    require(rows(order) == tables && rows(starts) == tables && cols(starts) == keys + 1,
            "starts: expected one for each key of each table");
    for (std::size_t t = 0; t < tables; ++t)
      require_starts(starts.data() + t * (keys + 1), keys, n, "starts");
    for (std::size_t i = 0; i < tables * n; ++i)
      require(order.data()[i] < n, "order: row out of range");
    bound->keep.push_back(py::reinterpret_borrow<py::object>(item));
    bound->rows.push_back(n);
    parts.push_back({n, starts.data(), order.data()});
  }
  bound->structure = std::make_unique<candidates::HashStructure>(tables, bits, std::move(parts));
  return bound;
}

// A segment is (ids, alive or None, vectors or None, codes uint8 (n, stride), bias, residual,
// radius); without vectors the codes are what is stored.
std::unique_ptr<BoundCandidates> make_candidates(const std::string& metric, const py::dict& scale,
                                                 const py::object& structure,
                                                 const py::list& segments, double largest_norm) {
  auto bound = std::make_unique<BoundCandidates>();
  const auto& of = py::cast<const BoundStructure&>(structure);
  const scan::Metric chosen = metric_named(metric);
  bound->coder =
      std::make_unique<scan::ByteCodes>(scan::byte_codes(chosen, named(scale, bound->keep)));
  const scan::ByteCodes& coder = *bound->coder;
  const std::size_t d = coder.d();
  std::vector<candidates::CandidateSegment> parts;
  for (const py::handle& item : segments) {
    const auto fields = py::cast<py::tuple>(item);
    require(fields.size() == 7, "segments: expected tuples of seven");
    const auto ids = expect<std::int64_t>(fields[0], "ids", 1);
    const auto codes = expect<std::uint8_t>(fields[3], "codes", 2);
    candidates::CandidateSegment s;
    s.n = rows(ids);
    s.ids = data_of<std::int64_t>(fields[0], "ids", 1, s.n, bound->keep);
    s.alive = data_of<std::uint8_t>(fields[1], "alive", 1, s.n, bound->keep);
    s.stride = cols(codes);
    require(rows(codes) == s.n && s.stride >= coder.padded_d(), "codes: expected (n, stride)");
    s.codes = codes.data();
    bound->keep.push_back(fields[3]);
    s.bias = data_of<std::int32_t>(fields[4], "bias", 1, s.n, bound->keep);
    require(s.bias, "bias: expected an array");
    s.residual = py::cast<float>(fields[5]);
    s.radius = py::cast<double>(fields[6]);
    if (fields[2].is_none()) {
      s.stored = coder.stored(s.codes);
      s.stored.format = scan::Stored::Format::bytes;
      s.stored.padded_d = s.stride;
    } else {
      s.stored = stored_in(fields[2], s.n, d, py::none(), py::none(), bound->keep);
    }
    bound->rows.push_back(s.n);
    parts.push_back(s);
  }
  require(of.rows == bound->rows, "structure: expected one with the same segments");
  bound->keep.push_back(structure);
  bound->keys = of.structure->keys();
  bound->metric = chosen;
  bound->scan = std::make_unique<candidates::CandidateScan>(chosen, coder, *of.structure,
                                                            std::move(parts), largest_norm);
  return bound;
}

struct CandidateInputs {
  Array<float> queries;
  std::vector<py::object> keep;
  std::vector<const std::uint8_t*> masks;
  candidates::CandidateQuery query;

  CandidateInputs(const BoundCandidates& scan, const py::object& vectors, const py::object& keys,
                  std::size_t checks, std::size_t threads, const py::object& admitted)
      : queries(expect<float>(vectors, "queries", 2)), masks(masks_of(admitted, scan.rows, keep)) {
    require(cols(queries) == scan.scan->dimension(), "queries: wrong dimension");
    const std::size_t n = rows(queries);
    query = {queries.data(), nullptr, n, checks, threads, masks.empty() ? nullptr : masks.data()};
    if (scan.keys) query.keys = data_of<float>(keys, "keys", 2, checked_mul(n, scan.keys), keep);
    require(!scan.keys || query.keys, "keys: expected an array");
  }
};

py::dict statistics_of(const candidates::CandidateStats& stats) {
  py::dict out;
  out["rows"] = stats.rows;
  out["scored"] = stats.scored;
  return out;
}

}  // namespace

void register_candidates(py::module_ m) {
  py::class_<BoundStructure>(m, "Structure", "What proposes rows to look at.")
      .def_static("forests", &forests, py::arg("dim"), py::arg("segments"))
      .def_static("hash_tables", &hash_tables, py::arg("tables"), py::arg("bits"),
                  py::arg("segments"));

  m.def(
      "build_forest",
      [](const py::object& vectors, std::size_t d, const py::object& centre,
         const py::object& steps, std::size_t trees, std::size_t leaf, std::size_t among,
         const std::string& split, std::uint64_t seed) {
        std::vector<py::object> keep;
        const std::size_t n = rows(py::cast<py::array>(vectors));
        const scan::Stored stored = stored_in(vectors, n, d, centre, steps, keep);
        require(trees > 0 && leaf > 0 && among > 0, "trees: expected at least 1");
        require(n < (std::size_t{1} << 31), "vectors: expected fewer than 2^31");
        require(split == "mean" || split == "median", "split: expected mean or median");
        const candidates::ForestOptions options{
            trees, leaf, among,
            split == "mean" ? candidates::Split::mean : candidates::Split::median, seed};
        auto order = array_of<std::uint32_t>(trees, n);
        std::uint32_t* rows_of = order.mutable_data();
        std::vector<std::vector<candidates::Node>> built;
        {
          py::gil_scoped_release release;
          built = candidates::build_forest(stored, n, options, rows_of);
        }
        auto roots = array_of<std::int64_t>(trees);
        std::size_t total = 0;
        for (std::size_t t = 0; t < trees; ++t) {
          roots.mutable_data()[t] = static_cast<std::int64_t>(total);
          total += built[t].size();
        }
        auto nodes = array_of<std::int32_t>(total, 4);
        auto* out = reinterpret_cast<candidates::Node*>(nodes.mutable_data());
        for (const auto& of : built) out = std::copy(of.begin(), of.end(), out);
        return py::make_tuple(nodes, roots, order);
      },
      py::arg("vectors"), py::arg("dim"), py::arg("centre"), py::arg("steps"), py::arg("trees"),
      py::arg("leaf"), py::arg("among"), py::arg("split"), py::arg("seed"),
      "Nodes, roots and row orders of randomized k-d trees.");

  py::class_<BoundCandidates>(m, "CandidateScan", "Search among proposed rows.")
      .def(py::init(&make_candidates), py::arg("metric"), py::arg("scale"), py::arg("structure"),
           py::arg("segments"), py::arg("largest_norm"))
      .def(
          "search",
          [](const BoundCandidates& self, const py::object& queries, const py::object& keys,
             std::size_t k, std::size_t checks, std::size_t threads, const py::object& admitted) {
            const CandidateInputs in(self, queries, keys, checks, threads, admitted);
            const Nearest found(in.query.n, k);
            candidates::CandidateStats stats;
            {
              py::gil_scoped_release release;
              stats = self.scan->search(in.query, k, found.distance, found.id);
              turn_back(self.metric, found.distance, in.query.n * k);
            }
            return py::make_tuple(found.distances, found.ids, statistics_of(stats));
          },
          py::arg("queries"), py::arg("keys"), py::arg("k"), py::arg("checks"),
          py::arg("threads") = 0, py::arg("admitted") = py::none())
      .def(
          "range_search",
          [](const BoundCandidates& self, const py::object& queries, const py::object& keys,
             float radius, std::size_t checks, std::size_t threads, const py::object& admitted) {
            const CandidateInputs in(self, queries, keys, checks, threads, admitted);
            std::vector<std::vector<Neighbour>> lists;
            candidates::CandidateStats stats;
            {
              py::gil_scoped_release release;
              stats = self.scan->range(in.query, turned_back(self.metric, radius), lists);
              turn_back(self.metric, lists);
            }
            return py::make_tuple(pack_lists(lists), statistics_of(stats));
          },
          py::arg("queries"), py::arg("keys"), py::arg("radius"), py::arg("checks"),
          py::arg("threads") = 0, py::arg("admitted") = py::none());
}

}  // namespace kf::bind
