#pragma once
// The one gate from numpy to pointers: checks type, rank, layout and agreement of sizes, for memory
// safety. Messages for people come from kinfold.base.arrays, which has looked at the arrays before.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <utility>
#include <vector>

#include "core/checked.h"
#include "core/error.h"
#include "core/topk.h"

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

// Where groups of n items start: from 0 on, rising to n.
template <class T>
void require_starts(const T* starts, std::size_t groups, std::size_t n, const char* name) {
  bool rise = starts[0] == 0 && static_cast<std::size_t>(starts[groups]) == n;
  for (std::size_t i = 0; rise && i < groups; ++i) rise = starts[i] <= starts[i + 1];
  if (!rise)
    throw InvalidArgument(std::string(name) + ": expected to rise from 0 to " + std::to_string(n));
}
inline void require_starts(const Array<std::int64_t>& starts, std::size_t n) {
  require(rows(starts) > 0, "starts: expected at least one");
  require_starts(starts.data(), rows(starts) - 1, n, "starts");
}

// An array of this shape, to be filled.
template <class T, class... Sizes>
Array<T> array_of(Sizes... sizes) {
  return Array<T>(std::vector<py::ssize_t>{static_cast<py::ssize_t>(sizes)...});
}

template <class T>
Array<T> copy_of(const T* values, std::size_t n) {
  return Array<T>(static_cast<py::ssize_t>(n), values);
}

// An array that owns the vector's memory.
template <class T>
Array<T> adopt(std::vector<T>&& values) {
  auto* owner = new std::vector<T>(std::move(values));
  const py::capsule free(owner, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return Array<T>(static_cast<py::ssize_t>(owner->size()), owner->data(), free);
}

// The k best of each query, to be filled by a search: distances and ids, (queries, k). Where nothing
// is held, nothing may be asked for: `least` is 0 there.
template <class T = float, class Id = std::int64_t>
struct Nearest {
  Nearest(std::size_t queries, std::size_t k, std::size_t least = 1)
      : Nearest(shape(queries, k, least)) {}

  Array<T> distances;
  Array<Id> ids;
  // Taken while the interpreter's lock is held.
  T* distance;
  Id* id;

 private:
  explicit Nearest(const std::vector<py::ssize_t>& shape)
      : distances(shape), ids(shape), distance(distances.mutable_data()), id(ids.mutable_data()) {}

  static std::vector<py::ssize_t> shape(std::size_t queries, std::size_t k, std::size_t least) {
    require(k >= least, "k: expected at least 1");
    checked_mul(checked_mul(queries, k), sizeof(std::int64_t));
    return {static_cast<py::ssize_t>(queries), static_cast<py::ssize_t>(k)};
  }
};

// Lists of neighbours one after the other: starts, distances, ids.
inline py::tuple pack_lists(const std::vector<std::vector<Neighbour>>& lists) {
  Array<std::int64_t> starts(static_cast<py::ssize_t>(lists.size() + 1));
  std::size_t total = 0;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    starts.mutable_data()[i] = static_cast<std::int64_t>(total);
    total += lists[i].size();
  }
  starts.mutable_data()[lists.size()] = static_cast<std::int64_t>(total);
  Array<float> distances(static_cast<py::ssize_t>(total));
  Array<std::int64_t> ids(static_cast<py::ssize_t>(total));
  std::size_t at = 0;
  for (const auto& list : lists)
    for (const Neighbour& item : list) {
      distances.mutable_data()[at] = item.distance;
      ids.mutable_data()[at++] = item.id;
    }
  return py::make_tuple(starts, distances, ids);
}

}  // namespace kf::bind
