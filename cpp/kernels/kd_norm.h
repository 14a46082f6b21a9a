#pragma once
// Distances of a query to 16 points, and to 16 boxes: least and largest. All three add the same
// terms in the order of the dimensions, and rounding keeps order, so a box's bounds hold for the
// rounded distances of the points in it: no allowance for rounding is needed anywhere.

#include "kernels/lanes16.h"
#include "kernels/tree.h"

namespace kf::KF_LEVEL {
namespace {

template <class T>
struct SumOfSquares {
  static Lanes<T> term(const Lanes<T>& difference) { return difference * difference; }
  static Lanes<T> join(const Lanes<T>& sum, const Lanes<T>& term) { return sum + term; }
};

template <class T>
struct SumOfAbsolutes {
  static Lanes<T> term(const Lanes<T>& difference) { return absolute(difference); }
  static Lanes<T> join(const Lanes<T>& sum, const Lanes<T>& term) { return sum + term; }
};

template <class T>
struct LargestAbsolute {
  static Lanes<T> term(const Lanes<T>& difference) { return absolute(difference); }
  static Lanes<T> join(const Lanes<T>& sum, const Lanes<T>& term) { return larger(sum, term); }
};

// D: the dimension where the compiler may know it, else 0.
template <int D>
std::size_t dimension(std::size_t d) {
  return D > 0 ? static_cast<std::size_t>(D) : d;
}

template <class Norm, int D, class T>
Lanes<T> point_distances(const T* query, const T* points, std::size_t d) {
  Lanes<T> sum = Norm::term(Lanes<T>::set(query[0]) - Lanes<T>::load(points));
  for (std::size_t i = 1; i < dimension<D>(d); ++i)
    sum = Norm::join(sum,
                     Norm::term(Lanes<T>::set(query[i]) - Lanes<T>::load(points + i * lane_count)));
  return sum;
}

template <class T>
Lanes<T> outside(T x, const T* sides) {
  const Lanes<T> q = Lanes<T>::set(x);
  return larger(larger(Lanes<T>::load(sides) - q, q - Lanes<T>::load(sides + lane_count)),
                Lanes<T>::set(0));
}

template <class Norm, int D, class T>
Lanes<T> least_distances(const T* query, const T* boxes, std::size_t d) {
  Lanes<T> sum = Norm::term(outside(query[0], boxes));
  for (std::size_t i = 1; i < dimension<D>(d); ++i)
    sum = Norm::join(sum, Norm::term(outside(query[i], boxes + 2 * i * lane_count)));
  return sum;
}

template <class T>
Lanes<T> farther_side(T x, const T* sides) {
  const Lanes<T> q = Lanes<T>::set(x);
  return larger(q - Lanes<T>::load(sides), Lanes<T>::load(sides + lane_count) - q);
}

template <class Norm, class T>
Lanes<T> largest_distances(const T* query, const T* boxes, std::size_t d) {
  Lanes<T> sum = Norm::term(farther_side(query[0], boxes));
  for (std::size_t i = 1; i < d; ++i)
    sum = Norm::join(sum, Norm::term(farther_side(query[i], boxes + 2 * i * lane_count)));
  return sum;
}

// Which of 16 places are taken when `left` things begin at the first.
inline std::uint32_t places(std::size_t left) {
  return left >= lane_count ? 0xffffu : (1u << left) - 1u;
}

}  // namespace
}  // namespace kf::KF_LEVEL
