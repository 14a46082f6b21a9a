#pragma once
// The directions in which vectors spread most: distances along a few of them say already that most
// pairs are far apart.

#include <cstddef>
#include <vector>

#include "core/buffer.h"

namespace kf::scan {

// Orthonormal rows, those of the largest variance first, found by orthogonal iteration over a
// sample (Golub & Van Loan 2013, section 8.2.4). Near enough is good enough: along any such rows
// distances only shrink.
class Directions {
 public:
  // count <= d
  Directions(const float* x, std::size_t n, std::size_t d, std::size_t count);

  std::size_t size() const { return count_; }
  // x (n, d) along the first `count`: (n, count).
  Buffer<float> project(const float* x, std::size_t n, std::size_t count) const;
  // How far at most a projection lies from the exact one of a vector of this length.
  double rounding(double length) const;

 private:
  std::size_t d_, count_;
  std::vector<float> axes_;  // (count, d)
};

}  // namespace kf::scan
