// Single kernels of inverted files, so that tests can hold each level against a reference.

#include "kernels/words.h"

#include "bind/kernels/operands.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

// `bytes` end with 64 that are no numbers.
auto unpack_bits(const py::object& bytes, std::size_t n, unsigned bits) {
  const auto b = expect<std::uint8_t>(bytes, "bytes", 1);
  require(n <= 128 && bits <= 24 && (n * bits + 7) / 8 + 64 <= rows(b), "bytes: too few");
  std::uint32_t out[128];
  kernels<WordKernels>().unpack_bits(b.data(), n, bits, out);
  return copy_of(out, n);
}

auto unpack_ids(const py::object& bytes, std::size_t n, unsigned bits, std::uint32_t before,
                std::uint32_t mask) {
  const auto b = expect<std::uint8_t>(bytes, "bytes", 1);
  require(n <= 128 && bits <= 24 && (n * bits + 7) / 8 + 64 <= rows(b), "bytes: too few");
  std::uint32_t out[128];
  kernels<WordKernels>().unpack_ids(b.data(), n, bits, before, mask, out);
  return copy_of(out, n);
}

auto products_at_least(const py::object& a, const py::object& b, float least) {
  const auto x = expect<float>(a, "a", 1), y = expect<float>(b, "b", 1);
  require(x.size() == y.size(), "b: expected the length of a");
  std::vector<std::uint32_t> out(rows(x));
  return as_array(out, kernels<WordKernels>().products_at_least(x.data(), y.data(), rows(x), least,
                                                                out.data()));
}

}  // namespace

void register_words_kernels(py::module_& m) {
  m.def("unpack_bits", &unpack_bits);
  m.def("unpack_ids", &unpack_ids);
  m.def("products_at_least", &products_at_least);
}

}  // namespace kf::bind
