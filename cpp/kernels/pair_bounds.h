#pragma once
// What a pair must reach: the first threshold for the query's sake, or, with the offset of the
// query added, the second for the point's.

namespace kf {

template <class T>
struct PairBounds {
  const T *query_thresholds, *query_offsets;  // one a query
  const T* point_thresholds;                  // one a point
};

}  // namespace kf
