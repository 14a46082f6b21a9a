#pragma once
// Randomized k-d trees that share one queue (Silpa-Anan and Hartley, CVPR 2008).

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "candidates/candidates.h"
#include "scan/stored.h"

namespace kf::candidates {

// An inner node: rows whose coordinate is at most `low` are in the next node, those from `high` on
// in node `link`. A leaf, dimension -1, holds the rows order[begin, link).
struct Node {
  std::int32_t dimension;
  std::int32_t link;
  float low, high;
  std::int32_t begin() const { return std::bit_cast<std::int32_t>(low); }
};

struct Forest {
  std::size_t n = 0, trees = 0;
  const Node* nodes = nullptr;           // of all trees, each node before what is below it
  const std::int64_t* roots = nullptr;   // (trees,)
  const std::uint32_t* order = nullptr;  // (trees, n)
};

// Each split is at the mean of a dimension drawn among the `among` of largest variance in a sample
// of the node's rows; draws depend on seed, tree and node alone. Writes the order, returns each
// tree's nodes.
std::vector<std::vector<Node>> build_forest(const Stored& rows, std::size_t n, std::size_t trees,
                                            std::size_t leaf, std::size_t among, std::uint64_t seed,
                                            std::uint32_t* order);

class Forests : public Structure {
 public:
  explicit Forests(std::vector<Forest> segments) : segments_(std::move(segments)) {}
  std::unique_ptr<Proposer> proposer() const override;

 private:
  std::vector<Forest> segments_;
};

}  // namespace kf::candidates
