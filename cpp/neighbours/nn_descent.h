#pragma once
// Approximate neighbour lists of millions of vectors: neighbours of neighbours are likely
// neighbours (Dong, Moses & Li, WWW 2011).

#include <cstddef>
#include <cstdint>

#include "scan/exact.h"

namespace kf::neighbours {

using scan::Metric;

struct DescentOptions {
  std::uint64_t seed = 0;
  // Blocks of 512 near rows that the first lists are from; 0: a choice, which up to 32,768 rows is
  // all of them: the exact join is the quicker way.
  std::size_t probes = 0;
  std::size_t sample = 20;  // new and old neighbours, and as many that name the row, of each join
  // Rounds are added while a sample of rows has found less than this share of its neighbours.
  double recall = 0.98;
  std::size_t rounds = 12;     // at most
  double least_change = 0.02;  // the share of new entries at which it ends
};

// The k nearest others of each row that are found, by the canonical value, ascending, ties by the
// smaller row; +inf and -1 past the end. Inner products come negated. distances and ids: (n, k).
// Returns the rounds taken. Inner products of rows whose lengths differ, and rows of extreme
// length, have no 8-bit bounds: they are joined exactly. The result depends on the options and on
// nothing else: lists of one round are joined, and what a list keeps of all candidates does not
// depend on their order.
std::size_t nn_descent(const float* x, std::size_t n, std::size_t d, Metric metric, std::size_t k,
                       const DescentOptions& options, float* distances, std::int32_t* ids);

}  // namespace kf::neighbours
