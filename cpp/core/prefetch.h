#pragma once
// Memory is asked for before it is needed.

#include <cstddef>

namespace kf {

inline void prefetch(const void* at, std::size_t bytes) {
  constexpr std::size_t line = 64;
  const char* from = static_cast<const char*>(at);
  for (std::size_t i = 0; i < bytes; i += line) __builtin_prefetch(from + i);
}

// The first kilobyte of a row: the processor's own prefetching goes on from there.
inline void prefetch_row(const void* at, std::size_t bytes) {
  prefetch(at, bytes < 1024 ? bytes : 1024);
}

}  // namespace kf
