// Lists, codecs and their search over arrays that Python owns.

#include "scan/cells.h"

#include <cmath>
#include <memory>
#include <string>

#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"

namespace kf::bind {
namespace {

struct BoundProduct {
  std::vector<py::object> keep;
  std::size_t groups = 0;  // cells that have a group
  std::unique_ptr<scan::ProductCodec> codec;
};

struct BoundSegment {
  std::vector<py::object> keep;
  scan::Segment segment;
  std::size_t n_cells = 0;
};

struct BoundScan {
  std::vector<py::object> keep;
  std::unique_ptr<scan::CellScan> scan;
  std::vector<std::size_t> rows;  // of each segment
  std::size_t d = 0, fine_d = 0;
};

std::unique_ptr<BoundProduct> make_product(const std::string& metric, std::size_t d,
                                           const py::object& codebooks, bool residual,
                                           const py::object& middle, float term_low,
                                           float term_step, const py::object& centre, float scale,
                                           const py::object& rotations, const py::object& means,
                                           const py::object& group, bool local_tables) {
  auto bound = std::make_unique<BoundProduct>();
  const auto books = expect<float>(codebooks, "codebooks", 4);
  bound->keep.push_back(codebooks);
  scan::ProductParts parts;
  parts.metric = metric_named(metric);
  parts.d = d;
  parts.books = rows(books);
  parts.m = cols(books);
  const std::size_t k = static_cast<std::size_t>(books.shape(2));
  require(k == 16 || k == 256, "codebooks: expected 16 or 256 codewords");
  parts.bits = k == 16 ? 4 : 8;
  parts.s = static_cast<std::size_t>(books.shape(3));
  parts.codebooks = books.data();
  parts.residual = residual;
  parts.middle = data_of<float>(middle, "middle", 1, d, bound->keep);
  parts.term_low = term_low;
  parts.term_step = term_step;
  parts.centre = data_of<float>(centre, "centre", 1, parts.m * parts.s, bound->keep);
  parts.scale = scale;
  parts.local_tables = local_tables;
  require(parts.books > 0 && parts.centre, "codebooks: expected at least one, and a centre");
  require(scale > 0 && std::isfinite(scale) && std::isfinite(term_low) && term_step >= 0 &&
              std::isfinite(term_step),
          "scale: expected a finite number above 0");
  require(!(residual && rotations.is_none()) || parts.middle, "middle: expected with residuals");
  if (!rotations.is_none()) {
    const auto turns = expect<float>(rotations, "rotations", 3);
    parts.groups = rows(turns);
    parts.rotations = data_of<float>(rotations, "rotations", 3, parts.groups * d * d, bound->keep);
    parts.means = data_of<float>(means, "means", 2, parts.groups * d, bound->keep);
    const auto of = expect<std::int32_t>(group, "group", 1);
    for (std::size_t i = 0; i < rows(of); ++i)
      require(of.data()[i] >= 0 && of.data()[i] < static_cast<std::int64_t>(parts.groups),
              "group: out of range");
    bound->keep.push_back(group);
    bound->groups = rows(of);
    parts.group = of.data();
    require(parts.means && (parts.books == 1 || parts.books == parts.groups),
            "codebooks: expected one, or one for each group");
  } else {
    require(parts.books == 1, "codebooks: expected one");
  }
  {
    py::gil_scoped_release release;
    bound->codec = std::make_unique<scan::ProductCodec>(parts);
  }
  return bound;
}

std::unique_ptr<BoundSegment> make_segment(std::size_t n_cells, const py::object& cells,
                                           const py::object& starts, const py::object& ids,
                                           const py::object& alive) {
  auto bound = std::make_unique<BoundSegment>();
  scan::Segment& s = bound->segment;
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
  s.directory = std::make_shared<const scan::Directory>(cell_array.data(), list_starts,
                                                        rows(cell_array), n_cells, s.n);
  return bound;
}

// The largest of n norms, with what float32 may have hidden.
template <class Row>
double largest_norm(std::size_t d, std::size_t n, const Row& row) {
  const auto product = kernels().inner_product;
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float* x = row(i);
    largest = std::max(largest, static_cast<double>(product(x, x, d)));
  }
  return std::sqrt(largest * (1 + scan::canonical_error(d)));
}

py::tuple encode_copies(const BoundRaw& self, const py::object& x) {
  const auto array = expect<float>(x, "x", 2);
  const std::size_t d = self.codec.d, n = rows(array);
  require(cols(array) == d, "x: wrong dimension");
  require(!self.codec.coder.weighted(), "x: expected one step for all dimensions");
  scan::Shadow shadow = self.codec.coder.shadow();
  double largest = 0;
  {
    py::gil_scoped_release release;
    shadow.append(array.data(), n);
    largest = largest_norm(d, n, [&](std::size_t i) { return array.data() + i * d; });
  }
  const scan::Bytes view = shadow.view();
  const std::size_t padded = (n + 31) / 32 * 32;
  const auto one = [](std::size_t size) { return static_cast<py::ssize_t>(size); };
  Array<std::uint8_t> codes(one(padded * view.padded_d));
  Array<std::int32_t> bias(one(padded));
  Array<float> residual(one(padded / 32));
  shadow.write(codes.mutable_data(), bias.mutable_data(), residual.mutable_data());
  return py::make_tuple(codes, bias, residual, view.radius, largest);
}

py::tuple pack_codes(const BoundRaw& self, const py::object& codes) {
  const auto array = expect<std::uint8_t>(codes, "codes", 2);
  const scan::ByteCodes& coder = self.codec.coder;
  const std::size_t d = self.codec.d, n = rows(array), padded = (n + 31) / 32 * 32;
  require(cols(array) == d, "codes: wrong dimension");
  const auto one = [](std::size_t size) { return static_cast<py::ssize_t>(size); };
  Array<std::uint8_t> blocks(one(checked_mul(padded, coder.padded_d())));
  Array<std::int32_t> bias(one(padded));
  Array<float> residual(one(padded / 32));
  std::uint8_t* to = blocks.mutable_data();
  std::int32_t* biases = bias.mutable_data();
  float* residuals = residual.mutable_data();
  scan::Stored stored;
  stored.format = scan::Stored::Format::bytes;
  stored.data = array.data();
  stored.d = stored.padded_d = d;
  stored.scale = coder.scale();
  stored.steps = coder.steps();
  stored.centre = coder.centre().data();
  std::vector<float> scratch(stored.scratch());
  double radius = 0, largest = 0;
  {
    py::gil_scoped_release release;
    radius = coder.pack(array.data(), n, to, biases, residuals);
    largest =
        largest_norm(d, n, [&](std::size_t i) { return stored.row(kernels(), i, scratch.data()); });
  }
  return py::make_tuple(blocks, bias, residual, radius, largest);
}

py::dict statistics(const scan::CellStats& stats) {
  py::dict out;
  out["cells"] = stats.visited.load();
  out["rows"] = stats.rows.load();
  out["scored"] = stats.scored.load();
  return out;
}

struct QueryArrays {
  Array<float> queries, original;
  std::vector<py::object> keep;
  std::vector<const std::uint8_t*> masks;
  scan::CellQuery query{};

  QueryArrays(const BoundScan& scan, const py::object& q, const py::object& o, std::size_t nprobe,
              std::size_t budget, std::size_t threads, const py::object& admitted)
      : queries(expect<float>(q, "queries", 2)), original(expect<float>(o, "original", 2)) {
    require(cols(queries) == scan.d, "queries: wrong dimension");
    require(rows(original) == rows(queries) && (!scan.fine_d || cols(original) == scan.fine_d),
            "original: expected one for each query");
    require(nprobe > 0, "nprobe: expected at least 1");
    checked_mul(checked_mul(rows(queries), nprobe), sizeof(std::int64_t));
    masks = masks_of(admitted, scan.rows, keep);
    query = {queries.data(),
             original.data(),
             rows(queries),
             nprobe,
             budget,
             threads,
             masks.empty() ? nullptr : masks.data()};
  }
};

}  // namespace

void register_cells(py::module_ m) {
  py::class_<BoundProduct>(m, "ProductCodec", "Product codes as lists are searched.")
      .def(py::init(&make_product), py::arg("metric"), py::arg("dim"), py::arg("codebooks"),
           py::arg("residual"), py::arg("middle"), py::arg("term_low"), py::arg("term_step"),
           py::arg("centre"), py::arg("scale"), py::arg("rotations") = py::none(),
           py::arg("means") = py::none(), py::arg("group") = py::none(),
           py::arg("local_tables") = false);

  py::class_<BoundRaw>(m, "RawCodec", "Stored vectors with 8-bit copies as lists are searched.")
      .def(
          py::init([](const std::string& metric, const py::object& centre,
                      const py::object& steps) {
            const auto c = expect<float>(centre, "centre", 1), s = expect<float>(steps, "steps", 1);
            require(rows(c) > 0 && rows(c) <= 32768, "centre: expected from 1 to 32768 dimensions");
            require(rows(s) == rows(c), "steps: expected one for each dimension");
            for (std::size_t j = 0; j < rows(s); ++j)
              require(s.data()[j] > 0 && std::isfinite(s.data()[j]),
                      "steps: expected finite numbers above 0");
            const scan::Metric named = metric_named(metric);
            return std::make_unique<BoundRaw>(
                BoundRaw{{named, rows(c), scan::ByteCodes(named, c.data(), s.data(), rows(c))}});
          }),
          py::arg("metric"), py::arg("centre"), py::arg("steps"))
      .def("encode", &encode_copies, py::arg("x"),
           "8-bit copies of vectors: blocks, bias, residual, radius, largest norm.")
      .def("pack", &pack_codes, py::arg("codes"), "Vectors that are bytes: as encode gives them.");

  m.def(
      "fit_bytes",
      [](const py::object& x, const std::string& metric) {
        const auto array = expect<float>(x, "x", 2);
        require(rows(array) > 0 && cols(array) > 0 && cols(array) <= 32768,
                "x: expected vectors of at most 32768 dimensions");
        scan::Shadow shadow(cols(array), metric_named(metric));
        shadow.fit(array.data(), rows(array));
        return py::make_tuple(
            Array<float>(static_cast<py::ssize_t>(cols(array)), shadow.centre().data()),
            shadow.scale());
      },
      py::arg("x"), py::arg("metric"), "Centre and scale of 8-bit copies that filter.");

  py::class_<BoundSegment>(m, "Segment", "Rows sorted by cell.")
      .def(py::init(&make_segment), py::arg("n_cells"), py::arg("cells"), py::arg("starts"),
           py::arg("ids"), py::arg("alive") = py::none())
      .def(
          "product",
          [](BoundSegment& self, const py::object& codes, std::size_t width, bool blocked) {
            const std::size_t n = self.segment.n, padded = blocked ? (n + 63) / 64 * 64 : n;
            require(width > 0 && width < 1024, "width: expected from 1 to 1023 bytes");
            const auto array = py::cast<py::array>(codes);
            self.segment.product.codes = data_of<std::uint8_t>(
                codes, "codes", array.ndim(), checked_mul(padded, width), self.keep);
            self.segment.product.width = width;
            self.segment.product.blocked = blocked;
          },
          py::arg("codes"), py::arg("width"), py::arg("blocked"))
      .def(
          "stored",
          [](BoundSegment& self, const BoundRaw& raw, const py::object& vectors,
             const py::object& codes, const py::object& bias, const py::object& residual,
             double radius, double largest_norm) {
            scan::Segment& s = self.segment;
            const std::size_t padded = (s.n + 31) / 32 * 32, d = raw.codec.d;
            s.bytes.padded_d = scan::pad_dimension(d);
            s.bytes.codes = data_of<std::uint8_t>(codes, "codes", 1,
                                                  checked_mul(padded, s.bytes.padded_d), self.keep);
            s.bytes.bias = data_of<std::int32_t>(bias, "bias", 1, padded, self.keep);
            s.bytes.residual = data_of<float>(residual, "residual", 1, padded / 32, self.keep);
            require(s.bytes.codes && s.bytes.bias && s.bytes.residual, "codes: expected arrays");
            s.bytes.radius = radius;
            s.bytes.weighted = raw.codec.coder.weighted();
            s.largest_norm = largest_norm;
            if (!vectors.is_none()) {
              s.stored = stored_in(vectors, s.n, d, py::none(), py::none(), self.keep);
              return;
            }
            s.stored.format = scan::Stored::Format::blocks;
            s.stored.data = s.bytes.codes;
            s.stored.d = d;
            s.stored.padded_d = s.bytes.padded_d;
            s.stored.scale = raw.codec.coder.scale();
            s.stored.steps = raw.codec.coder.steps();
            s.stored.centre = raw.codec.coder.centre().data();
            self.keep.push_back(py::cast(&raw));
          },
          py::arg("raw"), py::arg("vectors"), py::arg("codes"), py::arg("bias"),
          py::arg("residual"), py::arg("radius"), py::arg("largest_norm"))
      .def(
          "fine",
          [](BoundSegment& self, const py::object& vectors, const py::object& centre,
             const py::object& steps) {
            const auto array = py::cast<py::array>(vectors);
            require(array.ndim() == 2, "vectors: expected (n, d)");
            self.segment.fine =
                stored_in(vectors, self.segment.n, cols(array), centre, steps, self.keep);
          },
          py::arg("vectors"), py::arg("centre") = py::none(), py::arg("steps") = py::none());

  py::class_<BoundScan>(m, "CellScan", "Search through lists.")
      .def(py::init([](const std::string& metric, std::size_t d, const py::object& centroids,
                       bool multi, const py::object& coarse_scan, const py::object& codec,
                       const py::list& segments) {
             auto bound = std::make_unique<BoundScan>();
             scan::Coarse coarse;
             coarse.d = d;
             bound->d = d;
             if (!centroids.is_none()) {
               const auto shape = py::cast<py::array>(centroids);
               require(shape.ndim() == (multi ? 3 : 2), "centroids: wrong rank");
               coarse.cells = static_cast<std::size_t>(shape.shape(multi ? 1 : 0));
               coarse.multi = multi;
               require(
                   coarse.cells > 0 && (!multi || d % 2 == 0) && coarse.n_cells() <= 0xffffffffu,
                   "centroids: expected at least one, and an even dimension for a multi-index");
               coarse.centroids = data_of<float>(centroids, "centroids", multi ? 3 : 2,
                                                 coarse.cells * d, bound->keep);
               if (!multi) {
                 coarse.scan = &py::cast<const scan::ExactScan&>(coarse_scan);
                 require(coarse.scan->dimension() == d && coarse.scan->size() == coarse.cells,
                         "coarse_scan: expected one over the centroids");
                 bound->keep.push_back(coarse_scan);
               }
             }
             scan::Codec known;
             std::size_t width = 0;
             if (py::isinstance<BoundProduct>(codec)) {
               const auto& bound_codec = py::cast<const BoundProduct&>(codec);
               known.product = bound_codec.codec.get();
               require(known.product->parts().d == d, "codec: wrong dimension");
               require(!known.product->local() || bound_codec.groups == coarse.n_cells(),
                       "codec: expected a group for each cell");
               width = known.product->width();
             } else if (py::isinstance<py::tuple>(codec)) {
               const auto sides = py::cast<py::tuple>(codec);
               require(sides.size() == 2 && multi, "codec: expected two halves of a multi-index");
               for (std::size_t side = 0; side < 2; ++side) {
                 const auto& half = py::cast<const BoundProduct&>(sides[side]);
                 known.halves[side] = half.codec.get();
                 const auto& of = half.codec->parts();
                 require(of.d == d / 2 && half.codec->local() && of.local_tables &&
                             of.m * of.bits % 8 == 0 && half.groups == coarse.cells,
                         "codec: expected local codes of whole bytes, a group for each cell");
                 width += half.codec->width();
               }
               require(known.halves[0]->parts().bits == known.halves[1]->parts().bits,
                       "codec: expected equal bits");
             } else {
               known.raw = &py::cast<const BoundRaw&>(codec).codec;
               require(known.raw->d == d, "codec: wrong dimension");
             }
             bound->keep.push_back(codec);
             std::vector<scan::Segment> parts;
             for (const py::handle& item : segments) {
               const auto& s = py::cast<const BoundSegment&>(item);
               bound->keep.push_back(py::reinterpret_borrow<py::object>(item));
               require(s.n_cells == coarse.n_cells(), "segments: another number of cells");
               if (!known.raw)
                 require(
                     s.segment.product.codes && s.segment.product.width == width &&
                         (parts.empty() || parts[0].product.blocked == s.segment.product.blocked) &&
                         (s.segment.product.blocked ? !known.halves[0]
                                                    : !known.product || !known.product->local()),
                     "segments: other codes than the codec's");
               else
                 require(s.segment.bytes.codes && s.segment.stored.d == d,
                         "segments: expected stored vectors");
               require(parts.empty() || parts[0].fine.d == s.segment.fine.d,
                       "segments: a second look for all or none");
               bound->fine_d = s.segment.fine.d;
               bound->rows.push_back(s.segment.n);
               parts.push_back(s.segment);
             }
             bound->scan = std::make_unique<scan::CellScan>(metric_named(metric), coarse, known,
                                                            std::move(parts));
             return bound;
           }),
           py::arg("metric"), py::arg("dim"), py::arg("centroids"), py::arg("multi"),
           py::arg("coarse_scan"), py::arg("codec"), py::arg("segments"))
      .def(
          "search",
          [](const BoundScan& self, const py::object& queries, const py::object& original,
             std::size_t k, std::size_t shortlist, std::size_t nprobe, std::size_t budget,
             std::size_t threads, const py::object& admitted) {
            const QueryArrays in(self, queries, original, nprobe, budget, threads, admitted);
            const Nearest found(in.query.n, k);
            scan::CellStats stats;
            {
              py::gil_scoped_release release;
              std::fill_n(found.distance, in.query.n * k, scan::infinity);
              std::fill_n(found.id, in.query.n * k, std::int64_t{-1});
              self.scan->search(in.query, k, shortlist, found.distance, found.id, stats);
            }
            return py::make_tuple(found.distances, found.ids, statistics(stats));
          },
          py::arg("queries"), py::arg("original"), py::arg("k"), py::arg("shortlist"),
          py::arg("nprobe"), py::arg("budget") = 0, py::arg("threads") = 0,
          py::arg("admitted") = py::none())
      .def(
          "range_search",
          [](const BoundScan& self, const py::object& queries, const py::object& original,
             float radius, std::size_t nprobe, std::size_t budget, std::size_t threads,
             const py::object& admitted) {
            const QueryArrays in(self, queries, original, nprobe, budget, threads, admitted);
            std::vector<std::vector<Neighbour>> results;
            scan::CellStats stats;
            {
              py::gil_scoped_release release;
              results = self.scan->range(in.query, radius, stats);
            }
            return py::make_tuple(pack_lists(results), statistics(stats));
          },
          py::arg("queries"), py::arg("original"), py::arg("radius"), py::arg("nprobe"),
          py::arg("budget") = 0, py::arg("threads") = 0, py::arg("admitted") = py::none())
      .def(
          "probe",
          [](const BoundScan& self, const py::object& queries, std::size_t nprobe,
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
              self.scan->probe(in.query, c, v);
            }
            return py::make_tuple(cells, values);
          },
          py::arg("queries"), py::arg("nprobe"), py::arg("budget") = 0, py::arg("threads") = 0);

  m.def(
      "multi_sequence",
      [](const py::object& left, const py::object& right, std::size_t most) {
        const auto l = expect<float>(left, "left", 1), r = expect<float>(right, "right", 1);
        require(rows(l) <= scan::Ordered::most && rows(r) <= scan::Ordered::most,
                "left: expected at most 65536 numbers");
        std::vector<scan::MultiSequence::Pair> found;
        scan::Ordered a, b;
        {
          py::gil_scoped_release release;
          a.start(l.data(), rows(l));
          b.start(r.data(), rows(r));
          scan::MultiSequence sequence;
          sequence.start(a, b);
          for (scan::MultiSequence::Pair pair; found.size() < most && sequence.next(pair);)
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
      },
      py::arg("left"), py::arg("right"), py::arg("most"),
      "Pairs of two sequences by ascending sum: positions in both, sums.");
}

}  // namespace kf::bind
