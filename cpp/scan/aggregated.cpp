#include "scan/aggregated.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/prefetch.h"
#include "core/threads.h"
#include "kernels/table.h"
#include "scan/best_products.h"

namespace kf::scan {
namespace {

constexpr std::size_t block = 1024;

const std::uint64_t* codes_of(const void* parts, std::size_t at, PartShape shape) {
  return static_cast<const std::uint64_t*>(parts) + at * shape.width;
}

const float* vector_of(const void* parts, std::size_t at, PartShape shape) {
  return static_cast<const float*>(parts) + at * shape.d;
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

namespace {

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
      std::memcpy(to + target * bytes, from + first * bytes, (end - first) * bytes);
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

namespace {

// Bytes of parts that are compared at once, and how many times as many are fetched ahead of that:
// a core reads memory at full speed where it is told early what it will need, list after list.
constexpr std::size_t stretch_bytes = 1024;
constexpr std::size_t stretches_ahead = 4;
// Scores of queries that are answered together, a list being read once for all that hold its word:
// a megabyte, which the L2 cache keeps.
constexpr std::size_t scores_together = std::size_t{1} << 18;
constexpr std::size_t most_together = 64;

std::size_t stretch_of(PartShape shape) {
  return std::max<std::size_t>(stretch_bytes / shape.bytes(), 1);
}

// Fetches the lists of words in the order of their keys (word << 32 | whatever), a stretch a step.
class Fetched {
 public:
  Fetched(const ByWord& lists, const std::uint64_t* keys, std::size_t n)
      : lists_(lists), stretch_(stretch_of(lists.shape)), key_(keys), end_(keys + n) {
    find_list();
    for (std::size_t i = 0; i < stretches_ahead; ++i) step();
  }
  void step() {
    if (at_ == list_end_) return;
    const std::size_t n = std::min(stretch_, list_end_ - at_), bytes = lists_.shape.bytes();
    prefetch(static_cast<const std::uint8_t*>(lists_.parts) + at_ * bytes, n * bytes);
    prefetch(lists_.photo + at_, 4 * n);
    at_ += n;
    if (at_ == list_end_) find_list();
  }

 private:
  // To the next word with a list that is not empty.
  void find_list() {
    while (at_ == list_end_ && key_ != end_) {
      const std::uint64_t word = *key_ >> 32;
      while (key_ != end_ && *key_ >> 32 == word) ++key_;
      at_ = static_cast<std::size_t>(lists_.starts[word]);
      list_end_ = static_cast<std::size_t>(lists_.starts[word + 1]);
    }
  }
  const ByWord& lists_;
  std::size_t stretch_, at_ = 0, list_end_ = 0;
  const std::uint64_t *key_, *end_;
};

// Adds what queries [first, last) have in common with the photos of the lists.
void add_lists(const Scored& asked, std::size_t first, std::size_t last, float* sums) {
  struct Keys;
  struct Owners;
  const KernelTable& table = kernels();
  const ByWord& lists = asked.lists;
  const ByPhoto& queries = asked.queries;
  const PartShape shape = lists.shape;
  const std::size_t stretch = stretch_of(shape), photos = asked.photos();
  const auto begin = static_cast<std::size_t>(queries.starts[first]),
             n = static_cast<std::size_t>(queries.starts[last]) - begin;
  auto* keys = thread_scratch<std::uint64_t, Keys>(2 * n);
  auto* sums_of = thread_scratch<float*, Owners>(n);
  for (std::size_t q = first; q < last; ++q)
    for (auto i = queries.starts[q]; i < queries.starts[q + 1]; ++i) {
      const auto at = static_cast<std::size_t>(i) - begin;
      keys[at] = static_cast<std::uint64_t>(queries.word[i]) << 32 | at;
      sums_of[at] = sums + (q - first) * photos;
    }
  // The words of one query ascend as they are.
  if (last - first > 1) keys = sort_by_word(keys, keys + n, n, lists.words);
  Fetched fetched(lists, keys, n);
  for (std::size_t i = 0, end = 0; i < n; i = end) {
    if (i % 256 == 0) poll_interrupt();
    const std::uint64_t word = keys[i] >> 32;
    while (end < n && keys[end] >> 32 == word) ++end;
    const auto list_end = static_cast<std::size_t>(lists.starts[word + 1]);
    for (auto at = static_cast<std::size_t>(lists.starts[word]); at < list_end; at += stretch) {
      fetched.step();
      for (std::size_t j = i; j < end; ++j) {
        const std::size_t own = keys[j] & 0xffffffffu;
        add(table, shape,
            static_cast<const std::uint8_t*>(queries.parts) + (begin + own) * shape.bytes(),
            lists.parts, at, lists.photo + at, std::min(stretch, list_end - at),
            asked.weights[word], asked.by, sums_of[own]);
      }
    }
  }
}

// Adds what a query has in common with the photos behind the lists.
void add_recent(const Scored& asked, std::size_t query, float* sums) {
  const ByPhoto &more = asked.more, &queries = asked.queries;
  if (!more.photos) return;
  // Where the query holds a word.
  struct Places;
  constexpr auto none = ~std::uint32_t{0};
  const KernelTable& table = kernels();
  const PartShape shape = asked.lists.shape;
  const auto first = static_cast<std::size_t>(queries.starts[query]),
             last = static_cast<std::size_t>(queries.starts[query + 1]);
  auto* place = thread_scratch<std::uint32_t, Places>(asked.lists.words);
  std::fill_n(place, asked.lists.words, none);
  for (std::size_t i = first; i < last; ++i)
    place[queries.word[i]] = static_cast<std::uint32_t>(i - first);
  for (std::size_t p = 0; p < more.photos; ++p) {
    if (p % 64 == 0) poll_interrupt();
    const auto photo = static_cast<std::uint32_t>(asked.lists.photos + p);
    const auto end = static_cast<std::size_t>(more.starts[p + 1]);
    for (auto i = static_cast<std::size_t>(more.starts[p]); i < end; ++i) {
      const std::uint32_t word = more.word[i];
      if (place[word] == none) continue;
      const void* part =
          static_cast<const std::uint8_t*>(queries.parts) + (first + place[word]) * shape.bytes();
      add(table, shape, part, more.parts, i, &photo, 1, asked.weights[word], asked.by, sums);
    }
  }
}

// Calls body(first, last) for queries that are answered together.
template <class Body>
void for_groups(const Scored& asked, std::size_t threads, Body&& body) {
  const std::size_t n = asked.queries.photos, used = threads ? threads : kf::threads();
  const std::size_t fit = scores_together / std::max<std::size_t>(asked.photos(), 1);
  const std::size_t share = (n + used - 1) / used;
  parallel_for(n, std::max<std::size_t>(std::min({fit, most_together, share}), 1), body, threads);
}

// Sums of queries [first, last), times the queries' own factors.
void sum_up(const Scored& asked, std::size_t first, std::size_t last, float* sums) {
  const std::size_t photos = asked.photos();
  std::fill_n(sums, (last - first) * photos, 0.0f);
  add_lists(asked, first, last, sums);
  for (std::size_t q = first; q < last; ++q) {
    float* own = sums + (q - first) * photos;
    add_recent(asked, q, own);
    for (std::size_t p = 0; p < photos; ++p) own[p] *= asked.query_factor[q];
  }
}

}  // namespace

void all_scores(const Scored& asked, std::size_t threads, float* scores) {
  const std::size_t photos = asked.photos();
  for_groups(asked, threads, [&](std::size_t first, std::size_t last) {
    sum_up(asked, first, last, scores + first * photos);
    for (std::size_t q = first; q < last; ++q)
      for (std::size_t p = 0; p < photos; ++p) scores[q * photos + p] *= asked.factor[p];
  });
}

void best_scores(const Scored& asked, const std::int64_t* ids, const std::uint8_t* alive,
                 std::size_t k, std::size_t threads, float* distances, std::int64_t* found) {
  struct Sums;
  const std::size_t photos = asked.photos();
  for_groups(asked, threads, [&](std::size_t first, std::size_t last) {
    auto* sums = thread_scratch<float, Sums>((last - first) * photos);
    sum_up(asked, first, last, sums);
    for (std::size_t q = first; q < last; ++q) {
      TopK best(k);
      keep_best_products(sums + (q - first) * photos, asked.factor, photos, ids, alive, best);
      best.write(distances + q * k, found + q * k);
    }
  });
}

}  // namespace kf::scan
