#pragma once
// Photos as sets of aggregated residuals to visual words (ASMK), photo by photo and word by word.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffer.h"

namespace kf::words {

// What is held of a word in a photo: signs, `width` 64-bit words; or a vector of d components where
// width is 0. `parts` is an array of either.
struct PartShape {
  std::size_t width = 0, d = 0;
  std::size_t bytes() const { return width ? 8 * width : 4 * d; }
};

// Photo by photo, the words of each ascending.
struct ByPhoto {
  PartShape shape;
  std::size_t photos = 0;
  const std::int64_t* starts = nullptr;  // (photos + 1,)
  const std::uint32_t* word = nullptr;   // (n,)
  const void* parts = nullptr;           // (n,) of shape
  std::size_t size() const { return static_cast<std::size_t>(starts[photos]); }
};

// Word by word: the inverted file. The photos of each ascend.
struct ByWord {
  PartShape shape;
  std::size_t words = 0, photos = 0;
  const std::int64_t* starts = nullptr;  // (words + 1,)
  const std::uint32_t* photo = nullptr;  // (n,)
  const void* parts = nullptr;           // (n,) of shape
  std::size_t size() const { return static_cast<std::size_t>(starts[words]); }
};

// Local descriptors, photo by photo, with the m words of each.
struct Assigned {
  std::size_t photos = 0, d = 0, m = 1, words = 0;
  const std::int64_t* starts = nullptr;  // (photos + 1,)
  const float* x = nullptr;              // (n, d)
  const std::int64_t* word = nullptr;    // (n, m)
  const float* codebook = nullptr;       // (words, d)
  const float* limits = nullptr;         // (words, d) or null: what signs are taken against
};

// Sums of the residuals of each photo's descriptors to each of its words, added in the order of the
// descriptors; as signs or scaled to length one. Sums of zero have signs, but no direction: as
// vectors they are left out.
struct Aggregates {
  std::vector<std::int64_t> starts;  // (photos + 1,)
  Buffer<std::uint32_t> word;
  Buffer<std::uint8_t> parts;
};
Aggregates aggregate(const Assigned& given, PartShape shape, std::size_t threads);

// What becomes of photos: number[photo] is the new one of a photo of the lists or, behind them, of
// `more`, ascending; or it is dropped.
constexpr std::uint32_t dropped_photo = 0xffffffff;

// The lists with the photos of `more` and without those that are dropped. First where each word's
// begin, starts (words + 1,); then, with room for so many, photo and parts.
void merged_starts(const ByWord& lists, const ByPhoto& more, const std::uint32_t* number,
                   std::int64_t* starts);
void merge(const ByWord& lists, const ByPhoto& more, const std::uint32_t* number,
           const std::int64_t* starts, std::uint32_t* photo, void* parts);
// The lists photo by photo: starts (photos + 1,), word and parts have room for all.
void by_photo(const ByWord& lists, std::int64_t* starts, std::uint32_t* word, void* parts);

// Adds how many photos hold each word to held (words,): those that are alive (null: all).
void count_holders(const ByWord& lists, const ByPhoto& more, const std::uint8_t* alive,
                   std::int64_t* held);
// Adds the weights of each photo's words to totals, words ascending.
void total_weights(const ByPhoto& photos, const float* weights, double* totals);
void total_weights(const ByWord& lists, const float* weights, double* totals);

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
