#pragma once
// How many bits of a word are set.

#include <cstdint>

#ifndef KF_LEVEL
#error "included by kernels only"
#endif

namespace kf::KF_LEVEL {
namespace {

inline std::int32_t count_bits(std::uint64_t v) {
#if defined(__POPCNT__) || defined(__aarch64__)
  return __builtin_popcountll(v);
#else
  // Pairs, fours, bytes, and their sum: a call of the compiler's library would be shared by all
  // levels.
  v -= (v >> 1) & 0x5555555555555555u;
  v = (v & 0x3333333333333333u) + ((v >> 2) & 0x3333333333333333u);
  v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return static_cast<std::int32_t>((v * 0x0101010101010101u) >> 56);
#endif
}

}  // namespace
}  // namespace kf::KF_LEVEL
