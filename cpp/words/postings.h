#pragma once
// Posting lists of visual words in compressed blocks: packing, reading, and bringing together.

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

// How many photos hold each word: adds to held (k,), of the photos that are alive (null: all).
void count_holders(const Postings& lists, const std::uint8_t* alive, std::int64_t* held);

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
