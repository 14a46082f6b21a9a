#pragma once
// What photos hold of visual words, photo by photo and word by word.

#include <cstddef>
#include <cstdint>

namespace kf::words {

// What is held of a word in a photo: signs, `width` 64-bit words; or a vector of d components where
// width is 0. `parts` is an array of either.
struct PartShape {
  std::size_t width = 0, d = 0;
  std::size_t bytes() const { return width ? 8 * width : 4 * d; }
  // The part at a place of such an array.
  const std::uint8_t* at(const void* parts, std::size_t place) const {
    return static_cast<const std::uint8_t*>(parts) + place * bytes();
  }
};

// Photo by photo, the words of each ascending.
struct ByPhoto {
  PartShape shape;
  std::size_t photos = 0;
  const std::int64_t* starts = nullptr;  // (photos + 1,)
  const std::uint32_t* word = nullptr;   // (n,)
  const void* parts = nullptr;           // (n,) of shape
  std::size_t size() const { return static_cast<std::size_t>(starts[photos]); }
  const void* part(std::size_t place) const { return shape.at(parts, place); }
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

}  // namespace kf::words
