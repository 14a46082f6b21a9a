#pragma once
// The canonical distance: what every answer is ranked by, whatever found it.

#include <cstddef>

#include "scan/base.h"

namespace kf::scan {

// Squared distances of float32 vectors, or inner products negated: the smaller is nearer.
class Distance {
 public:
  Distance(Metric metric, std::size_t d);
  float operator()(const float* a, const float* b) const { return sign_ * value_(a, b, d_); }

 private:
  std::size_t d_;
  float sign_;
  float (*value_)(const float*, const float*, std::size_t);
};

}  // namespace kf::scan
