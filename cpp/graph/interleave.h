#pragma once
// Vectors side by side: (n, Width), so that one neighbour's values of all vectors lie together.

#include <algorithm>
#include <cstddef>

#include "core/threads.h"
#include "graph/csr.h"

namespace kf::graph {

// x (n, Width) := right-hand sides first to first + used; the rest zero. x is zero before.
template <std::size_t Width>
void scatter(const RightSides& sides, std::size_t first, std::size_t used, float* x) {
  for (std::size_t c = 0; c < used; ++c)
    for (auto e = sides.starts[first + c]; e < sides.starts[first + c + 1]; ++e)
      x[static_cast<std::size_t>(sides.ids[e]) * Width + c] += sides.values[e];
}

constexpr std::size_t copy_rows = 1 << 14;

// out (used, n) := scale * x (n, Width), transposed.
template <std::size_t Width>
void part(const float* x, std::size_t n, std::size_t used, float scale, float* out) {
  parallel_for(n, copy_rows, [&](std::size_t begin, std::size_t end) {
    constexpr std::size_t tile = 16;
    for (std::size_t at = begin; at < end; at += tile)
      for (std::size_t c = 0; c < used; ++c)
        for (std::size_t i = at; i < std::min(at + tile, end); ++i)
          out[c * n + i] = scale * x[i * Width + c];
  });
}

// x (n, Width) := scale * in (used, n), transposed.
template <std::size_t Width>
void join(const float* in, std::size_t n, std::size_t used, float scale, float* x) {
  parallel_for(n, copy_rows, [&](std::size_t begin, std::size_t end) {
    constexpr std::size_t tile = 16;
    for (std::size_t at = begin; at < end; at += tile)
      for (std::size_t c = 0; c < used; ++c)
        for (std::size_t i = at; i < std::min(at + tile, end); ++i)
          x[i * Width + c] = scale * in[c * n + i];
  });
}

// Calls solve.template operator()<Width>(first, used) for all right-hand sides, in the widest
// groups that are not mostly empty.
template <class Solve>
void by_width(std::size_t count, Solve&& solve) {
  for (std::size_t first = 0; first < count;) {
    const std::size_t left = count - first;
    const std::size_t used = std::min<std::size_t>(left, 32);
    if (used > 16)
      solve.template operator()<32>(first, used);
    else if (used > 8)
      solve.template operator()<16>(first, used);
    else if (used > 4)
      solve.template operator()<8>(first, used);
    else if (used > 1)
      solve.template operator()<4>(first, used);
    else
      solve.template operator()<1>(first, used);
    first += used;
  }
}

}  // namespace kf::graph
