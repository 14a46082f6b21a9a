#pragma once
// Which cells there are.

#include <cstddef>

namespace kf::scan {
class ExactScan;
}

namespace kf::lists {

// Without centroids there is one cell.
struct Coarse {
  const scan::ExactScan* scan = nullptr;  // over the centroids, where a query has one nearest list
  const float* centroids = nullptr;  // (cells, d); of a multi-index (2, cells, d / 2), each half's
  std::size_t cells = 1;             // of a multi-index: of each half
  bool multi = false;
  std::size_t d = 0;

  std::size_t n_cells() const { return multi ? cells * cells : cells; }
  // The centroid of a cell: where it lies, or put together in `scratch` (d).
  const float* centroid(std::size_t cell, float* scratch) const;
};

}  // namespace kf::lists
