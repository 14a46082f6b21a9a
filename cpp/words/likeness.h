#pragma once
// Photos scored by the likeness of what they hold of common words (ASMK).

#include <cstddef>
#include <cstdint>

#include "words/by_word.h"

namespace kf::words {

// How a likeness u counts: sign(u) |u|^alpha above tau.
struct Selectivity {
  const float* table = nullptr;  // of each Hamming distance, (64 width + 1,)
  std::int32_t limit = 0;        // the table is zero from here on
  float alpha = 3, tau = 0;
};

// What a query has in common with each photo: sums over common words, ascending, of weights
// (words,) times selectivity. Times its own factor (queries,) and the photos' (photos,) that is a
// score.
struct Scored {
  ByWord lists;
  ByPhoto more;  // photos behind them
  ByPhoto queries;
  const float* weights = nullptr;
  Selectivity by;
  const float* query_factor = nullptr;
  const float* factor = nullptr;
  std::size_t photos() const { return lists.photos + more.photos; }
};

// All scores (queries, photos).
void all_scores(const Scored& asked, std::size_t threads, float* scores);
// The k largest of the photos that are alive (null: all), negated, ties by ascending id; +inf and
// -1 where there are fewer.
void best_scores(const Scored& asked, const std::int64_t* ids, const std::uint8_t* alive,
                 std::size_t k, std::size_t threads, float* distances, std::int64_t* found);

}  // namespace kf::words
