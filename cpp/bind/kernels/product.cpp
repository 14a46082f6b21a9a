// Single kernels of product codes, so that tests can hold each level against a reference.

#include "kernels/product.h"

#include "bind/kernels/operands.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

// Product codes in blocks of 64 rows: codes (blocks, 64 * width), tables (lookups, 256 and 16, or 32).
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
    require(rows(tables) >= lookups * (bits == 8 ? 272 : 32), "tables: too short");
    require(lookups * 255 + factor <= 65535, "factor: sums exceed 16 bits");
  }
};

auto filter_product(const py::object& codes, std::size_t lookups, std::size_t bits,
                    const py::object& tables, std::uint32_t factor, std::uint32_t threshold) {
  const ProductOperands in(codes, lookups, bits, tables, factor);
  std::vector<std::uint32_t> hits(64 * rows(in.codes));
  const auto filter = bits == 8 ? kernels<ProductKernels>().filter_product
                                : kernels<ProductKernels>().filter_product4;
  return as_array(hits, filter(in.codes.data(), rows(in.codes), in.width, lookups, in.tables.data(),
                               factor, threshold, hits.data()));
}

auto sums_product(const py::object& codes, std::size_t lookups, std::size_t bits,
                  const py::object& tables, std::uint32_t factor) {
  const ProductOperands in(codes, lookups, bits, tables, factor);
  auto sums = array_of<std::uint16_t>(64 * rows(in.codes));
  kernels<ProductKernels>().sums_product(in.codes.data(), rows(in.codes), in.width, lookups, bits,
                                         in.tables.data(), factor, sums.mutable_data());
  return sums;
}

auto table_least(const py::object& bytes) {
  const auto in = expect<std::uint8_t>(bytes, "bytes", 1);
  require(rows(in) % 16 == 0, "bytes: expected sixteen for each");
  auto out = array_of<std::uint8_t>(rows(in) / 16);
  kernels<ProductKernels>().table_least(in.data(), rows(in) / 16, out.mutable_data());
  return out;
}

auto product_rows(const py::object& codes, std::size_t m_, std::size_t bits,
                  const py::object& tables) {
  const auto c = expect<std::uint8_t>(codes, "codes", 2);
  const auto t = expect<float>(tables, "tables", 2);
  require(bits == 4 || bits == 8, "bits: expected 4 or 8");
  require(rows(t) == m_ && cols(t) == std::size_t{1} << bits && (m_ * bits + 7) / 8 <= cols(c),
          "tables: expected one for each subquantizer");
  std::vector<const float*> pointers(m_);
  for (std::size_t j = 0; j < m_; ++j) pointers[j] = t.data() + j * cols(t);
  Array<float> sums(c.shape(0));
  kernels<ProductKernels>().product_rows({c.data(), rows(c), cols(c), m_, bits}, pointers.data(),
                                         sums.mutable_data());
  return sums;
}

auto decode_blocks(const py::object& codes, const py::object& books, const py::object& norms,
                   std::size_t padded_d) {
  const auto c = expect<std::uint8_t>(codes, "codes", 2),
             b = expect<std::uint8_t>(books, "books", 3);
  const auto n = expect<std::int32_t>(norms, "norms", 2);
  const std::size_t m_ = rows(b), k = cols(b), piece = static_cast<std::size_t>(b.shape(2));
  const std::size_t bits = k == 256 ? 8 : 4, width = cols(c) / 64;
  require((k == 256 || k == 16) && piece % 4 == 0 && cols(c) % 64 == 0 && width * 8 >= m_ * bits &&
              rows(n) == m_ && cols(n) == k && padded_d % 4 == 0 && padded_d >= m_ * piece,
          "books: expected (m, 16 or 256, a multiple of 4) with norms");
  auto out = array_of<std::uint8_t>(rows(c) * 64 * padded_d);
  auto bias = array_of<std::int32_t>(rows(c) * 64);
  kernels<ProductKernels>().decode_blocks({b.data(), n.data(), m_, bits, piece, width, padded_d},
                                          c.data(), rows(c), out.mutable_data(),
                                          bias.mutable_data());
  return py::make_tuple(out, bias);
}

auto product_distances(const py::object& query, const py::object& books, const py::object& code) {
  const auto q = expect<float>(query, "query", 1), b = expect<float>(books, "books", 3);
  const auto c = expect<std::uint8_t>(code, "code", 1);
  const std::size_t m_ = rows(b), k = cols(b), s = static_cast<std::size_t>(b.shape(2));
  require((k == 256 || k == 16) && rows(q) == m_ * s && rows(c) * 8 >= m_ * (k == 256 ? 8 : 4),
          "books: expected (m, 16 or 256, s), the query's length and a code");
  std::vector<float> decoded(m_ * s), scratch(m_ * s);
  const std::size_t bits = k == 256 ? 8 : 4;
  kernels<ProductKernels>().gather_pieces(b.data(), c.data(), 1, m_, bits, s, decoded.data());
  return py::make_tuple(copy_of(decoded.data(), decoded.size()),
                        kernels<ProductKernels>().product_squared_l2(
                            q.data(), b.data(), c.data(), 1, m_, bits, s, scratch.data()),
                        kernels<ProductKernels>().product_inner(q.data(), b.data(), c.data(), 1, m_,
                                                                bits, s, scratch.data()));
}

auto table_bytes(const py::object& entries, float inverse, std::uint32_t limit) {
  const auto x = expect<float>(entries, "entries", 1);
  require(x.size() > 0 && limit < 256 && inverse >= 0, "entries: expected at least one");
  Array<std::uint8_t> out(x.size());
  float least = 0, most = 0;
  kernels<ProductKernels>().table_range(x.data(), rows(x), &least, &most);
  kernels<ProductKernels>().table_bytes(x.data(), rows(x), least, inverse, limit,
                                        out.mutable_data());
  return py::make_tuple(least, most, out);
}

}  // namespace

void register_product_kernels(py::module_& m) {
  m.def("filter_product", &filter_product);
  m.def("sums_product", &sums_product);
  m.def("table_least", &table_least);
  m.def("product_rows", &product_rows);
  m.def("decode_blocks", &decode_blocks);
  m.def("product_distances", &product_distances);
  m.def("table_bytes", &table_bytes);
}

}  // namespace kf::bind
