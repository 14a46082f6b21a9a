// Single kernels, so that tests can hold each level against a reference.

#include "kernels/table.h"

#include "bind/arrays.h"
#include "bind/registry.h"

namespace kf::bind {

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
}

}  // namespace kf::bind
