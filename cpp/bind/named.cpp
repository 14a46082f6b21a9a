#include "bind/named.h"

namespace kf::bind {
namespace {

struct Known {
  Type type;
  char kind;
  py::ssize_t size;
  const char* dtype;
};
constexpr Known known[] = {
    {Type::f32, 'f', 4, "float32"}, {Type::f64, 'f', 8, "float64"}, {Type::f16, 'f', 2, "float16"},
    {Type::u8, 'u', 1, "uint8"},    {Type::i32, 'i', 4, "int32"},   {Type::i64, 'i', 8, "int64"},
};

Type type_in(const py::array& array) {
  for (const Known& of : known)
    if (of.kind == array.dtype().kind() && of.size == array.itemsize()) return of.type;
  return Type::other;
}

}  // namespace

Named named(const py::dict& parts, std::vector<py::object>& keep) {
  Named out;
  for (const auto& [key, value] : parts) {
    const auto name = py::cast<std::string>(key);
    if (!py::isinstance<py::array>(value)) {
      out.add(name, py::cast<double>(value));
      continue;
    }
    const auto array = py::reinterpret_borrow<py::array>(value);
    if ((array.flags() & py::array::c_style) == 0)
      throw InvalidArgument(name + ": expected a C-contiguous array");
    out.add(name, {type_in(array), array.data(), {array.shape(), array.shape() + array.ndim()}});
    keep.push_back(array);
  }
  return out;
}

void* MadeArrays::make(const std::string& name, Type type, const std::vector<std::size_t>& shape) {
  const py::gil_scoped_acquire acquire;
  for (const Known& of : known)
    if (of.type == type) {
      py::array array(py::dtype(of.dtype), std::vector<py::ssize_t>(shape.begin(), shape.end()));
      arrays_[name.c_str()] = array;
      return array.mutable_data();
    }
  throw InvalidArgument(name + ": expected a known type");
}

}  // namespace kf::bind
