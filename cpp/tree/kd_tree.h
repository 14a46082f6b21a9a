#pragma once
// Exact nearest neighbours and balls in few dimensions, over points that the tree copies.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "kernels/tree.h"

namespace kf::tree {

struct NearestOptions {
  std::size_t k = 1;
  KdNorm norm = KdNorm::l2;
  double eps = 0;    // the k-th answer is at most (1 + eps) times as far as the k-th nearest
  double bound = 0;  // answers are nearer than this
  std::size_t threads = 0;
};

struct BallOptions {
  KdNorm norm = KdNorm::l2;
  double eps = 0;      // boxes beyond r / (1 + eps) are passed over, boxes within r (1 + eps) taken
  bool sorted = true;  // by row
  std::size_t threads = 0;
};

template <class T>
class KdTree {
 public:
  // Points (n, d); `order` as kd_order or an earlier tree made it, or null. Buckets hold a multiple
  // of 16 points.
  KdTree(const T* data, std::size_t n, std::size_t d, std::size_t bucket,
         const std::uint32_t* order);

  std::size_t size() const { return view_.n; }
  std::size_t dimension() const { return view_.d; }
  std::size_t leaf_count() const { return view_.count[0]; }
  const std::vector<std::uint32_t>& order() const { return order_; }
  // The box of all points (d); nothing of the kind if there are none.
  const std::vector<T>& least() const { return least_; }
  const std::vector<T>& most() const { return most_; }

  // Distances (nq, k) ascending, ties by row; ids (nq, k): what is missing has inf and n. `leaves`
  // (nq) or null: how many were scanned.
  void nearest(const T* queries, std::size_t nq, const NearestOptions& options, T* distances,
               std::int64_t* ids, std::uint32_t* leaves) const;

  // The rows within radii[i] of query i, one list after another: starts (nq + 1).
  void balls(const T* queries, const double* radii, std::size_t nq, const BallOptions& options,
             std::vector<std::int64_t>& starts, std::vector<std::int64_t>& ids) const;
  void count_balls(const T* queries, const double* radii, std::size_t nq,
                   const BallOptions& options, std::int64_t* counts) const;
  // Pairs of rows (i, j), i < j, at most r apart: i, j, i, j, ... ascending.
  std::vector<std::int64_t> pairs(double radius, const BallOptions& options) const;

 private:
  void pack(const T* data);
  // Rows of queries such that neighbours are visited one after another.
  std::vector<std::uint32_t> visiting_order(const T* queries, std::size_t nq) const;
  std::size_t ball(const TreeKernels& table, const KdBall<T>& search) const;
  std::size_t positions_in(const TreeKernels& table, KdBall<T> search,
                           std::vector<std::uint32_t>& room) const;

  std::vector<std::uint32_t> order_;
  Buffer<T> boxes_, points_;
  std::vector<T> least_, most_;  // of all points
  KdView<T> view_{};
};

extern template class KdTree<float>;
extern template class KdTree<double>;

}  // namespace kf::tree
