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

// At the mean (Muja and Lowe, VISAPP 2009), or at the median: between equal halves, or where equal
// coordinates lie across the middle, at the end of theirs that is nearer to it.
enum class Split { mean, median };

struct ForestOptions {
  std::size_t trees = 1, leaf = 1, among = 1;
  Split split = Split::mean;
  std::uint64_t seed = 0;
};

// Each split parts a dimension drawn among the `among` of largest variance in a sample of the
// node's rows; draws depend on seed, tree and node alone. Writes the order, returns each tree's
// nodes.
std::vector<std::vector<Node>> build_forest(const Stored& rows, std::size_t n,
                                            const ForestOptions& options, std::uint32_t* order);

class Forests : public Structure {
 public:
  explicit Forests(std::vector<Forest> segments) : segments_(std::move(segments)) {}
  std::unique_ptr<Proposer> proposer() const override;

 private:
  std::vector<Forest> segments_;
};

}  // namespace kf::candidates
