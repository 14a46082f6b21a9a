// Single kernels, so that tests can hold each level against a reference.

#include "kernels/table.h"

#include <algorithm>
#include <vector>

#include "bind/arrays.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

// The operands of the integer filters: queries (nq, d), codes (n, d) in blocks, bias (n,).
struct ByteOperands {
  Array<std::int8_t> queries;
  Array<std::uint8_t> codes;
  Array<std::int32_t> bias;
  std::vector<std::int16_t> scratch;

  ByteOperands(const py::object& q, const py::object& c, const py::object& b)
      : queries(expect<std::int8_t>(q, "queries", 2)),
        codes(expect<std::uint8_t>(c, "codes", 2)),
        bias(expect<std::int32_t>(b, "bias", 1)),
        scratch(static_cast<std::size_t>(queries.size())) {
    const std::size_t d = cols(queries), steps = (d + 63) / 64;
    require(d > 0 && d % (4 * steps) == 0,
            "queries: expected a dimension that splits into equal tiles");
    require(rows(queries) % 16 == 0, "queries: expected a multiple of 16 rows");
    require(rows(codes) % 32 == 0 && rows(codes) < 65536,
            "codes: expected a multiple of 32 rows below 65536");
    require(cols(codes) == d && rows(bias) == rows(codes),
            "codes: expected the queries' dimension, a bias each");
  }
};

// Product codes in blocks of 64 rows: codes (blocks, 64 * width), tables (lookups, 256 or 32) and
// three bytes.
struct ProductOperands {
  Array<std::uint8_t> codes, tables;
  std::size_t width;

  ProductOperands(const py::object& c, std::size_t lookups, std::size_t bits, const py::object& t,
                  std::uint32_t factor)
      : codes(expect<std::uint8_t>(c, "codes", 2)),
        tables(expect<std::uint8_t>(t, "tables", 1)),
        width(cols(codes) / 64) {
    require(cols(codes) % 64 == 0 && (width == lookups || width == lookups + 2) && lookups > 0,
            "codes: expected blocks of 64 rows");
    require(bits == 4 || bits == 8, "bits: expected 4 or 8");
    require(rows(tables) >= lookups * (bits == 8 ? 256 : 32) + 3, "tables: too short");
    require(lookups * 255 + factor <= 65535, "factor: sums exceed 16 bits");
  }
};

Array<std::uint32_t> as_array(const std::vector<std::uint32_t>& hits, std::size_t found) {
  return Array<std::uint32_t>(static_cast<py::ssize_t>(found), hits.data());
}

}  // namespace

void register_kernels(py::module_ m) {
  m.def("squared_l2", [](const py::object& a, const py::object& b) {
    const auto x = expect<float>(a, "a", 1), y = expect<float>(b, "b", 1);
    require(x.size() == y.size(), "b: expected the length of a");
    return kernels().squared_l2(x.data(), y.data(), rows(x));
  });
  m.def("inner_product", [](const py::object& a, const py::object& b) {
    const auto x = expect<float>(a, "a", 1), y = expect<float>(b, "b", 1);
    require(x.size() == y.size(), "b: expected the length of a");
    return kernels().inner_product(x.data(), y.data(), rows(x));
  });
  m.def("kd_partition", [](py::object keys, std::uint64_t pivot) {
    auto k = expect<std::uint64_t>(keys, "keys", 1);
    std::vector<std::uint64_t> spare(rows(k) + 8);
    return kernels().kd_partition(k.mutable_data(), rows(k), pivot, spare.data());
  });
  m.def("filter_u8", [](const py::object& queries, const py::object& codes, const py::object& bias,
                        const py::object& thresholds) {
    ByteOperands in(queries, codes, bias);
    const auto t = expect<std::int32_t>(thresholds, "thresholds", 1);
    require(rows(t) == rows(in.queries), "thresholds: expected one for each query");
    std::vector<std::uint32_t> hits(rows(t) * rows(in.codes));
    const std::size_t found = kernels().filter_u8(
        in.queries.data(), in.scratch.data(), rows(t), in.codes.data(), in.bias.data(),
        rows(in.codes) / 16, cols(in.codes), t.data(), hits.data());
    return as_array(hits, found);
  });
  m.def("best_u8", [](const py::object& queries, const py::object& codes, const py::object& bias) {
    ByteOperands in(queries, codes, bias);
    Array<std::int32_t> best(static_cast<py::ssize_t>(rows(in.queries)));
    kernels().best_u8(in.queries.data(), in.scratch.data(), rows(in.queries), in.codes.data(),
                      in.bias.data(), rows(in.codes) / 16, cols(in.codes), best.mutable_data());
    return best;
  });
  m.def("filter_f32", [](const py::object& queries, std::size_t nq, const py::object& points,
                         const py::object& bias, const py::object& thresholds) {
    const auto q = expect<float>(queries, "queries", 3), x = expect<float>(points, "points", 2);
    const auto b = expect<float>(bias, "bias", 1), t = expect<float>(thresholds, "thresholds", 1);
    require(rows(q) == (nq + 15) / 16 && cols(q) == cols(x) && q.shape(2) == 16,
            "queries: expected (groups, d, 16)");
    require(rows(b) == rows(x) && rows(x) < 65536 && rows(t) == 16 * rows(q),
            "points: expected a bias each, thresholds padded");
    std::vector<std::uint32_t> hits(rows(t) * rows(x));
    const std::size_t found = kernels().filter_f32(q.data(), nq, x.data(), b.data(), rows(x),
                                                   cols(x), t.data(), hits.data());
    return as_array(hits, found);
  });
  m.def("filter_pairs_u8", [](const py::object& queries, const py::object& codes,
                              const py::object& bias, const py::object& query_thresholds,
                              const py::object& query_offsets, const py::object& point_thresholds) {
    ByteOperands in(queries, codes, bias);
    const auto t = expect<std::int32_t>(query_thresholds, "query_thresholds", 1);
    const auto o = expect<std::int32_t>(query_offsets, "query_offsets", 1);
    const auto p = expect<std::int32_t>(point_thresholds, "point_thresholds", 1);
    require(rows(t) == rows(in.queries) && rows(o) == rows(t) && rows(p) == rows(in.codes),
            "thresholds: expected one for each query and point");
    std::vector<std::uint32_t> hits(rows(t) * rows(in.codes));
    const std::size_t found = kernels().filter_pairs_u8(
        in.queries.data(), in.scratch.data(), rows(t), in.codes.data(), in.bias.data(),
        rows(in.codes) / 16, cols(in.codes), t.data(), o.data(), p.data(), hits.data());
    return as_array(hits, found);
  });
  // In place.
  m.def("insert_sorted", [](py::array_t<std::uint64_t, py::array::c_style>& keys, std::uint64_t key,
                            std::uint64_t ignored) {
    require(keys.ndim() == 1 && keys.size() > 0 && keys.size() % 8 == 0,
            "keys: expected a multiple of 8");
    return kernels().insert_sorted(keys.mutable_data(), static_cast<std::size_t>(keys.size()), key,
                                   ignored);
  });
  m.def("keep_pairs_u8", [](const py::object& queries, const py::object& points,
                            const py::object& query_thresholds, const py::object& query_offsets,
                            const py::object& point_thresholds, const py::object& bias,
                            const py::object& hits) {
    const auto q = expect<std::int8_t>(queries, "queries", 2),
               x = expect<std::int8_t>(points, "points", 2);
    const auto t = expect<std::int32_t>(query_thresholds, "query_thresholds", 1),
               o = expect<std::int32_t>(query_offsets, "query_offsets", 1),
               p = expect<std::int32_t>(point_thresholds, "point_thresholds", 1),
               b = expect<std::int32_t>(bias, "bias", 1);
    const auto h = expect<std::uint32_t>(hits, "hits", 1);
    require(cols(q) == cols(x) && rows(t) == rows(q) && rows(o) == rows(q) && rows(p) == rows(x) &&
                rows(b) == rows(x),
            "points: expected a bias and thresholds each");
    std::vector<std::uint32_t> out(h.data(), h.data() + h.size());
    for (const std::uint32_t hit : out)
      require(hit >> 16 < rows(q) && (hit & 0xffff) < rows(x), "hits: expected pairs of rows");
    const std::size_t kept =
        kernels().keep_pairs_u8(q.data(), x.data(), cols(q), t.data(), o.data(), p.data(), b.data(),
                                out.data(), out.size());
    return as_array(out, kept);
  });
  m.def(
      "filter_pairs_f32", [](const py::object& queries, const py::object& points,
                             const py::object& bias, const py::object& query_thresholds,
                             const py::object& query_offsets, const py::object& point_thresholds) {
        const auto q = expect<float>(queries, "queries", 3), x = expect<float>(points, "points", 2);
        const auto b = expect<float>(bias, "bias", 1);
        const auto t = expect<float>(query_thresholds, "query_thresholds", 1);
        const auto o = expect<float>(query_offsets, "query_offsets", 1);
        const auto p = expect<float>(point_thresholds, "point_thresholds", 1);
        require(cols(q) == cols(x) && q.shape(2) == 16, "queries: expected (groups, d, 16)");
        require(rows(b) == rows(x) && rows(x) < 65536 && rows(p) == rows(x) &&
                    rows(t) == 16 * rows(q) && rows(o) == rows(t),
                "points: expected a bias and a threshold each, queries' padded");
        std::vector<std::uint32_t> hits(rows(t) * rows(x));
        const std::size_t found =
            kernels().filter_pairs_f32(q.data(), rows(t), x.data(), b.data(), rows(x), cols(x),
                                       t.data(), o.data(), p.data(), hits.data());
        return as_array(hits, found);
      });
  m.def("encode_u8", [](const py::object& x, const py::object& centre, float scale) {
    const auto v = expect<float>(x, "x", 1), c = expect<float>(centre, "centre", 1);
    require(v.size() == c.size() && scale > 0,
            "centre: expected the length of x, and a positive scale");
    Array<std::int8_t> codes(v.size());
    Array<float> totals(4);
    kernels().encode_u8(v.data(), c.data(), scale, rows(v), codes.mutable_data(),
                        totals.mutable_data());
    return py::make_tuple(codes, totals);
  });
  m.def("sums_u8", [](const py::object& queries, const py::object& codes, const py::object& bias) {
    ByteOperands in(queries, codes, bias);
    Array<std::int32_t> sums(std::vector<py::ssize_t>{in.queries.shape(0), in.codes.shape(0)});
    kernels().sums_u8(in.queries.data(), in.scratch.data(), rows(in.queries), in.codes.data(),
                      in.bias.data(), rows(in.codes) / 16, cols(in.codes), sums.mutable_data(),
                      rows(in.codes));
    return sums;
  });
  m.def("group_max", [](const py::object& sums, std::size_t groups) {
    const auto x = expect<std::int32_t>(sums, "sums", 1);
    require(groups > 0 && groups <= rows(x), "groups: expected from 1 to the number of sums");
    Array<std::int32_t> out(static_cast<py::ssize_t>(groups));
    kernels().group_max(x.data(), rows(x), groups, out.mutable_data());
    return out;
  });
  m.def("at_least", [](const py::object& sums, std::int32_t threshold) {
    const auto x = expect<std::int32_t>(sums, "sums", 1);
    std::vector<std::uint32_t> out(rows(x));
    return as_array(out, kernels().at_least(x.data(), rows(x), threshold, out.data()));
  });
  m.def("filter_product",
        [](const py::object& codes, std::size_t lookups, std::size_t bits, const py::object& tables,
           std::uint32_t factor, std::uint32_t threshold) {
          const ProductOperands in(codes, lookups, bits, tables, factor);
          std::vector<std::uint32_t> hits(64 * rows(in.codes));
          const auto filter = bits == 8 ? kernels().filter_product : kernels().filter_product4;
          return as_array(hits, filter(in.codes.data(), rows(in.codes), in.width, lookups,
                                       in.tables.data(), factor, threshold, hits.data()));
        });
  m.def("sums_product", [](const py::object& codes, std::size_t lookups, std::size_t bits,
                           const py::object& tables, std::uint32_t factor) {
    const ProductOperands in(codes, lookups, bits, tables, factor);
    Array<std::uint16_t> sums(static_cast<py::ssize_t>(64 * rows(in.codes)));
    kernels().sums_product(in.codes.data(), rows(in.codes), in.width, lookups, bits,
                           in.tables.data(), factor, sums.mutable_data());
    return sums;
  });
  m.def("product_rows", [](const py::object& codes, std::size_t m_, std::size_t bits,
                           const py::object& tables) {
    const auto c = expect<std::uint8_t>(codes, "codes", 2);
    const auto t = expect<float>(tables, "tables", 2);
    require(bits == 4 || bits == 8, "bits: expected 4 or 8");
    require(rows(t) == m_ && cols(t) == std::size_t{1} << bits && (m_ * bits + 7) / 8 <= cols(c),
            "tables: expected one for each subquantizer");
    std::vector<const float*> pointers(m_);
    for (std::size_t j = 0; j < m_; ++j) pointers[j] = t.data() + j * cols(t);
    Array<float> sums(c.shape(0));
    kernels().product_rows({c.data(), rows(c), cols(c), m_, bits}, pointers.data(),
                           sums.mutable_data());
    return sums;
  });
  m.def("decode_blocks", [](const py::object& codes, const py::object& books,
                            const py::object& norms, std::size_t padded_d) {
    const auto c = expect<std::uint8_t>(codes, "codes", 2),
               b = expect<std::uint8_t>(books, "books", 3);
    const auto n = expect<std::int32_t>(norms, "norms", 2);
    const std::size_t m_ = rows(b), k = cols(b), piece = static_cast<std::size_t>(b.shape(2));
    const std::size_t bits = k == 256 ? 8 : 4, width = cols(c) / 64;
    require((k == 256 || k == 16) && piece % 4 == 0 && cols(c) % 64 == 0 &&
                width * 8 >= m_ * bits && rows(n) == m_ && cols(n) == k && padded_d % 4 == 0 &&
                padded_d >= m_ * piece,
            "books: expected (m, 16 or 256, a multiple of 4) with norms");
    Array<std::uint8_t> out(static_cast<py::ssize_t>(rows(c) * 64 * padded_d));
    Array<std::int32_t> bias(static_cast<py::ssize_t>(rows(c) * 64));
    kernels().decode_blocks({b.data(), n.data(), m_, bits, piece, width, padded_d}, c.data(),
                            rows(c), out.mutable_data(), bias.mutable_data());
    return py::make_tuple(out, bias);
  });
  m.def("product_distances", [](const py::object& query, const py::object& books,
                                const py::object& code) {
    const auto q = expect<float>(query, "query", 1), b = expect<float>(books, "books", 3);
    const auto c = expect<std::uint8_t>(code, "code", 1);
    const std::size_t m_ = rows(b), k = cols(b), s = static_cast<std::size_t>(b.shape(2));
    require((k == 256 || k == 16) && rows(q) == m_ * s && rows(c) * 8 >= m_ * (k == 256 ? 8 : 4),
            "books: expected (m, 16 or 256, s), the query's length and a code");
    std::vector<float> decoded(m_ * s), scratch(m_ * s);
    const std::size_t bits = k == 256 ? 8 : 4;
    kernels().gather_pieces(b.data(), c.data(), 1, m_, bits, s, decoded.data());
    return py::make_tuple(
        Array<float>(static_cast<py::ssize_t>(decoded.size()), decoded.data()),
        kernels().product_squared_l2(q.data(), b.data(), c.data(), 1, m_, bits, s, scratch.data()),
        kernels().product_inner(q.data(), b.data(), c.data(), 1, m_, bits, s, scratch.data()));
  });
  m.def("halves_to_floats", [](const py::object& halves) {
    const auto h = expect<std::uint16_t>(halves, "halves", 1);
    Array<float> out(h.size());
    kernels().halves_to_floats(h.data(), rows(h), out.mutable_data());
    return out;
  });
  m.def("bytes_to_floats", [](const py::object& bytes, float scale, const py::object& centre) {
    const auto b = expect<std::uint8_t>(bytes, "bytes", 1);
    const auto c = expect<float>(centre, "centre", 1);
    require(b.size() == c.size(), "centre: expected the length of bytes");
    Array<float> out(b.size());
    kernels().bytes_to_floats(b.data(), rows(b), scale, c.data(), out.mutable_data());
    return out;
  });
  m.def("multiply", [](const py::object& a, const py::object& b, const py::object& c) {
    const auto x = expect<float>(a, "a", 2), y = expect<float>(b, "b", 2),
               z = expect<float>(c, "c", 2);
    require(cols(x) == rows(y) && rows(z) == rows(x) && cols(z) == cols(y), "c: wrong shape");
    Array<float> out(std::vector<py::ssize_t>{z.shape(0), z.shape(1)});
    std::copy_n(z.data(), z.size(), out.mutable_data());
    kernels().multiply(x.data(), rows(x), cols(x), y.data(), cols(y), out.mutable_data());
    return out;
  });
  m.def("table_bytes", [](const py::object& entries, float inverse, std::uint32_t limit) {
    const auto x = expect<float>(entries, "entries", 1);
    require(x.size() > 0 && limit < 256 && inverse >= 0, "entries: expected at least one");
    Array<std::uint8_t> out(x.size());
    float least = 0, most = 0;
    kernels().table_range(x.data(), rows(x), &least, &most);
    kernels().table_bytes(x.data(), rows(x), least, inverse, limit, out.mutable_data());
    return py::make_tuple(least, most, out);
  });
  m.def("hamming_within", [](const py::object& query, const py::object& codes, std::int32_t limit) {
    const auto q = expect<std::uint64_t>(query, "query", 1);
    const auto c = expect<std::uint64_t>(codes, "codes", 3);
    require(cols(c) == rows(q) && c.shape(2) == 8, "codes: expected (blocks, words, 8)");
    std::vector<std::uint32_t> places(8 * rows(c) + 1);
    std::vector<std::int32_t> distances(places.size());
    const std::size_t found = kernels().hamming_within(q.data(), c.data(), rows(c), rows(q), limit,
                                                       places.data(), distances.data());
    return py::make_tuple(Array<std::uint32_t>(static_cast<py::ssize_t>(found), places.data()),
                          Array<std::int32_t>(static_cast<py::ssize_t>(found), distances.data()));
  });
  // `bytes` end with 64 that are no numbers.
  m.def("unpack_bits", [](const py::object& bytes, std::size_t n, unsigned bits) {
    const auto b = expect<std::uint8_t>(bytes, "bytes", 1);
    require(n <= 128 && bits <= 24 && (n * bits + 7) / 8 + 64 <= rows(b), "bytes: too few");
    std::uint32_t out[128];
    kernels().unpack_bits(b.data(), n, bits, out);
    return Array<std::uint32_t>(static_cast<py::ssize_t>(n), out);
  });
  m.def("unpack_ids", [](const py::object& bytes, std::size_t n, unsigned bits,
                         std::uint32_t before, std::uint32_t mask) {
    const auto b = expect<std::uint8_t>(bytes, "bytes", 1);
    require(n <= 128 && bits <= 24 && (n * bits + 7) / 8 + 64 <= rows(b), "bytes: too few");
    std::uint32_t out[128];
    kernels().unpack_ids(b.data(), n, bits, before, mask, out);
    return Array<std::uint32_t>(static_cast<py::ssize_t>(n), out);
  });
  m.def("products_at_least", [](const py::object& a, const py::object& b, float least) {
    const auto x = expect<float>(a, "a", 1), y = expect<float>(b, "b", 1);
    require(x.size() == y.size(), "b: expected the length of a");
    std::vector<std::uint32_t> out(rows(x));
    return as_array(out,
                    kernels().products_at_least(x.data(), y.data(), rows(x), least, out.data()));
  });
  m.def("row_sums", [](const py::object& query, const py::object& codes, const py::object& bias,
                       const py::object& places) {
    const auto q = expect<std::int8_t>(query, "query", 1);
    const auto c = expect<std::uint8_t>(codes, "codes", 2);
    const auto b = expect<std::int32_t>(bias, "bias", 1);
    const auto p = expect<std::uint32_t>(places, "places", 1);
    require(cols(c) >= rows(q) && rows(b) == rows(c), "codes: expected the query's dimension");
    for (std::size_t i = 0; i < rows(p); ++i)
      require(p.data()[i] < rows(c), "places: out of range");
    Array<std::int32_t> sums(p.size());
    kernels().row_sums(q.data(), rows(q), c.data(), cols(c), b.data(), p.data(), rows(p),
                       sums.mutable_data());
    return sums;
  });
}

}  // namespace kf::bind
