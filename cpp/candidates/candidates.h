#pragma once
// Search among rows that something proposes: a forest's leaves, hash buckets. Each row is looked at
// once; 8-bit copies dismiss it where they can, the canonical distance to what is stored decides.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/topk.h"
#include "scan/byte_codes.h"
#include "scan/stored.h"

namespace kf::candidates {

using namespace scan;  // what this room stands on

// The rows of one segment that are to be looked at together.
struct Bucket {
  std::uint32_t segment;
  const std::uint32_t* rows;
  std::size_t n;
};

// Proposes buckets to one query, the most promising first. Used by one thread at a time.
class Proposer {
 public:
  virtual ~Proposer() = default;
  // `keys`: what was computed of the query for this proposer, null where it needs nothing more.
  virtual void begin(const float* query, const float* keys) = 0;
  virtual bool next(Bucket& bucket) = 0;
};

// Makes proposers; knows the structure over all segments.
class Structure {
 public:
  virtual ~Structure() = default;
  virtual std::unique_ptr<Proposer> proposer() const = 0;
  // Numbers that a query brings along.
  virtual std::size_t keys() const { return 0; }
};

struct CandidateSegment {
  std::size_t n = 0;
  const std::int64_t* ids = nullptr;
  const std::uint8_t* alive = nullptr;  // (n,) or null for all
  Stored stored;
  // 8-bit copies row by row.
  const std::uint8_t* codes = nullptr;  // (n, stride)
  std::size_t stride = 0;
  const std::int32_t* bias = nullptr;
  float residual = 0;  // largest ||x - x^||; rows beyond it have a bias that lets them pass
  double radius = 0;   // largest ||x - centre||
};

struct CandidateQuery {
  const float* vectors;  // (n, d)
  const float* keys;     // (n, structure.keys()) or null
  std::size_t n;
  std::size_t checks;  // rows to look at, 0 for all
  std::size_t threads;
  const std::uint8_t* const* admitted;  // one mask a segment, or null
};

struct CandidateStats {
  std::size_t rows = 0, scored = 0;
};

class CandidateScan {
 public:
  // The caller keeps coder, structure and arrays.
  CandidateScan(Metric metric, const ByteCodes& coder, const Structure& structure,
                std::vector<CandidateSegment> segments, double largest_norm);

  std::size_t dimension() const { return d_; }
  CandidateStats search(const CandidateQuery& query, std::size_t k, float* distances,
                        std::int64_t* ids) const;
  // All proposed rows within a radius, nearest first; one list a query.
  CandidateStats range(const CandidateQuery& query, float radius,
                       std::vector<std::vector<Neighbour>>& lists) const;

 private:
  class Session;
  CandidateStats run(const CandidateQuery& query, const TopK& empty,
                     const std::function<void(std::size_t, TopK&)>& done) const;
  Metric metric_;
  const ByteCodes& coder_;
  const Structure& structure_;
  std::vector<CandidateSegment> segments_;
  std::size_t d_, rows_ = 0;
  double largest_norm_;
};

}  // namespace kf::candidates
