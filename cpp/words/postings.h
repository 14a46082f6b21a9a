#pragma once
// Posting lists of visual words in compressed blocks: packing, scanning, and bringing together.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kf::words {

constexpr std::size_t posting_block = 128;  // postings that are packed together
constexpr std::size_t posting_pad = 64;     // bytes behind the lists, for the kernels
constexpr std::size_t signature_pad = 8;    // signatures behind the last
constexpr std::size_t posting_rows =
    1 << 17;  // photos of a segment at most: their sums fit the L2 cache

// A segment's lists, by ascending word. A list is a row of blocks: two bytes, the bits of a gap and
// those of a count, then the gaps between photos (the first from 0, or from the block before) and
// the counts less one. Without signatures a photo is at most once in a list; with them once for
// each of its descriptors, side by side, each with how many there are.
//
// Any bytes are safe: what is unpacked stays within posting_rows, and a list that breaks off ends.
// `check` tells whether they are sound.
struct Postings {
  std::size_t rows = 0, lists = 0;
  const std::uint32_t* words = nullptr;       // (lists,)
  const std::uint32_t* starts = nullptr;      // (lists + 1,) in postings
  const std::uint32_t* offsets = nullptr;     // (lists + 1,) in bytes
  const std::uint8_t* bytes = nullptr;        // (offsets[lists] + posting_pad,)
  const std::uint64_t* signatures = nullptr;  // (starts[lists] + signature_pad,) or null
};

struct PackedPostings {
  std::vector<std::uint32_t> words, starts{0}, offsets{0};
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint64_t> signatures;

  // A list of ascending photos; signatures may be null. Lists come by ascending word.
  void append(std::uint32_t word, const std::uint32_t* photos, const std::uint32_t* counts,
              const std::uint64_t* own, std::size_t n);
  // Nothing more will come.
  void finish(bool with_signatures);
};

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

// How many photos hold each word: adds to held (k,), of the photos that are alive (null: all).
void count_holders(const Postings& lists, const std::uint8_t* alive, std::int64_t* held);

// The photos' own sums (rows,): squared for Match::product, with signatures of all pairs of a
// photo's descriptors of a word; weights (k,).
void own_sums(const Postings& lists, const PostingRule& rule, const float* weights, double* sums);

// The lists of several segments as one. row[part][old] is the new row, or dropped.
constexpr std::uint32_t dropped = 0xffffffff;
PackedPostings merge_postings(const std::vector<Postings>& parts,
                              const std::vector<const std::uint32_t*>& row);

// Throws InvalidArgument unless every list is whole and its photos are what is said above.
void check(const Postings& lists);

// Every posting, list by list.
struct UnpackedPostings {
  std::vector<std::uint32_t> words, photos, counts;
  std::vector<std::uint64_t> signatures;
};
UnpackedPostings unpack_postings(const Postings& lists);

}  // namespace kf::words
