#pragma once
// Exhaustive search of binary codes by Hamming distance, ties by id; with a second look at vectors.
//
// Distances are small whole numbers: counting how many of each were met gives the k-th one at every
// moment, and codes beyond it are dismissed by the kernel.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/topk.h"
#include "scan/shadow.h"
#include "scan/stored.h"

namespace kf::scan {

struct HammingSegment {
  std::size_t n = 0;
  const std::int64_t* ids = nullptr;
  const std::uint8_t* alive = nullptr;   // (n,) or null for all
  const std::uint64_t* codes = nullptr;  // (n / 8 rounded up, words, 8)
  Stored fine;                           // of the second look; d is 0 without one
};

struct HammingQuery {
  const std::uint64_t* codes;  // (n, words)
  const float* vectors;        // (n, d) for the second look, or null
  std::size_t n;
  std::size_t threads;
  const std::uint8_t* const* admitted;  // one mask a segment, or null
};

class HammingScan {
 public:
  HammingScan(Metric metric, std::size_t words, std::vector<HammingSegment> segments);

  std::size_t words() const { return words_; }
  // The k nearest: Hamming distances, or with a second look the vectors' distances among the
  // `shortlist` nearest codes. Returns how many rows were scored by vectors.
  std::size_t search(const HammingQuery& query, std::size_t k, std::size_t shortlist,
                     float* distances, std::int64_t* ids) const;
  // All codes at most `radius` bits away, nearest first.
  std::vector<std::vector<Neighbour>> range(const HammingQuery& query, std::int32_t radius) const;

 private:
  struct Found;
  struct Collector;
  void scan(const HammingQuery& query, std::size_t q, std::size_t begin, std::size_t end,
            Collector& into) const;
  std::vector<Found> nearest(std::size_t k, std::vector<Collector>& parts) const;

  Metric metric_;
  std::size_t words_, blocks_ = 0;
  bool ascending_ = true;  // ids rise from row to row: of equal codes the earlier one counts
  std::vector<HammingSegment> segments_;
};

}  // namespace kf::scan
