#pragma once
// The nearest neighbours of each row of a set among the others, exactly: every pair is looked at
// once, for both of its rows.

#include <cstddef>
#include <cstdint>

#include "scan/exact.h"

namespace kf::neighbours {

using scan::Filter;
using scan::Metric;

// The k nearest others of each row by the canonical value, ascending, ties by the smaller row; +inf
// and -1 where n <= k. Inner products come negated. distances and ids: (n, k). The result does not
// depend on the filter, the level or the threads.
void self_join(const float* x, std::size_t n, std::size_t d, Metric metric, std::size_t k,
               Filter filter, std::size_t threads, float* distances, std::int32_t* ids);

// The canonical values of each row with the rows that its list of `width` ids names, +inf for -1.
// Throws InvalidArgument for any other id outside the set.
void list_values(const float* x, std::size_t n, std::size_t d, Metric metric,
                 const std::int32_t* ids, std::size_t width, float* distances);

}  // namespace kf::neighbours
