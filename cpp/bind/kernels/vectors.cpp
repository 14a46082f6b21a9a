// Single kernels of whole vectors, so that tests can hold each level against a reference.

#include "kernels/vectors.h"

#include "bind/kernels/operands.h"
#include "bind/registry.h"

namespace kf::bind {
namespace {

auto squared_l2(const py::object& a, const py::object& b) {
  const auto x = expect<float>(a, "a", 1), y = expect<float>(b, "b", 1);
  require(x.size() == y.size(), "b: expected the length of a");
  return kernels<VectorKernels>().squared_l2(x.data(), y.data(), rows(x));
}

auto inner_product(const py::object& a, const py::object& b) {
  const auto x = expect<float>(a, "a", 1), y = expect<float>(b, "b", 1);
  require(x.size() == y.size(), "b: expected the length of a");
  return kernels<VectorKernels>().inner_product(x.data(), y.data(), rows(x));
}

auto halves_to_floats(const py::object& halves) {
  const auto h = expect<std::uint16_t>(halves, "halves", 1);
  Array<float> out(h.size());
  kernels<VectorKernels>().halves_to_floats(h.data(), rows(h), out.mutable_data());
  return out;
}

auto bytes_to_floats(const py::object& bytes, float scale, const py::object& centre) {
  const auto b = expect<std::uint8_t>(bytes, "bytes", 1);
  const auto c = expect<float>(centre, "centre", 1);
  require(b.size() == c.size(), "centre: expected the length of bytes");
  Array<float> out(b.size());
  kernels<VectorKernels>().bytes_to_floats(b.data(), rows(b), scale, c.data(), out.mutable_data());
  return out;
}

auto multiply(const py::object& a, const py::object& b, const py::object& c) {
  const auto x = expect<float>(a, "a", 2), y = expect<float>(b, "b", 2),
             z = expect<float>(c, "c", 2);
  require(cols(x) == rows(y) && rows(z) == rows(x) && cols(z) == cols(y), "c: wrong shape");
  Array<float> out(std::vector<py::ssize_t>{z.shape(0), z.shape(1)});
  std::copy_n(z.data(), z.size(), out.mutable_data());
  kernels<VectorKernels>().multiply(x.data(), rows(x), cols(x), y.data(), cols(y),
                                    out.mutable_data());
  return out;
}

}  // namespace

void register_vectors_kernels(py::module_& m) {
  m.def("squared_l2", &squared_l2);
  m.def("inner_product", &inner_product);
  m.def("halves_to_floats", &halves_to_floats);
  m.def("bytes_to_floats", &bytes_to_floats);
  m.def("multiply", &multiply);
}

}  // namespace kf::bind
