#pragma once
// What a pair must reach: the smaller of two thresholds, the query's and the point's, by its sum
// and the offset of the query.

namespace kf {

template <class T>
struct PairBounds {
  const T *query_thresholds, *query_offsets;  // one a query
  const T* point_thresholds;                  // one a point
};

}  // namespace kf
