// Single kernels of k-d trees, so that tests can hold each level against a reference.

#include "kernels/tree.h"

#include "bind/kernels/operands.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

auto kd_partition(py::object keys, std::uint64_t pivot) {
  auto k = expect<std::uint64_t>(keys, "keys", 1);
  std::vector<std::uint64_t> spare(rows(k) + 8);
  return kernels<TreeKernels>().kd_partition(k.mutable_data(), rows(k), pivot, spare.data());
}

}  // namespace

void register_tree_kernels(py::module_& m) { m.def("kd_partition", &kd_partition); }

}  // namespace kf::bind
