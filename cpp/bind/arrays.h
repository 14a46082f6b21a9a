#pragma once
// The one gate from numpy to pointers: checks type, rank, layout and agreement of sizes, for memory
// safety. Messages for people come from kinfold.base.arrays, which has looked at the arrays before.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "core/error.h"

namespace kf::bind {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// A C-contiguous array of exactly this type; nothing is converted.
template <class T>
Array<T> expect(const py::object& object, const char* name, py::ssize_t rank) {
  if (!py::isinstance<Array<T>>(object))
    throw InvalidArgument(std::string(name) + ": expected a C-contiguous array of " +
                          std::string(py::str(py::dtype::of<T>())));
  auto array = py::reinterpret_borrow<Array<T>>(object);
  if (array.ndim() != rank)
    throw InvalidArgument(std::string(name) + ": expected rank " + std::to_string(rank) + ", got " +
                          std::to_string(array.ndim()));
  return array;
}

inline std::size_t rows(const py::array& a) { return static_cast<std::size_t>(a.shape(0)); }
inline std::size_t cols(const py::array& a) { return static_cast<std::size_t>(a.shape(1)); }

inline void require(bool condition, const char* message) {
  if (!condition) throw InvalidArgument(message);
}

}  // namespace kf::bind
