#include "words/likeness.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/buffer.h"
#include "core/prefetch.h"
#include "core/threads.h"
#include "kernels/vectors.h"
#include "kernels/words.h"
#include "words/best_products.h"
#include "words/word_order.h"

namespace kf::words {
namespace {

const std::uint64_t* codes_at(PartShape shape, const void* parts, std::size_t at) {
  return reinterpret_cast<const std::uint64_t*>(shape.at(parts, at));
}

// What n postings, with their photos, add for one part of the query.
void add(const WordKernels& table, PartShape shape, const void* part, const void* parts,
         std::size_t at, const std::uint32_t* photos, std::size_t n, float weight,
         const Selectivity& by, float* scores) {
  if (shape.width) {
    table.add_alike(static_cast<const std::uint64_t*>(part), codes_at(shape, parts, at), photos, n,
                    shape.width, by.table, by.limit, weight, scores);
    return;
  }
  const auto inner_product = kernels<VectorKernels>().inner_product;
  for (std::size_t j = 0; j < n; ++j) {
    const float u = inner_product(static_cast<const float*>(part),
                                  reinterpret_cast<const float*>(shape.at(parts, at + j)), shape.d);
    if (!(u > by.tau)) continue;
    scores[photos[j]] += weight * std::copysign(std::pow(std::abs(u), by.alpha), u);
  }
}

// Bytes of parts that are compared at once, and how many times as many are fetched ahead of that:
// a core reads memory at full speed where it is told early what it will need, list after list.
constexpr std::size_t stretch_bytes = 1024;
constexpr std::size_t stretches_ahead = 4;
// Queries whose scores lie side by side, so that a list is read once for all that hold its word;
// and as few as that is worth it for.
constexpr std::size_t together = 16, least_together = 4;
// Photos whose scores by so many queries fill a megabyte, which the L2 cache keeps.
constexpr std::size_t tile = 1 << 14;

std::size_t stretch_of(PartShape shape) {
  return std::max<std::size_t>(stretch_bytes / shape.bytes(), 1);
}

// Postings [at, end) of a word that are due, for the keys [first, last) of the queries' parts.
struct Due {
  std::size_t word, at, end, first, last;
};

// Fetches what is due, a stretch a step.
class Fetched {
 public:
  Fetched(const ByWord& lists, const std::vector<Due>& due)
      : lists_(lists),
        stretch_(stretch_of(lists.shape)),
        due_(due.data()),
        end_(due_ + due.size()) {
    if (due_ != end_) at_ = due_->at;
    for (std::size_t i = 0; i < stretches_ahead; ++i) step();
  }
  void step() {
    for (; due_ != end_ && at_ >= due_->end; at_ = due_ == end_ ? 0 : due_->at) ++due_;
    if (due_ == end_) return;
    const std::size_t n = std::min(stretch_, due_->end - at_), bytes = lists_.shape.bytes();
    prefetch(lists_.shape.at(lists_.parts, at_), n * bytes);
    prefetch(lists_.photo + at_, 4 * n);
    at_ += n;
  }

 private:
  const ByWord& lists_;
  std::size_t stretch_, at_ = 0;
  const Due *due_, *end_;
};

// Calls body(due, at, n) for stretches of all that is due.
template <class Body>
void for_stretches(const ByWord& lists, const std::vector<Due>& due, Body&& body) {
  Fetched fetched(lists, due);
  const std::size_t stretch = stretch_of(lists.shape);
  for (std::size_t i = 0; i < due.size(); ++i) {
    if (i % 256 == 0) poll_interrupt();
    for (std::size_t at = due[i].at; at < due[i].end; at += stretch) {
      fetched.step();
      body(due[i], at, std::min(stretch, due[i].end - at));
    }
  }
}

// What a query has in common with the photos of the lists: calls sink(query, 0, photos, sums).
template <class Sink>
void score_alone(const Scored& asked, std::size_t query, Sink&& sink) {
  struct Sums;
  const WordKernels& table = kernels<WordKernels>();
  const ByWord& lists = asked.lists;
  auto* sums = thread_scratch<float, Sums>(lists.photos);
  std::fill_n(sums, lists.photos, 0.0f);
  std::vector<Due> due;
  for (auto i = asked.queries.starts[query]; i < asked.queries.starts[query + 1]; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::size_t word = asked.queries.word[at];
    due.push_back({word, static_cast<std::size_t>(lists.starts[word]),
                   static_cast<std::size_t>(lists.starts[word + 1]), at, at + 1});
  }
  for_stretches(lists, due, [&](const Due& d, std::size_t at, std::size_t n) {
    add(table, lists.shape, asked.queries.part(d.first), lists.parts, at, lists.photo + at, n,
        asked.weights[d.word], asked.by, sums);
  });
  sink(query, 0, lists.photos, sums);
}

// The same for queries [first, last), at most `together`, and signs: tile by tile.
template <class Sink>
void score_together(const Scored& asked, std::size_t first, std::size_t last, Sink&& sink) {
  struct Keys;
  struct Columns;
  struct Rows;
  struct Sums;
  const WordKernels& table = kernels<WordKernels>();
  const ByWord& lists = asked.lists;
  const ByPhoto& queries = asked.queries;
  const std::size_t width = lists.shape.width;
  const auto begin = static_cast<std::size_t>(queries.starts[first]),
             n = static_cast<std::size_t>(queries.starts[last]) - begin;
  auto* keys = thread_scratch<std::uint64_t, Keys>(2 * n);
  auto* column = thread_scratch<std::uint8_t, Columns>(n);
  for (std::size_t q = first; q < last; ++q)
    for (auto i = queries.starts[q]; i < queries.starts[q + 1]; ++i) {
      const auto at = static_cast<std::size_t>(i) - begin;
      keys[at] = static_cast<std::uint64_t>(queries.word[i]) << 32 | at;
      column[at] = static_cast<std::uint8_t>(q - first);
    }
  keys = sort_by_word(keys, keys + n, n, lists.words);
  std::vector<Due> due;
  for (std::size_t i = 0, end = 0; i < n; i = end) {
    const std::size_t word = keys[i] >> 32;
    while (end < n && keys[end] >> 32 == word) ++end;
    const auto at = static_cast<std::size_t>(lists.starts[word]);
    due.push_back({word, at, at, i, end});
  }
  auto* rows = thread_scratch<float, Rows>(together * std::min(tile, lists.photos));
  auto* sums = thread_scratch<float, Sums>(std::min(tile, lists.photos));
  for (std::size_t at = 0; at < lists.photos; at += tile) {
    const std::size_t size = std::min(tile, lists.photos - at);
    for (Due& d : due) {
      const auto list_end = static_cast<std::size_t>(lists.starts[d.word + 1]);
      d.at = d.end;
      d.end = list_end;
      if (at + size < lists.photos)
        d.end = static_cast<std::size_t>(
            std::lower_bound(lists.photo + d.at, lists.photo + list_end, at + size) - lists.photo);
    }
    std::fill_n(rows, together * size, 0.0f);
    std::vector<std::uint64_t> codes(together * width);
    std::uint8_t columns[together];
    const Due* held = nullptr;  // whose codes these are
    for_stretches(lists, due, [&](const Due& d, std::size_t from, std::size_t count) {
      if (held != &d) {
        for (std::size_t i = d.first; i < d.last; ++i) {
          const std::size_t own = keys[i] & 0xffffffffu;
          std::copy_n(codes_at(lists.shape, queries.parts, begin + own), width,
                      &codes[(i - d.first) * width]);
          columns[i - d.first] = column[own];
        }
        held = &d;
      }
      table.add_alike_rows(codes.data(), columns, d.last - d.first,
                           codes_at(lists.shape, lists.parts, from), lists.photo + from, count,
                           width, asked.by.table, asked.by.limit, asked.weights[d.word], at, rows);
    });
    for (std::size_t q = first; q < last; ++q) {
      for (std::size_t p = 0; p < size; ++p) sums[p] = rows[together * p + (q - first)];
      sink(q, at, size, sums);
    }
  }
}

// The same for one query and the photos behind the lists.
template <class Sink>
void score_recent(const Scored& asked, std::size_t query, Sink&& sink) {
  const ByPhoto &more = asked.more, &queries = asked.queries;
  if (!more.photos) return;
  // Where the query holds a word.
  struct Places;
  struct Sums;
  constexpr auto none = ~std::uint32_t{0};
  const WordKernels& table = kernels<WordKernels>();
  const auto first = static_cast<std::size_t>(queries.starts[query]),
             last = static_cast<std::size_t>(queries.starts[query + 1]);
  auto* place = thread_scratch<std::uint32_t, Places>(asked.lists.words);
  std::fill_n(place, asked.lists.words, none);
  for (std::size_t i = first; i < last; ++i)
    place[queries.word[i]] = static_cast<std::uint32_t>(i - first);
  auto* sums = thread_scratch<float, Sums>(more.photos);
  std::fill_n(sums, more.photos, 0.0f);
  for (std::size_t p = 0; p < more.photos; ++p) {
    if (p % 64 == 0) poll_interrupt();
    const auto photo = static_cast<std::uint32_t>(p);
    const auto end = static_cast<std::size_t>(more.starts[p + 1]);
    for (auto i = static_cast<std::size_t>(more.starts[p]); i < end; ++i) {
      const std::uint32_t word = more.word[i];
      if (place[word] != none)
        add(table, more.shape, queries.part(first + place[word]), more.parts, i, &photo, 1,
            asked.weights[word], asked.by, sums);
    }
  }
  sink(query, asked.lists.photos, more.photos, sums);
}

// Calls sink(query, first, n, sums) for runs of photos, in ascending order for each query, with the
// sums times the query's factor; then done(query).
template <class Sink, class Done>
void score(const Scored& asked, std::size_t threads, Sink&& sink, Done&& done) {
  const std::size_t n = asked.queries.photos, used = threads ? threads : kf::threads();
  const std::size_t share = std::min((n + used - 1) / used, together);
  const bool by_rows = asked.lists.shape.width && share >= least_together;
  parallel_for(
      n, by_rows ? share : 1,
      [&](std::size_t first, std::size_t last) {
        const auto taken = [&](std::size_t q, std::size_t at, std::size_t count, float* sums) {
          for (std::size_t i = 0; i < count; ++i) sums[i] *= asked.query_factor[q];
          sink(q, at, count, sums);
        };
        if (by_rows)
          score_together(asked, first, last, taken);
        else
          for (std::size_t q = first; q < last; ++q) score_alone(asked, q, taken);
        for (std::size_t q = first; q < last; ++q) {
          score_recent(asked, q, taken);
          done(q);
        }
      },
      threads);
}

}  // namespace

void all_scores(const Scored& asked, std::size_t threads, float* scores) {
  score(
      asked, threads,
      [&](std::size_t q, std::size_t at, std::size_t n, const float* sums) {
        float* out = scores + q * asked.photos() + at;
        for (std::size_t i = 0; i < n; ++i) out[i] = sums[i] * asked.factor[at + i];
      },
      [](std::size_t) {});
}

void best_scores(const Scored& asked, const std::int64_t* ids, const std::uint8_t* alive,
                 std::size_t k, std::size_t threads, float* distances, std::int64_t* found) {
  std::vector<TopK> best(asked.queries.photos, TopK(k));
  score(
      asked, threads,
      [&](std::size_t q, std::size_t at, std::size_t n, const float* sums) {
        keep_best_products(sums, asked.factor + at, n, ids + at, alive ? alive + at : nullptr,
                           best[q]);
      },
      [&](std::size_t q) { best[q].write(distances + q * k, found + q * k); });
}

}  // namespace kf::words
