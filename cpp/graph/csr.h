#pragma once
// A sparse neighbour graph in compressed rows, and sparse right-hand sides.

#include <cstddef>
#include <cstdint>

namespace kf::graph {

// Square and, by the caller's word, symmetric. Row i holds entries starts[i] to starts[i + 1].
struct Csr {
  std::size_t n = 0;
  std::size_t entries = 0;
  const std::int64_t* starts = nullptr;
  const std::int32_t* neighbours = nullptr;
  const float* weights = nullptr;
};

// Starts and neighbours are addresses: throws InvalidArgument unless all lie within the graph.
// Reads the neighbours once, a small part of what any walk over the graph reads.
void check(const Csr& graph);

// Several sparse right-hand sides: side j is the sum of values[e] at ids[e], e from starts[j] to
// starts[j + 1].
struct RightSides {
  std::size_t count = 0;
  std::size_t entries = 0;
  const std::int64_t* starts = nullptr;
  const std::int32_t* ids = nullptr;
  const float* values = nullptr;
};

void check(const RightSides& sides, std::size_t n);

}  // namespace kf::graph
