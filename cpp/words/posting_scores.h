#pragma once
// Photos scored by compressed posting lists: sums over the words of a query.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "words/postings.h"

namespace kf::words {

// What a word weighs that occurs so often.
enum class Term { count, root, one };
// Sum of products; sum of the smaller of both, where the photo's weight is times the inverse norm
// or not.
enum class Match { product, least_normed, least };

struct PostingRule {
  Term term = Term::count;
  Match match = Match::product;
  const float* likeness = nullptr;  // (65,): of each Hamming distance, 0 beyond `within`
  std::int32_t within = 64;
};

// A query's words ascending, each once. With signatures, word i has the entries starts[i] to
// starts[i + 1].
struct PostingQuery {
  std::size_t n = 0;
  const std::uint32_t* words = nullptr;
  const float* weights = nullptr;  // (n,), or of each entry
  const float* photo_weights =
      nullptr;  // (n,): what a term of the photo is multiplied with, for Match::least
  const std::int64_t* starts = nullptr;
  const std::uint64_t* signatures = nullptr;
};

// A segment with its photos' ids.
struct PostingPart {
  Postings lists;
  const std::int64_t* ids = nullptr;       // (rows,)
  const float* inverse = nullptr;          // (rows,): of the photos' norms
  const std::uint8_t* admitted = nullptr;  // (rows,) or null: photos that may answer
};

// Scores of all photos (queries, sum of rows), one segment after the other.
void all_scores(const std::vector<PostingPart>& parts, const std::vector<PostingQuery>& queries,
                const PostingRule& rule, std::size_t threads, float* scores);

// The k largest scores of each query, negated, ties by ascending id; +inf and -1 where there are
// fewer.
void best_scores(const std::vector<PostingPart>& parts, const std::vector<PostingQuery>& queries,
                 const PostingRule& rule, std::size_t k, std::size_t threads, float* distances,
                 std::int64_t* ids);

// The photos' own sums (rows,): squared for Match::product, with signatures of all pairs of a
// photo's descriptors of a word; weights (k,).
void own_sums(const Postings& lists, const PostingRule& rule, const float* weights, double* sums);

}  // namespace kf::words
