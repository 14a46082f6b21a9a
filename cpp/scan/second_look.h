#pragma once
// The canonical distance of queries to rows that somebody names: the second look at a shortlist that
// was put together elsewhere.

#include <cstddef>
#include <cstdint>

#include "scan/base.h"
#include "scan/stored.h"

namespace kf::scan {

// distances[i] is that of the query q to rows[i] of what is stored, starts[q] <= i < starts[q + 1].
struct SecondLook {
  const float* queries;  // (n, d)
  std::size_t n;
  const std::int64_t* starts;  // (n + 1)
  const std::int64_t* rows;
  std::size_t threads;
};
void second_look(Metric metric, const Stored& stored, const SecondLook& look, float* distances);

}  // namespace kf::scan
