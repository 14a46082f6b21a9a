#pragma once
// Arrays and numbers by name, from a dictionary of Python's and back.

#include <string>
#include <vector>

#include "bind/arrays.h"
#include "core/named.h"

namespace kf::bind {

// What a dictionary holds: C-contiguous arrays, which `keep` keeps alive, and numbers.
Named named(const py::dict& parts, std::vector<py::object>& keep);

// Arrays of numpy by name; makers may work without the interpreter's lock.
class MadeArrays final : public ArrayMaker {
 public:
  const py::dict& arrays() const { return arrays_; }

 private:
  void* make(const std::string& name, Type type, const std::vector<std::size_t>& shape) override;
  py::dict arrays_;
};

}  // namespace kf::bind
