#pragma once
// Vectors put in an order in which near ones stand together: halved again and again across the line
// between two means.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kf::neighbours {

// The rows of x in an order whose pieces of `leaf` rows, the last perhaps shorter, are the leaves
// of the tree. Other seeds give other trees.
std::vector<std::uint32_t> bisect(const float* x, std::size_t n, std::size_t d, std::size_t leaf,
                                  std::uint64_t seed);

}  // namespace kf::neighbours
