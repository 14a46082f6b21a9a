#pragma once
// Search through lists: a coarse partition says which cells to visit, a codec which of their rows
// may matter, the canonical distance ranks those; perhaps a second, finer look re-scores the
// shortlist. The answer is the best of all rows of the visited cells by that distance, whatever the
// filter, the batch or the threads.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/topk.h"
#include "lists/codec.h"
#include "lists/lists.h"

namespace kf::lists {

class ListSearch {
 public:
  // The caller keeps the codec. Throws InvalidArgument where segments are not of it and of the
  // cells.
  ListSearch(Metric metric, const Coarse& coarse, const Codec& codec,
             std::vector<Segment> segments);

  const Lists& lists() const { return lists_; }
  // The k nearest; with a second look the k best of the `shortlist` nearest, or of more where
  // copies fill it. +inf and -1 past the end.
  void search(const ListQuery& query, std::size_t k, std::size_t shortlist, float* distances,
              std::int64_t* ids, ListStats& stats) const;
  // All rows of the visited cells within the radius, ascending.
  std::vector<std::vector<Neighbour>> range(const ListQuery& query, float radius,
                                            ListStats& stats) const;

 private:
  Collectors collected(const ListQuery& query, const Best<Candidate>& empty,
                       ListStats& stats) const;
  void search_some(const ListQuery& query, std::span<const std::size_t> which, std::size_t k,
                   std::size_t shortlist, float* distances, std::int64_t* ids,
                   ListStats& stats) const;
  void rescore(const ListQuery& query, std::size_t q, const std::vector<Candidate>& items,
               std::size_t k, float* distances, std::int64_t* ids) const;
  bool fine() const { return !lists_.segments().empty() && lists_.segments()[0].fine.data; }

  Lists lists_;
  const Codec& codec_;
};

}  // namespace kf::lists
