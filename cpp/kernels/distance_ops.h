// One step of a canonical distance in 32 lanes; see distances.cpp.

#pragma once

#include "simd/vec.h"

namespace kf::KF_LEVEL {
namespace {

struct SquaredL2 {
  static Vec16 first(const Vec16& a, const Vec16& b) {
    const Vec16 difference = a - b;
    return multiply(difference, difference);
  }
  static Vec32 add(const Vec32& a, const Vec32& b, const Vec32& sum) {
    const Vec32 difference = a - b;
    return fma(difference, difference, sum);
  }
};

struct InnerProduct {
  static Vec16 first(const Vec16& a, const Vec16& b) { return multiply(a, b); }
  static Vec32 add(const Vec32& a, const Vec32& b, const Vec32& sum) { return fma(a, b, sum); }
};

template <class Op>
inline float distance(const float* a, const float* b, std::size_t d) {
  if (d <= 16) return reduce(Op::first(Vec16::load(a, d), Vec16::load(b, d)));
  Vec32 sum = Vec32::zero();
  std::size_t i = 0;
  for (; i + 32 <= d; i += 32) sum = Op::add(Vec32::load(a + i), Vec32::load(b + i), sum);
  if (i < d) sum = Op::add(Vec32::load(a + i, d - i), Vec32::load(b + i, d - i), sum);
  return reduce(sum);
}

}  // namespace
}  // namespace kf::KF_LEVEL
