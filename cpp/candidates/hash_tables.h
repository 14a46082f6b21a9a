#pragma once
// Tables of short sign codes, probed in the order of how near a query is to the hyperplanes that it
// would have to cross (Lv et al., VLDB 2007).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "candidates/candidates.h"

namespace kf::candidates {

struct HashTables {
  std::size_t n = 0;
  const std::uint32_t* starts = nullptr;  // (tables, 2^bits + 1)
  const std::uint32_t* order = nullptr;   // (tables, n)
};

class HashStructure : public Structure {
 public:
  HashStructure(std::size_t tables, std::size_t bits, std::vector<HashTables> segments)
      : tables_(tables), bits_(bits), segments_(std::move(segments)) {}
  std::unique_ptr<Proposer> proposer() const override;
  // A query brings its projections.
  std::size_t keys() const override { return tables_ * bits_; }

 private:
  std::size_t tables_, bits_;
  std::vector<HashTables> segments_;
};

}  // namespace kf::candidates
