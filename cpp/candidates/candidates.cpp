#include "candidates/candidates.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "core/threads.h"
#include "core/topk.h"
#include "kernels/filters.h"
#include "scan/byte_filter.h"
#include "scan/distance.h"

namespace kf::candidates {

// What a thread keeps from query to query.
class CandidateScan::Session {
 public:
  Session(const CandidateScan& scan, const TopK& empty)
      : scan_(scan),
        proposer_(scan.structure_.proposer()),
        top_(empty),
        distance_(scan.metric_, scan.d_) {
    std::size_t bits = 0;
    for (const CandidateSegment& s : scan.segments_) {
      first_.push_back(bits);
      bits += (s.n + 63) / 64 * 64;
      scratch_.resize(std::max(scratch_.size(), s.stored.scratch()));
    }
    seen_.assign(bits / 64, 0);
    code_.resize(1, scan.coder_.padded_d());
    thresholds_.resize(scan.segments_.size());
  }

  TopK& search(const CandidateQuery& query, std::size_t q) {
    vector_ = query.vectors + q * scan_.d_;
    scan_.coder_.quantize(vector_, 1, code_, 0);
    bound_ = -infinity;  // none: thresholds are computed at the first bucket
    const std::size_t keys = scan_.structure_.keys();
    proposer_->begin(vector_, keys ? query.keys + q * keys : nullptr);
    const std::size_t checks = query.checks ? query.checks : scan_.rows_;
    std::size_t looked = 0;
    // Rows are fetched while those before them are looked at.
    current_.rows.clear();
    next_.rows.clear();
    for (Bucket bucket; looked < checks && proposer_->next(bucket);) {
      if (next_.rows.size() >= together || bucket.segment != next_.segment) turn();
      next_.segment = bucket.segment;
      looked += gather(bucket, query, checks - looked);
    }
    turn();
    turn();
    rows_ += looked;
    for (const std::size_t word : touched_) seen_[word] = 0;
    touched_.clear();
    return top_;
  }

  std::size_t rows_ = 0, scored_ = 0;

 private:
  struct Rows {
    std::uint32_t segment = 0;
    std::vector<std::uint32_t> rows;
  };

  static constexpr std::size_t together = 32;

  void turn() {
    look();
    std::swap(current_, next_);
  }

  // The rows of a bucket that are new, at most `most`, on their way into the cache.
  std::size_t gather(const Bucket& bucket, const CandidateQuery& query, std::size_t most) {
    const CandidateSegment& s = scan_.segments_[bucket.segment];
    const std::uint8_t* admitted = query.admitted ? query.admitted[bucket.segment] : nullptr;
    std::size_t looked = 0;
    for (std::size_t i = 0; i < bucket.n && looked < most; ++i) {
      const std::uint32_t row = bucket.rows[i];
      const std::size_t bit = first_[bucket.segment] + row;
      std::uint64_t& word = seen_[bit / 64];
      const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
      if (word & mask) continue;
      if (word == 0) touched_.push_back(bit / 64);
      word |= mask;
      if ((s.alive && !s.alive[row]) || (admitted && !admitted[row])) continue;
      prefetch_row(s.codes + row * s.stride, s.stride);
      __builtin_prefetch(s.bias + row);
      next_.rows.push_back(row);
      ++looked;
    }
    return looked;
  }

  // Scores the rows that were fetched.
  void look() {
    const std::size_t n = current_.rows.size();
    if (n == 0) return;
    const CandidateSegment& s = scan_.segments_[current_.segment];
    if (bound_ != top_.worst()) renew();
    sums_.resize(std::max(sums_.size(), n));
    kernels<FilterKernels>().row_sums(code_.codes.data(), scan_.coder_.padded_d(), s.codes,
                                      s.stride, s.bias, current_.rows.data(), n, sums_.data());
    std::size_t passed = 0;
    for (std::size_t i = 0; i < n; ++i) {
      current_.rows[passed] = current_.rows[i];
      passed += sums_[i] >= thresholds_[current_.segment];
    }
    for (std::size_t i = 0; i < passed; ++i) s.stored.prefetch(current_.rows[i]);
    for (std::size_t i = 0; i < passed; ++i) {
      const std::uint32_t row = current_.rows[i];
      top_.push({distance_(vector_, s.stored.row(row, scratch_.data())), s.ids[row]});
    }
    scored_ += passed;
    current_.rows.clear();
  }

  // Integer thresholds of all segments for the present bound.
  void renew() {
    bound_ = top_.worst();
    for (std::size_t i = 0; i < scan_.segments_.size(); ++i) {
      const CandidateSegment& s = scan_.segments_[i];
      Bytes bytes;
      bytes.residual = &s.residual;
      bytes.radius = s.radius;
      bytes.weighted = scan_.coder_.weighted();
      ByteFilter filter(bytes, scan_.metric_, code_, 0, 1, scan_.d_, scan_.largest_norm_);
      filter.begin_chunk(0, 1);
      filter.thresholds(&bound_, &thresholds_[i]);
    }
  }

  const CandidateScan& scan_;
  std::unique_ptr<Proposer> proposer_;
  TopK top_;
  Distance distance_;
  float bound_ = 0;
  const float* vector_ = nullptr;
  Shadow::Queries code_;
  std::vector<ByteFilter::Threshold> thresholds_;
  std::vector<std::size_t> first_;  // where a segment's bits start
  std::vector<std::uint64_t> seen_;
  std::vector<std::size_t> touched_;
  std::vector<std::int32_t> sums_;
  Buffer<float> scratch_;
  Rows current_, next_;
};

CandidateScan::CandidateScan(Metric metric, const ByteCodes& coder, const Structure& structure,
                             std::vector<CandidateSegment> segments, double largest_norm)
    : metric_(metric),
      coder_(coder),
      structure_(structure),
      segments_(std::move(segments)),
      d_(coder.centre().size()),
      largest_norm_(largest_norm) {
  for (const CandidateSegment& s : segments_) rows_ += s.n;
}

// `done` takes each query's result and leaves it empty.
CandidateStats CandidateScan::run(const CandidateQuery& query, const TopK& empty,
                                  const std::function<void(std::size_t, TopK&)>& done) const {
  std::atomic<std::size_t> rows{0}, scored{0};
  // A session's marks take a bit a row: shared by many queries where there are many.
  const std::size_t workers = query.threads ? query.threads : threads();
  const std::size_t block = std::clamp<std::size_t>(query.n / (4 * workers), 1, 64);
  parallel_for(
      query.n, block,
      [&](std::size_t from, std::size_t to) {
        Session session(*this, empty);
        for (std::size_t q = from; q < to; ++q) {
          poll_interrupt();
          done(q, session.search(query, q));
        }
        rows += session.rows_;
        scored += session.scored_;
      },
      query.threads);
  return {rows, scored};
}

CandidateStats CandidateScan::search(const CandidateQuery& query, std::size_t k, float* distances,
                                     std::int64_t* ids) const {
  return run(query, TopK(k),
             [&](std::size_t q, TopK& top) { top.write(distances + q * k, ids + q * k); });
}

CandidateStats CandidateScan::range(const CandidateQuery& query, float radius,
                                    std::vector<std::vector<Neighbour>>& lists) const {
  lists.resize(query.n);
  return run(query, TopK::within(radius),
             [&](std::size_t q, TopK& found) { lists[q] = found.take(); });
}

}  // namespace kf::candidates
