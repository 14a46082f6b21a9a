#pragma once
// Symmetric sparse matrices in double precision: products, and solutions by factorization.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kf::graph {

// Both halves are stored: row i holds entries starts[i] to starts[i + 1].
struct SymmetricMatrix {
  std::size_t n = 0;
  std::size_t entries = 0;
  const std::int64_t* starts = nullptr;
  const std::int32_t* columns = nullptr;
  const double* values = nullptr;
};

// Starts and columns are addresses: throws InvalidArgument unless all lie within the matrix.
void check(const SymmetricMatrix& matrix);

// out (n, width) := matrix x. Sums run in the order of a row's entries.
void multiply(const SymmetricMatrix& matrix, const double* x, std::size_t width, double* out);

// A + shift I = L D L^T in an order of few new entries. The matrix is read until `factorize` ends.
class Factor {
 public:
  Factor(const SymmetricMatrix& matrix, double shift);
  // Entries of L; known before anything is computed. n^1 on curves and surfaces, near n^2 / 2 on
  // graphs of many dimensions.
  std::size_t fill() const { return starts_.back(); }
  // Throws InvalidArgument where A + shift I is not positive definite.
  void factorize();
  // x (n, width) := (A + shift I)^-1 x.
  void solve(double* x, std::size_t width) const;

 private:
  SymmetricMatrix matrix_;
  double shift_;
  std::vector<std::int32_t> order_, rank_;  // of the rows: new to old, old to new
  std::vector<std::int32_t> parents_;       // the elimination tree
  std::vector<std::size_t> starts_;         // columns of L below the diagonal
  std::vector<std::int32_t> rows_;
  std::vector<double> lower_, diagonal_;
};

}  // namespace kf::graph
