#include "candidates/hash_tables.h"

#include <algorithm>
#include <numeric>

namespace kf::candidates {
namespace {

class HashProposer : public Proposer {
 public:
  HashProposer(std::size_t tables, std::size_t bits, const std::vector<HashTables>& segments)
      : tables_(tables),
        bits_(bits),
        segments_(segments),
        own_(tables),
        sorted_(tables * bits),
        costs_(tables * bits) {}

  void begin(const float*, const float* projections) override {
    queue_.clear();
    for (std::size_t t = 0; t < tables_; ++t) {
      const float* of = projections + t * bits_;
      std::uint32_t* sorted = sorted_.data() + t * bits_;
      float* costs = costs_.data() + t * bits_;
      std::iota(sorted, sorted + bits_, 0u);
      own_[t] = 0;
      for (std::size_t b = 0; b < bits_; ++b) own_[t] |= std::uint32_t{of[b] >= 0} << b;
      std::sort(sorted, sorted + bits_, [&](std::uint32_t a, std::uint32_t b) {
        const float x = of[a] * of[a], y = of[b] * of[b];
        return x < y || (x == y && a < b);
      });
      for (std::size_t i = 0; i < bits_; ++i) costs[i] = of[sorted[i]] * of[sorted[i]];
      push({0.0f, static_cast<std::uint32_t>(t), 0, 0});
    }
    segment_ = segments_.size();
  }

  bool next(Bucket& bucket) override {
    if (segment_ == segments_.size()) {
      if (queue_.empty()) return false;
      std::pop_heap(queue_.begin(), queue_.end());
      const Probe probe = queue_.back();
      queue_.pop_back();
      follow(probe);
      table_ = probe.table;
      key_ = own_[table_];
      for (std::uint32_t set = probe.crossed; set; set &= set - 1)
        key_ ^= 1u << sorted_[table_ * bits_ + static_cast<std::size_t>(__builtin_ctz(set))];
      segment_ = 0;
      if (segments_.empty()) return false;
    }
    const HashTables& of = segments_[segment_];
    const std::uint32_t* starts = of.starts + table_ * ((std::size_t{1} << bits_) + 1) + key_;
    bucket = {static_cast<std::uint32_t>(segment_), of.order + table_ * of.n + starts[0],
              starts[1] - starts[0]};
    ++segment_;
    return true;
  }

 private:
  // Hyperplanes to cross, as positions in the table's ascending order of costs.
  struct Probe {
    float cost;
    std::uint32_t table, crossed, last;
    friend bool operator<(const Probe& a, const Probe& b) {
      if (a.cost != b.cost) return a.cost > b.cost;
      return a.table != b.table ? a.table > b.table : a.crossed > b.crossed;
    }
  };

  void push(const Probe& probe) {
    queue_.push_back(probe);
    std::push_heap(queue_.begin(), queue_.end());
  }

  // The two sets that come from this one: one more hyperplane, or the next instead of the last.
  // Every set comes from exactly one.
  void follow(const Probe& probe) {
    const float* costs = costs_.data() + probe.table * bits_;
    const std::uint32_t next = probe.crossed ? probe.last + 1 : 0;
    if (next >= bits_) return;
    push({probe.cost + costs[next], probe.table, probe.crossed | 1u << next, next});
    if (probe.crossed)
      push({probe.cost - costs[probe.last] + costs[next], probe.table,
            (probe.crossed ^ 1u << probe.last) | 1u << next, next});
  }

  std::size_t tables_, bits_;
  const std::vector<HashTables>& segments_;
  std::vector<std::uint32_t> own_, sorted_;
  std::vector<float> costs_;
  std::vector<Probe> queue_;
  std::size_t segment_ = 0, table_ = 0;
  std::uint32_t key_ = 0;
};

}  // namespace

std::unique_ptr<Proposer> HashStructure::proposer() const {
  return std::make_unique<HashProposer>(tables_, bits_, segments_);
}

}  // namespace kf::candidates
