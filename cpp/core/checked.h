#pragma once
// Sizes that cannot overflow in silence.

#include <cstddef>

#include "core/error.h"

namespace kf {

inline std::size_t checked_mul(std::size_t a, std::size_t b) {
  std::size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw InvalidArgument("size: product overflows");
  return product;
}

}  // namespace kf
