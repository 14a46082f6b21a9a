// The factorization goes row by row: what a row holds is found by climbing the elimination tree
// (Davis, ACM TOMS 31, 2005). Ordered by approximate minimum degree (Amestoy, Davis & Duff 1996).

#include "graph/symmetric.h"

#include <Eigen/OrderingMethods>
#include <Eigen/SparseCore>
#include <algorithm>
#include <limits>
#include <string>

#include "core/buffer.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/threads.h"
#include "graph/csr.h"

namespace kf::graph {
namespace {

constexpr std::int32_t nowhere = -1;

std::vector<std::int32_t> minimum_degree(const SymmetricMatrix& matrix) {
  using Sparse = Eigen::SparseMatrix<double, Eigen::ColMajor, std::int32_t>;
  if (matrix.entries >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) / 2)
    throw InvalidArgument("matrix: expected fewer than 2**30 entries");
  std::vector<std::int32_t> starts(matrix.starts, matrix.starts + matrix.n + 1);
  const auto n = static_cast<Eigen::Index>(matrix.n);
  const Sparse pattern = Eigen::Map<const Sparse>(n, n, static_cast<Eigen::Index>(matrix.entries),
                                                  starts.data(), matrix.columns, matrix.values);
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, std::int32_t> inverse;
  Eigen::AMDOrdering<std::int32_t>()(pattern, inverse);
  return {inverse.indices().data(), inverse.indices().data() + matrix.n};
}

}  // namespace

void check(const SymmetricMatrix& matrix) {
  check(Csr{matrix.n, matrix.entries, matrix.starts, matrix.columns, nullptr});
}

void multiply(const SymmetricMatrix& matrix, const double* x, std::size_t width, double* out) {
  const std::size_t rows =
      1 + (std::size_t{1} << 16) / (width * (matrix.entries / (matrix.n + 1) + 1));
  parallel_for(matrix.n, rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      double* sum = out + i * width;
      std::fill_n(sum, width, 0.0);
      for (auto e = matrix.starts[i]; e < matrix.starts[i + 1]; ++e) {
        const double value = matrix.values[e];
        const double* row = x + static_cast<std::size_t>(matrix.columns[e]) * width;
        for (std::size_t c = 0; c < width; ++c) sum[c] += value * row[c];
      }
    }
  });
}

Factor::Factor(const SymmetricMatrix& matrix, double shift)
    : matrix_(matrix),
      shift_(shift),
      order_(minimum_degree(matrix)),
      rank_(matrix.n),
      parents_(matrix.n, nowhere),
      starts_(matrix.n + 1, 0) {
  const std::size_t n = matrix.n;
  for (std::size_t k = 0; k < n; ++k)
    rank_[static_cast<std::size_t>(order_[k])] = static_cast<std::int32_t>(k);
  std::vector<std::int32_t> seen(n, nowhere);
  for (std::size_t k = 0; k < n; ++k) {
    const auto row = static_cast<std::int32_t>(k);
    const auto old = static_cast<std::size_t>(order_[k]);
    seen[k] = row;
    if (k % 1024 == 0) poll_interrupt();
    for (auto e = matrix.starts[old]; e < matrix.starts[old + 1]; ++e) {
      auto i = static_cast<std::size_t>(rank_[static_cast<std::size_t>(matrix.columns[e])]);
      if (i >= k) continue;
      for (; seen[i] != row; i = static_cast<std::size_t>(parents_[i])) {
        if (parents_[i] == nowhere) parents_[i] = row;
        ++starts_[i + 1];
        seen[i] = row;
      }
    }
  }
  for (std::size_t k = 0; k < n; ++k) starts_[k + 1] += starts_[k];
}

void Factor::factorize() {
  const std::size_t n = matrix_.n;
  rows_.resize(fill());
  lower_.resize(fill());
  diagonal_.assign(n, 0.0);
  std::vector<std::size_t> ends(starts_.begin(), starts_.end() - 1);
  std::vector<std::int32_t> seen(n, nowhere), path(n), climb(n);
  std::vector<double> dense(n, 0.0);
  std::size_t work = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const auto row = static_cast<std::int32_t>(k);
    const auto old = static_cast<std::size_t>(order_[k]);
    seen[k] = row;
    std::size_t top = n;  // path[top, n) are the columns of this row of L, children first
    for (auto e = matrix_.starts[old]; e < matrix_.starts[old + 1]; ++e) {
      auto i = static_cast<std::size_t>(rank_[static_cast<std::size_t>(matrix_.columns[e])]);
      if (i > k) continue;
      dense[i] += matrix_.values[e];
      std::size_t height = 0;
      for (; seen[i] != row; i = static_cast<std::size_t>(parents_[i])) {
        climb[height++] = static_cast<std::int32_t>(i);
        seen[i] = row;
      }
      while (height > 0) path[--top] = climb[--height];
    }
    double pivot = dense[k] + shift_;
    dense[k] = 0;
    for (; top < n; ++top) {
      const auto column = static_cast<std::size_t>(path[top]);
      const double value = dense[column];
      dense[column] = 0;
      const std::size_t end = ends[column]++;
      for (std::size_t at = starts_[column]; at < end; ++at)
        dense[static_cast<std::size_t>(rows_[at])] -= lower_[at] * value;
      work += end - starts_[column];
      const double entry = value / diagonal_[column];
      pivot -= entry * value;
      rows_[end] = row;
      lower_[end] = entry;
    }
    if (!(pivot > 0))
      throw InvalidArgument("matrix: expected a positive definite one, row " + std::to_string(old) +
                            " depends on others");
    diagonal_[k] = pivot;
    if (work > (1 << 22)) {
      work = 0;
      poll_interrupt();
    }
  }
}

void Factor::solve(double* x, std::size_t width) const {
  const std::size_t n = matrix_.n;
  if (diagonal_.size() != n) throw InvalidArgument("matrix: expected one that was factorized");
  Buffer<double> y(checked_mul(n, width));
  for (std::size_t k = 0; k < n; ++k)
    std::copy_n(x + static_cast<std::size_t>(order_[k]) * width, width, y.data() + k * width);
  for (std::size_t k = 0; k < n; ++k) {
    const double* own = y.data() + k * width;
    for (std::size_t at = starts_[k]; at < starts_[k + 1]; ++at) {
      double* other = y.data() + static_cast<std::size_t>(rows_[at]) * width;
      for (std::size_t c = 0; c < width; ++c) other[c] -= lower_[at] * own[c];
    }
    if (k % 256 == 0) poll_interrupt();
  }
  for (std::size_t k = n; k-- > 0;) {
    double* own = y.data() + k * width;
    for (std::size_t c = 0; c < width; ++c) own[c] /= diagonal_[k];
    for (std::size_t at = starts_[k]; at < starts_[k + 1]; ++at) {
      const double* other = y.data() + static_cast<std::size_t>(rows_[at]) * width;
      for (std::size_t c = 0; c < width; ++c) own[c] -= lower_[at] * other[c];
    }
    if (k % 256 == 0) poll_interrupt();
  }
  for (std::size_t k = 0; k < n; ++k)
    std::copy_n(y.data() + k * width, width, x + static_cast<std::size_t>(order_[k]) * width);
}

}  // namespace kf::graph
