#include "words/by_word.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/threads.h"

namespace kf::words {
namespace {

constexpr std::size_t block = 1024;  // words or photos between two looks for an interrupt

// Whether all photos of the lists keep their numbers.
bool all_kept(const ByWord& lists, const std::uint32_t* number) {
  return std::find(number, number + lists.photos, dropped_photo) == number + lists.photos;
}

}  // namespace

void merged_starts(const ByWord& lists, const ByPhoto& more, const std::uint32_t* number,
                   std::int64_t* starts) {
  const bool whole = all_kept(lists, number);
  starts[0] = 0;
  for (std::size_t w = 0; w < lists.words; ++w) {
    if (w % block == 0) poll_interrupt();
    starts[w + 1] = lists.starts[w + 1] - lists.starts[w];
    if (whole) continue;
    for (auto i = lists.starts[w]; i < lists.starts[w + 1]; ++i)
      starts[w + 1] -= number[lists.photo[i]] == dropped_photo;
  }
  for (std::size_t p = 0; p < more.photos; ++p) {
    if (number[lists.photos + p] == dropped_photo) continue;
    for (auto i = more.starts[p]; i < more.starts[p + 1]; ++i) ++starts[more.word[i] + 1];
  }
  for (std::size_t w = 0; w < lists.words; ++w) starts[w + 1] += starts[w];
}

void merge(const ByWord& lists, const ByPhoto& more, const std::uint32_t* number,
           const std::int64_t* starts, std::uint32_t* photo, void* parts) {
  const bool whole = all_kept(lists, number);
  const std::size_t bytes = lists.shape.bytes();
  std::vector<std::size_t> place(lists.words);
  auto* to = static_cast<std::uint8_t*>(parts);
  const auto* from = static_cast<const std::uint8_t*>(lists.parts);
  for (std::size_t w = 0; w < lists.words; ++w) {
    if (w % block == 0) poll_interrupt();
    const auto first = static_cast<std::size_t>(lists.starts[w]),
               end = static_cast<std::size_t>(lists.starts[w + 1]);
    auto target = static_cast<std::size_t>(starts[w]);
    if (whole && end > first) {
      std::memcpy(photo + target, lists.photo + first, 4 * (end - first));
      std::memcpy(to + target * bytes, lists.shape.at(lists.parts, first), (end - first) * bytes);
      target += end - first;
    } else {
      for (std::size_t i = first; i < end; ++i) {
        const std::uint32_t own = number[lists.photo[i]];
        if (own == dropped_photo) continue;
        photo[target] = own;
        std::memcpy(to + target++ * bytes, from + i * bytes, bytes);
      }
    }
    place[w] = target;
  }
  from = static_cast<const std::uint8_t*>(more.parts);
  for (std::size_t p = 0; p < more.photos; ++p) {
    if (p % block == 0) poll_interrupt();
    const std::uint32_t own = number[lists.photos + p];
    if (own == dropped_photo) continue;
    const auto end = static_cast<std::size_t>(more.starts[p + 1]);
    for (auto i = static_cast<std::size_t>(more.starts[p]); i < end; ++i) {
      const std::size_t target = place[more.word[i]]++;
      photo[target] = own;
      std::memcpy(to + target * bytes, from + i * bytes, bytes);
    }
  }
}

void by_photo(const ByWord& lists, std::int64_t* starts, std::uint32_t* word, void* parts) {
  const std::size_t bytes = lists.shape.bytes();
  std::vector<std::int64_t> place(lists.photos + 1, 0);
  for (std::size_t i = 0; i < lists.size(); ++i) ++place[lists.photo[i] + 1];
  for (std::size_t p = 0; p < lists.photos; ++p) place[p + 1] += place[p];
  std::copy(place.begin(), place.end(), starts);
  auto* to = static_cast<std::uint8_t*>(parts);
  const auto* from = static_cast<const std::uint8_t*>(lists.parts);
  for (std::size_t w = 0; w < lists.words; ++w) {
    if (w % block == 0) poll_interrupt();
    const auto end = static_cast<std::size_t>(lists.starts[w + 1]);
    for (auto i = static_cast<std::size_t>(lists.starts[w]); i < end; ++i) {
      const auto target = static_cast<std::size_t>(place[lists.photo[i]]++);
      word[target] = static_cast<std::uint32_t>(w);
      std::memcpy(to + target * bytes, from + i * bytes, bytes);
    }
  }
}

void count_holders(const ByWord& lists, const ByPhoto& more, const std::uint8_t* alive,
                   std::int64_t* held) {
  for (std::size_t w = 0; w < lists.words; ++w) {
    if (w % block == 0) poll_interrupt();
    if (!alive) {
      held[w] += lists.starts[w + 1] - lists.starts[w];
      continue;
    }
    for (auto i = lists.starts[w]; i < lists.starts[w + 1]; ++i) held[w] += alive[lists.photo[i]];
  }
  for (std::size_t p = 0; p < more.photos; ++p) {
    if (alive && !alive[lists.photos + p]) continue;
    for (auto i = more.starts[p]; i < more.starts[p + 1]; ++i) ++held[more.word[i]];
  }
}

void total_weights(const ByPhoto& photos, const float* weights, double* totals) {
  for (std::size_t p = 0; p < photos.photos; ++p) {
    for (auto i = photos.starts[p]; i < photos.starts[p + 1]; ++i)
      totals[p] += static_cast<double>(weights[photos.word[i]]);
  }
}

void total_weights(const ByWord& lists, const float* weights, double* totals) {
  for (std::size_t w = 0; w < lists.words; ++w) {
    for (auto i = lists.starts[w]; i < lists.starts[w + 1]; ++i)
      totals[lists.photo[i]] += static_cast<double>(weights[w]);
  }
}

}  // namespace kf::words
