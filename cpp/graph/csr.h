#pragma once
// A sparse neighbour graph in compressed rows, and its product with a few vectors at once.

#include <cstddef>
#include <cstdint>

namespace kf::graph {

// Square and, by the caller's word, symmetric. Row i holds entries starts[i] to starts[i + 1].
struct Csr {
  std::size_t n = 0;
  std::size_t entries = 0;
  const std::int64_t* starts = nullptr;
  const std::int32_t* neighbours = nullptr;
  const float* weights = nullptr;
};

// Starts and neighbours are addresses: throws InvalidArgument unless all lie within the graph.
// Reads the neighbours once, a small part of what any walk over the graph reads.
void check(const Csr& graph);

// Several sparse right-hand sides: side j is the sum of values[e] at ids[e], e from starts[j] to
// starts[j + 1].
struct RightSides {
  std::size_t count = 0;
  std::size_t entries = 0;
  const std::int64_t* starts = nullptr;
  const std::int32_t* ids = nullptr;
  const float* values = nullptr;
};

void check(const RightSides& sides, std::size_t n);

// Sums over rows are taken in blocks of this many and then over the blocks in order, so that they
// do not depend on the number of threads, nor on how many vectors are handled together.
constexpr std::size_t reduction_rows = 1024;

inline std::size_t reduction_blocks(std::size_t n) {
  return (n + reduction_rows - 1) / reduction_rows;
}

// Blocks that a thread takes at a time: enough work to be worth handing out, a few milliseconds at
// most.
inline std::size_t blocks_at_a_time(const Csr& graph, std::size_t width) {
  const std::size_t work = (graph.entries / (graph.n + 1) + 4) * reduction_rows * width;
  return 1 + (std::size_t{1} << 18) / work;
}

// A row's sums in registers: four at a time in the vectors of the compiler, or one alone. Left to
// itself the compiler clears them in memory, which takes longer than to add up a row.
template <std::size_t Width>
struct RowSum {
  using Quad __attribute__((vector_size(16), may_alias)) = float;
  static constexpr std::size_t quads = Width / 4;
  Quad sum[quads];

  RowSum() {
#pragma GCC unroll 8
    for (std::size_t c = 0; c < quads; ++c) sum[c] = Quad{};
  }
  // row is aligned to 16 bytes.
  void add(float weight, const float* row) {
    const auto* values = reinterpret_cast<const Quad*>(row);
#pragma GCC unroll 8
    for (std::size_t c = 0; c < quads; ++c) sum[c] += weight * values[c];
  }
  void store(float* out) const {
#pragma GCC unroll 8
    for (std::size_t c = 0; c < quads; ++c) reinterpret_cast<Quad*>(out)[c] = sum[c];
  }
};

template <>
struct RowSum<1> {
  float sum = 0;
  void add(float weight, const float* row) { sum += weight * *row; }
  void store(float* out) const { *out = sum; }
};

// Calls consume(i, sum) for rows [begin, end) with sum[c] = sum over j of W_ij x[j * Width + c].
// Entries are added in their order for any Width: a vector's product is the same alone and among
// others. 8 bytes of graph and 4 * Width bytes of x from a random row per entry: x is prefetched
// ahead. x is aligned to a cache line.
template <std::size_t Width, class Consume>
inline void multiply_rows(const Csr& graph, const float* x, std::size_t begin, std::size_t end,
                          Consume&& consume) {
  constexpr std::size_t ahead = Width >= 8 ? 8 : 32;
  constexpr std::size_t line = 16;
  const std::int32_t* neighbours = graph.neighbours;
  const float* weights = graph.weights;
  const auto row_of = [&](std::size_t e) {
    return x + static_cast<std::size_t>(neighbours[e]) * Width;
  };
  for (std::size_t i = begin; i < end; ++i) {
    RowSum<Width> sum;
    const auto last = static_cast<std::size_t>(graph.starts[i + 1]);
    for (auto e = static_cast<std::size_t>(graph.starts[i]); e < last; ++e) {
      if (e + ahead < graph.entries) {
        const float* next = row_of(e + ahead);
        for (std::size_t at = 0; at < Width; at += line) __builtin_prefetch(next + at);
      }
      sum.add(weights[e], row_of(e));
    }
    alignas(64) float sums[Width];
    sum.store(sums);
    consume(i, static_cast<const float*>(sums));
  }
}

}  // namespace kf::graph
