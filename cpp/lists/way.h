#pragma once
// What ways through a list have in common.
//
// A codec's Way answers
//     one(q, visits, result)                        one query through several lists
//     group(visit, which, count, values, results)   several queries through one list
//     fetch(visit)                                  asks for the beginning of a list
// GroupWay makes the first out of the second.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/prefetch.h"
#include "lists/collect.h"
#include "lists/lists.h"
#include "scan/search.h"

namespace kf::lists {

// Common to the scorers: which rows may answer, and under which id.
struct Scored {
  const Segment& segment;
  const std::uint8_t* admitted;
  mutable std::size_t scored = 0;

  bool skips(std::size_t row) const {
    return (segment.alive && !segment.alive[row]) || (admitted && !admitted[row]);
  }
  const std::int64_t* id(std::size_t row) const { return segment.ids + row; }
};

// Scores rows that stand for vectors by the canonical distance to those.
struct StoredScorer : Scored {
  const Stored& stored;
  const float* queries;  // (nq, d), or rows of them
  const std::uint32_t* which;
  scan::Distance distance;
  float* scratch = thread_scratch<float, Stored>(stored.scratch());

  void prefetch(std::size_t row) const { stored.prefetch(row); }
  float value(std::size_t q, std::size_t row) const {
    ++scored;
    return distance(queries + which[q] * stored.d, stored.row(row, scratch));
  }
};

class Way {
 protected:
  Way(const Lists& lists, const ListQuery& query, ListStats& stats)
      : lists_(lists), query_(query), stats_(stats) {}

  const Segment& segment_of(const Visit& visit) const { return lists_.segments()[visit.segment]; }
  template <class Rows>
  const Rows& rows_of(const Visit& visit) const {
    return static_cast<const Rows&>(*segment_of(visit).rows);
  }
  const std::uint8_t* admitted(const Visit& visit) const {
    return query_.admitted ? query_.admitted[visit.segment] : nullptr;
  }
  void count(std::size_t queries, const Visit& visit, const Scored& scorer) {
    stats_.count(queries, queries * (visit.end - visit.begin), scorer.scored);
  }
  // Asks for the beginning of rows that take `width` bytes each, from `at` on; the processor's own
  // prefetching goes on from there.
  static void fetch_rows(const Visit& visit, const std::uint8_t* at, std::size_t width) {
    const std::size_t size = std::min<std::size_t>((visit.end - visit.begin) * width, 8192);
    for (std::size_t byte = 0; byte < size; byte += 64) __builtin_prefetch(at + byte, 0, 2);
  }

  // Every row, for what a filter cannot bound.
  template <class Scorer>
  void scan_all(const Scorer& scorer, const Visit& visit, std::size_t count,
                Collector* const* results) const {
    scan::NoFilter filter(count);
    scan_range(filter, scorer, count, range(visit, 1, true), View{results, visit.segment});
  }

  // Rows that pass a filter, chunk by chunk.
  template <class Filter, class Scorer>
  void scan_chunks(Filter& filter, const Scorer& scorer, const Visit& visit, std::size_t count,
                   Collector* const* results) const {
    scan_range(filter, scorer, count, range(visit, Filter::granule, fresh(results, count)),
               View{results, visit.segment});
  }

  // The first rows that queries meet: their k-th best sum bounds the k-th distance, before any
  // distance is taken. Not where rows may be masked.
  template <class Filter, class Scorer>
  void scan(Filter& filter, const Scorer& scorer, const Visit& visit, std::size_t count,
            Collector* const* results) const {
    const bool new_queries = fresh(results, count);
    scan::Range rest = range(visit, Filter::granule, new_queries);
    if (new_queries && first_rows(filter, scorer, visit, count, results, rest)) return;
    scan_range(filter, scorer, count, rest, View{results, visit.segment});
  }

  const Lists& lists_;
  const ListQuery& query_;
  ListStats& stats_;

 private:
  static scan::Range range(const Visit& visit, std::size_t granule, bool fresh) {
    scan::Range range{visit.begin / granule * granule, visit.end};
    range.first = visit.begin;
    range.first_chunk = fresh ? 64 : 4096;
    return range;
  }
  static bool fresh(Collector* const* results, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      if (results[i]->bound() == infinity) return true;
    return false;
  }

  // Takes what of the first rows may answer out of `rest`. True where nothing is left.
  template <class Filter, class Scorer>
  bool first_rows(Filter& filter, const Scorer& scorer, const Visit& visit, std::size_t count,
                  Collector* const* results, scan::Range& rest) const {
    constexpr std::size_t most_rows = 1024;
    const std::size_t end = std::min(visit.end, rest.begin + most_rows);
    const std::size_t k = results[0]->wanted();
    if (k == 0 || visit.begin + k > end || end - visit.begin < 64 || segment_of(visit).alive ||
        query_.admitted)
      return false;
    const std::size_t stride = (end - rest.begin + 63) / 64 * 64, skip = visit.begin - rest.begin;
    const std::size_t n = end - visit.begin;
    struct Tag;
    auto* sums = thread_scratch<std::int32_t, Tag>(filter.padded() * stride);
    auto* known = thread_scratch<float, Tag>(count);
    auto* hits = thread_scratch<std::uint32_t, Tag>(n);
    struct Thresholds;
    auto* thresholds = thread_scratch<typename Filter::Threshold, Thresholds>(filter.padded());
    filter.begin_chunk(rest.begin, end);
    filter.sums(rest.begin, end - rest.begin, sums, stride);
    for (std::size_t i = 0; i < count; ++i) {
      known[i] = results[i]->bound();
      if (!(known[i] < infinity))
        known[i] = filter.most(i, scan::kth_largest(sums + i * stride + skip, n, k));
    }
    filter.thresholds(known, thresholds);
    const View view{results, visit.segment};
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t found =
          scan::at_least(sums + i * stride + skip, n, Filter::least_sum(thresholds[i]), hits);
      for (std::size_t h = 0; h < found; ++h) {
        const std::size_t row = visit.begin + hits[h];
        if (h + 6 < found) scorer.prefetch(visit.begin + hits[h + 6]);
        const float value = scorer.value(i, row);
        if (value <= results[i]->bound()) view[i].take(scorer, value, row);
      }
    }
    rest.begin = rest.first = end;
    rest.first_chunk = Filter::most_chunk;
    return end == visit.end;
  }
};

template <class Self, class Base = Way>
class GroupWay : public Base {
 public:
  using Base::Base;

  void one(std::uint32_t q, const std::vector<Visit>& visits, Collector& result) {
    Self& self = static_cast<Self&>(*this);
    Collector* const results[1] = {&result};
    for (std::size_t v = 0; v < visits.size(); ++v) {
      if (v + 1 < visits.size()) self.fetch(visits[v + 1]);
      self.group(visits[v], &q, 1, &visits[v].value, results);
    }
  }
};

}  // namespace kf::lists
