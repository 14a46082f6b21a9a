// Single kernels of narrow codes, so that tests can hold each level against a reference.

#include "kernels/narrow.h"

#include <vector>

#include "bind/arrays.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

Array<std::uint8_t> widen_codes(const py::object& codes, std::size_t lines, std::size_t bits) {
  const auto c = expect<std::uint8_t>(codes, "codes", 2);
  const std::size_t shares = bits == 4 ? (lines + 1) / 2 : (lines + 3) / 4 * 3;
  require((bits == 4 || bits == 6) && cols(c) == 64 * shares, "codes: expected (blocks, bytes)");
  Array<std::uint8_t> out(
      {static_cast<py::ssize_t>(rows(c)), static_cast<py::ssize_t>(lines * 64)});
  kernels<NarrowKernels>().widen_codes(c.data(), rows(c), lines, bits, out.mutable_data());
  return out;
}

// scales (4, n), reach (5,): in the order of ScaledRows and ScaledReach.
Array<std::uint32_t> scaled_within(const py::object& scales, const py::object& sums,
                                   const py::object& reach) {
  const auto s = expect<float>(scales, "scales", 2), r = expect<float>(reach, "reach", 1);
  const auto x = expect<std::int32_t>(sums, "sums", 1);
  const std::size_t n = rows(x);
  require(rows(s) == 4 && cols(s) == n && rows(r) == 5, "scales: expected (4, n), reach (5,)");
  std::vector<std::uint32_t> out(n);
  const float* at = s.data();
  const float* of = r.data();
  const std::size_t found =
      kernels<NarrowKernels>().scaled_within({at, at + n, at + 2 * n, at + 3 * n}, x.data(), n,
                                             {of[0], of[1], of[2], of[3], of[4]}, out.data());
  return Array<std::uint32_t>(static_cast<py::ssize_t>(found), out.data());
}

}  // namespace

void register_narrow_kernels(py::module_& m) {
  m.def("widen_codes", &widen_codes);
  m.def("scaled_within", &scaled_within);
}

}  // namespace kf::bind
