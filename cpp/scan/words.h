#pragma once
// An inverted file of visual words: which photos hold a word, and how alike what they hold of it
// is.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kf::scan {

// Postings by word. What an entry adds to its photo's score is
//     weight of the query's entry * value of the posting * table[Hamming distance]     (codes)
//     weight * value * selectivity(<vectors>)                                           (vectors)
//     weight * value, or min(weight, value)                                             (neither)
struct WordLists {
  std::size_t words = 0, photos = 0, n = 0;
  const std::int64_t* starts = nullptr;  // (words + 1,)
  const std::uint32_t* photo = nullptr;  // (n,)
  const float* value = nullptr;          // (n,) or null for 1
  const std::uint64_t* codes = nullptr;  // (n, width) or null
  std::size_t width = 0;                 // 64-bit words of a code
  const float* vectors = nullptr;        // (n, d) or null
  std::size_t d = 0;
};

struct WordQuery {
  std::size_t n = 0;
  const std::int64_t* word = nullptr;    // (n,)
  const float* weight = nullptr;         // (n,)
  const std::uint64_t* codes = nullptr;  // (n, width)
  const float* vectors = nullptr;        // (n, d)
};

// How an entry's likeness counts: sign(u) |u|^alpha above tau (Tolias, Avrithis and Jegou 2013).
struct Selectivity {
  const float* table = nullptr;  // of each Hamming distance, (64 width + 1,)
  float alpha = 3, tau = 0;
  bool minimum = false;
};

// Adds to scores (photos,), entry by entry in the query's order.
void score_words(const WordLists& lists, const WordQuery& query, const Selectivity& by,
                 float* scores);

// Sums of residuals to visual words: x (n, d), its words (n, m) of k. Returns the words in
// ascending order with the sums (found, d), each added in the order of the rows.
struct Aggregates {
  std::vector<std::int64_t> words;
  std::vector<float> sums;
};
Aggregates aggregate_residuals(const float* x, std::size_t n, std::size_t d,
                               const std::int64_t* words, std::size_t m, const float* codebook);

}  // namespace kf::scan
