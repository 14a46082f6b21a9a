#pragma once
// Randomized k-d trees that share one queue (Silpa-Anan and Hartley, CVPR 2008).
//
// Trees are balanced: node (level, j) holds the rows order[j n / 2^level, (j + 1) n / 2^level), so
// a split is a dimension and a value, and nothing else is stored.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scan/candidates.h"
#include "scan/stored.h"

namespace kf::tree {

// A split: the dimension and the bits of the float at which the halves meet.
struct Split {
  std::int32_t dimension;
  float value;
};

struct Forest {
  std::size_t n = 0, trees = 0, levels = 0;
  const Split* splits = nullptr;         // (trees, 2^levels - 1), children of i: 2 i + 1, 2 i + 2
  const std::uint32_t* order = nullptr;  // (trees, n)

  std::size_t nodes() const { return (std::size_t{1} << levels) - 1; }
  std::size_t begin_of(std::size_t leaf) const { return leaf * n >> levels; }
};

// Halvings until a leaf holds at most `leaf` rows.
std::size_t levels_for(std::size_t n, std::size_t leaf);

// Each split is at the median of a dimension drawn among the `among` of largest variance in a
// sample of the node's rows; draws depend on seed, tree and node alone.
void build_forest(const scan::Stored& rows, std::size_t n, std::size_t trees, std::size_t levels,
                  std::size_t among, std::uint64_t seed, Split* splits, std::uint32_t* order);

class Forests : public scan::Structure {
 public:
  Forests(std::size_t d, std::vector<Forest> segments) : d_(d), segments_(std::move(segments)) {}
  std::unique_ptr<scan::Proposer> proposer() const override;

 private:
  std::size_t d_;
  std::vector<Forest> segments_;
};

}  // namespace kf::tree
