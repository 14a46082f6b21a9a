#pragma once
// What several rooms bind alike: optional arrays, stored vectors.

#include <string>
#include <vector>

#include "bind/names.h"
#include "scan/shadow.h"
#include "scan/stored.h"

namespace kf::bind {

// The array's data, kept alive by `keep`; null for None.
template <class T>
const T* data_of(const py::object& object, const char* name, py::ssize_t rank, std::size_t items,
                 std::vector<py::object>& keep) {
  if (object.is_none()) return nullptr;
  const auto array = expect<T>(object, name, rank);
  if (static_cast<std::size_t>(array.size()) != items)
    throw InvalidArgument(std::string(name) + ": expected " + std::to_string(items) +
                          " items, got " + std::to_string(array.size()));
  keep.push_back(object);
  return array.data();
}

// A fixed number of rows of stored vectors in one of the formats, told by the dtype; rows of bytes
// may be padded, and have a centre and steps.
scan::Stored stored_in(const py::object& array, std::size_t n, std::size_t d,
                       const py::object& centre, const py::object& steps,
                       std::vector<py::object>& keep);

// One mask a segment, or none.
std::vector<const std::uint8_t*> masks_of(const py::object& admitted,
                                          const std::vector<std::size_t>& rows,
                                          std::vector<py::object>& keep);

// Similarities as they are: the engine negates them, so that the smaller is nearer.
inline float turned_back(scan::Metric metric, float distance) {
  return metric == scan::Metric::inner_product ? -distance : distance;
}
void turn_back(scan::Metric metric, float* distances, std::size_t n);
void turn_back(scan::Metric metric, std::vector<std::vector<Neighbour>>& lists);

}  // namespace kf::bind
