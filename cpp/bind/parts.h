#pragma once
// Arrays of what photos hold of words.

#include "bind/arrays.h"
#include "words/by_word.h"

namespace kf::bind {

// An array of n parts.
inline py::array parts_array(std::size_t n, words::PartShape shape) {
  if (shape.width) return array_of<std::uint64_t>(n, shape.width);
  return array_of<float>(n, shape.d);
}

}  // namespace kf::bind
