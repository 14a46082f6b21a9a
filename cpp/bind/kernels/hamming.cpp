// Single kernels of binary codes, so that tests can hold each level against a reference.

#include "kernels/hamming.h"

#include "bind/kernels/operands.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

auto hamming_within(const py::object& query, const py::object& codes, std::int32_t limit) {
  const auto q = expect<std::uint64_t>(query, "query", 1);
  const auto c = expect<std::uint64_t>(codes, "codes", 3);
  require(cols(c) == rows(q) && c.shape(2) == 8, "codes: expected (blocks, words, 8)");
  std::vector<std::uint32_t> places(8 * rows(c) + 1);
  std::vector<std::int32_t> distances(places.size());
  const std::size_t found = kernels<HammingKernels>().hamming_within(
      q.data(), c.data(), rows(c), rows(q), limit, places.data(), distances.data());
  return py::make_tuple(copy_of(places.data(), found), copy_of(distances.data(), found));
}

}  // namespace

void register_hamming_kernels(py::module_& m) { m.def("hamming_within", &hamming_within); }

}  // namespace kf::bind
