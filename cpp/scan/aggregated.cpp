#include "scan/aggregated.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/threads.h"
#include "kernels/table.h"

namespace kf::scan {
namespace {

constexpr std::size_t block = 1024;
constexpr std::size_t line = 64;

const std::uint64_t* codes_of(const void* parts, std::size_t at, PartShape shape) {
  return static_cast<const std::uint64_t*>(parts) + at * shape.width;
}

const float* vector_of(const void* parts, std::size_t at, PartShape shape) {
  return static_cast<const float*>(parts) + at * shape.d;
}

void prefetch(const void* at, std::size_t bytes) {
  const char* from = static_cast<const char*>(at);
  for (std::size_t i = 0; i < bytes; i += line) __builtin_prefetch(from + i);
}

// Keys word << 32 | position in ascending order, positions ascending as they come: a radix sort of
// the words, 11 bits at a time. Returns where the result lies, keys or spare.
std::uint64_t* sort_by_word(std::uint64_t* keys, std::uint64_t* spare, std::size_t n,
                            std::size_t words) {
  constexpr unsigned digit = 11;
  constexpr std::size_t values = std::size_t{1} << digit;
  for (unsigned shift = 0; (words - 1) >> shift; shift += digit) {
    std::array<std::uint32_t, values> place{};
    const auto value = [&](std::uint64_t key) { return key >> (32 + shift) & (values - 1); };
    for (std::size_t i = 0; i < n; ++i) ++place[value(keys[i])];
    std::uint32_t sum = 0;
    for (std::uint32_t& count : place) sum += std::exchange(count, sum);
    for (std::size_t i = 0; i < n; ++i) spare[place[value(keys[i])]++] = keys[i];
    std::swap(keys, spare);
  }
  return keys;
}

// One photo's words with their parts; returns how many there are.
std::size_t aggregate_one(const Assigned& given, std::size_t photo, PartShape shape,
                          std::uint32_t* words, std::uint8_t* parts) {
  struct Keys;
  struct Sum;
  struct Rows;
  const KernelTable& table = kernels();
  const std::size_t d = given.d;
  const auto first = static_cast<std::size_t>(given.starts[photo]);
  const std::size_t rows = static_cast<std::size_t>(given.starts[photo + 1]) - first;
  const std::size_t n = rows * given.m;
  auto* keys = thread_scratch<std::uint64_t, Keys>(2 * n);
  for (std::size_t i = 0; i < n; ++i)
    keys[i] = static_cast<std::uint64_t>(given.word[first * given.m + i]) << 32 | i / given.m;
  keys = sort_by_word(keys, keys + n, n, given.words);
  auto* sum = thread_scratch<float, Sum>(d);
  auto** members = thread_scratch<const float*, Rows>(n);
  constexpr std::size_t ahead = 4;
  std::size_t found = 0;
  for (std::size_t i = 0; i < n;) {
    const std::size_t word = keys[i] >> 32;
    if (i + ahead < n) prefetch(given.codebook + (keys[i + ahead] >> 32) * d, 4 * d);
    std::size_t count = 0;
    for (; i < n && keys[i] >> 32 == word; ++i)
      members[count++] = given.x + (first + (keys[i] & 0xffffffffu)) * d;
    table.residual_sum(members, count, given.codebook + word * d, d, sum);
    if (shape.width) {
      const float* limit = given.limits ? given.limits + word * d : nullptr;
      table.sign_bits(sum, limit, d, reinterpret_cast<std::uint64_t*>(parts) + found * shape.width);
    } else {
      const float norm = std::sqrt(table.inner_product(sum, sum, d));
      if (!(norm > 0)) continue;
      float* out = reinterpret_cast<float*>(parts) + found * d;
      for (std::size_t j = 0; j < d; ++j) out[j] = sum[j] / norm;
    }
    words[found++] = static_cast<std::uint32_t>(word);
  }
  return found;
}

}  // namespace

Aggregates aggregate(const Assigned& given, PartShape shape, std::size_t threads) {
  Aggregates out;
  out.starts.assign(given.photos + 1, 0);
  const std::size_t most = static_cast<std::size_t>(given.starts[given.photos]) * given.m;
  out.word.resize(most);
  out.parts.resize(most * shape.bytes());
  const auto room = [&](std::size_t photo) {
    return static_cast<std::size_t>(given.starts[photo]) * given.m;
  };
  parallel_for(
      given.photos, 1,
      [&](std::size_t from, std::size_t to) {
        for (std::size_t p = from; p < to; ++p)
          out.starts[p + 1] =
              static_cast<std::int64_t>(aggregate_one(given, p, shape, out.word.data() + room(p),
                                                      out.parts.data() + room(p) * shape.bytes()));
      },
      threads);
  for (std::size_t p = 0; p < given.photos; ++p) {
    const auto count = static_cast<std::size_t>(out.starts[p + 1]);
    const auto to = static_cast<std::size_t>(out.starts[p]);
    std::memmove(out.word.data() + to, out.word.data() + room(p), 4 * count);
    std::memmove(out.parts.data() + to * shape.bytes(), out.parts.data() + room(p) * shape.bytes(),
                 count * shape.bytes());
    out.starts[p + 1] += out.starts[p];
  }
  const auto kept = static_cast<std::size_t>(out.starts[given.photos]);
  out.word.resize(kept);
  out.parts.resize(kept * shape.bytes());
  return out;
}

void merge(const ByWord& lists, const ByPhoto& more, std::int64_t* starts, std::uint32_t* photo,
           void* parts) {
  const std::size_t bytes = lists.shape.bytes(), added = more.size();
  std::vector<std::int64_t> place(lists.words + 1, 0);
  for (std::size_t i = 0; i < added; ++i) ++place[more.word[i] + 1];
  auto* to = static_cast<std::uint8_t*>(parts);
  const auto* from = static_cast<const std::uint8_t*>(lists.parts);
  starts[0] = 0;
  for (std::size_t w = 0; w < lists.words; ++w) {
    if (w % (16 * block) == 0) poll_interrupt();
    const auto at = static_cast<std::size_t>(lists.starts[w]),
               n = static_cast<std::size_t>(lists.starts[w + 1]) - at;
    const auto target = static_cast<std::size_t>(starts[w]);
    if (n) {
      std::memcpy(photo + target, lists.photo + at, 4 * n);
      std::memcpy(to + target * bytes, from + at * bytes, n * bytes);
    }
    starts[w + 1] = starts[w] + static_cast<std::int64_t>(n) + place[w + 1];
    place[w] = starts[w] + static_cast<std::int64_t>(n);
  }
  from = static_cast<const std::uint8_t*>(more.parts);
  for (std::size_t p = 0; p < more.photos; ++p) {
    if (p % block == 0) poll_interrupt();
    const auto end = static_cast<std::size_t>(more.starts[p + 1]);
    for (auto i = static_cast<std::size_t>(more.starts[p]); i < end; ++i) {
      const auto target = static_cast<std::size_t>(place[more.word[i]]++);
      photo[target] = static_cast<std::uint32_t>(lists.photos + p);
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

void total_weights(const ByWord& lists, const ByPhoto& more, const float* weights, double* totals) {
  for (std::size_t w = 0; w < lists.words; ++w) {
    const auto end = static_cast<std::size_t>(lists.starts[w + 1]);
    for (auto i = static_cast<std::size_t>(lists.starts[w]); i < end; ++i)
      totals[lists.photo[i]] += static_cast<double>(weights[w]);
  }
  for (std::size_t p = 0; p < more.photos; ++p) {
    const auto end = static_cast<std::size_t>(more.starts[p + 1]);
    for (auto i = static_cast<std::size_t>(more.starts[p]); i < end; ++i)
      totals[lists.photos + p] += static_cast<double>(weights[more.word[i]]);
  }
}

namespace {

// What n postings, with their photos, add for one part of the query.
void add(const KernelTable& table, PartShape shape, const void* part, const void* parts,
         std::size_t at, const std::uint32_t* photos, std::size_t n, float weight,
         const Selectivity& by, float* scores) {
  if (shape.width) {
    table.add_alike(static_cast<const std::uint64_t*>(part), codes_of(parts, at, shape), photos, n,
                    shape.width, by.table, by.limit, weight, scores);
    return;
  }
  for (std::size_t j = 0; j < n; ++j) {
    const float u = table.inner_product(static_cast<const float*>(part),
                                        vector_of(parts, at + j, shape), shape.d);
    if (!(u > by.tau)) continue;
    scores[photos[j]] += weight * std::copysign(std::pow(std::abs(u), by.alpha), u);
  }
}

}  // namespace

void score(const ByWord& lists, const ByPhoto& more, const ByPhoto& queries, std::size_t q,
           const float* weights, const Selectivity& by, float* scores) {
  const KernelTable& table = kernels();
  const PartShape shape = lists.shape;
  const auto first = static_cast<std::size_t>(queries.starts[q]),
             last = static_cast<std::size_t>(queries.starts[q + 1]);
  const auto part = [&](std::size_t i) -> const void* {
    return static_cast<const std::uint8_t*>(queries.parts) + i * shape.bytes();
  };
  for (std::size_t i = first; i < last; ++i) {
    if (i % 256 == 0) poll_interrupt();
    if (i + 1 < last) {
      // Lists lie far apart: the beginning of the next is asked for, the rest follows by itself.
      const auto next = static_cast<std::size_t>(lists.starts[queries.word[i + 1]]);
      const std::size_t n = std::min<std::size_t>(
          static_cast<std::size_t>(lists.starts[queries.word[i + 1] + 1]) - next, 64);
      prefetch(lists.photo + next, 4 * n);
      prefetch(static_cast<const std::uint8_t*>(lists.parts) + next * shape.bytes(),
               std::min<std::size_t>(n * shape.bytes(), block));
    }
    const std::size_t word = queries.word[i];
    const auto end = static_cast<std::size_t>(lists.starts[word + 1]);
    for (auto at = static_cast<std::size_t>(lists.starts[word]); at < end; at += block)
      add(table, shape, part(i), lists.parts, at, lists.photo + at, std::min(block, end - at),
          weights[word], by, scores);
  }
  if (!more.photos) return;
  // Where the query holds a word.
  struct Places;
  constexpr auto none = ~std::uint32_t{0};
  auto* place = thread_scratch<std::uint32_t, Places>(lists.words);
  std::fill_n(place, lists.words, none);
  for (std::size_t i = first; i < last; ++i)
    place[queries.word[i]] = static_cast<std::uint32_t>(i - first);
  for (std::size_t p = 0; p < more.photos; ++p) {
    if (p % 64 == 0) poll_interrupt();
    const auto photo = static_cast<std::uint32_t>(lists.photos + p);
    const auto end = static_cast<std::size_t>(more.starts[p + 1]);
    for (auto i = static_cast<std::size_t>(more.starts[p]); i < end; ++i) {
      const std::uint32_t word = more.word[i];
      if (place[word] != none)
        add(table, shape, part(first + place[word]), more.parts, i, &photo, 1, weights[word], by,
            scores);
    }
  }
}

}  // namespace kf::scan
