#pragma once
// What a product with a sparse matrix reads.

#include <cstdint>

namespace kf {

// A sparse square matrix, sixteen rows side by side: step e of slice s holds, for each of its rows,
// a weight and a column. Short rows are filled up with weight 0. A column is its slice's base and
// 16 bits, in broad slices 18.
struct SlicedView {
  const std::int64_t* starts;    // of each slice's entries, and the end of the last
  const std::int32_t* bases;     // of each slice: its least column
  const std::uint8_t* broad;     // of each slice
  const std::uint16_t* columns;  // less the base, the lower 16 bits
  const std::uint32_t* above;  // of each step: the two bits above them, row by row from the lowest
  const void* weights;         // float, or half precision
  bool halves;
  // Of each slice: its rows in `out`, all different; or null: one after the other.
  const std::uint16_t* rows;
};

}  // namespace kf
