#pragma once
// What a product with a sparse matrix reads.

#include <cstdint>

namespace kf {

// A sparse square matrix, sixteen rows side by side: step e of slice s holds, for each of its rows,
// a weight and a column. Short rows are filled up with weight 0.
struct SlicedView {
  const std::int64_t* starts;  // of each slice's weights, and the end of the last
  const std::int64_t* places;  // of each slice's columns, in units of 16 bits, and the end
  const std::int32_t* bases;   // of each slice: its least column
  const std::uint16_t*
      columns;          // less the base; 32 bits each where the slice has two units a weight
  const void* weights;  // float, or half precision
  bool halves;
};

}  // namespace kf
