#include "words/posting_scores.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/prefetch.h"
#include "core/threads.h"
#include "core/topk.h"
#include "kernels/hamming.h"
#include "words/best_products.h"
#include "words/posting_blocks.h"

namespace kf::words {
namespace {

// Lists that are fetched while others are scanned.
constexpr std::size_t ahead = 4;

// What so many occurrences weigh; with signatures, one of them.
class Terms {
 public:
  static constexpr unsigned known_bits = 6;
  static constexpr std::uint32_t known = 1u << known_bits;
  Terms(Term term, bool each) : term_(term), each_(each) {
    for (std::uint32_t i = 0; i < known; ++i) table_[i] = compute(i);
  }
  float operator()(std::uint32_t more) const { return more < known ? table_[more] : compute(more); }

 private:
  float compute(std::uint32_t more) const {
    const float count = static_cast<float>(more) + 1.0f;
    const float whole = term_ == Term::count  ? count
                        : term_ == Term::root ? std::sqrt(count)
                                              : 1.0f;
    return each_ ? whole / count : whole;
  }
  Term term_;
  bool each_;
  float table_[known];
};

// The place of a word among the lists from `from` on; lists.lists where it is not. Looks ever
// farther ahead, for a query's words lie near one another.
std::size_t place_of(const Postings& lists, std::uint32_t word, std::size_t& from) {
  std::size_t step = 1;
  while (from + step < lists.lists && lists.words[from + step] < word) from += step, step *= 2;
  const std::uint32_t* end = lists.words + std::min(from + step + 1, lists.lists);
  const std::uint32_t* at = std::lower_bound(lists.words + from, end, word);
  from = static_cast<std::size_t>(at - lists.words);
  return at != end && *at == word ? from : lists.lists;
}

void score_products(Blocks& blocks, float weight, const Terms& terms, float* sums) {
  float own[Terms::known];
  std::uint32_t made = 0;  // of `own`
  while (blocks.next()) {
    const std::size_t n = blocks.n();
    const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
    if (!more) {
      const float one = weight * terms(0);
      for (std::size_t j = 0; j < n; ++j) sums[ids[j]] += one;
    } else if (blocks.count_bits() <= Terms::known_bits) {
      for (; made < 1u << blocks.count_bits(); ++made) own[made] = weight * terms(made);
      for (std::size_t j = 0; j < n; ++j) sums[ids[j]] += own[more[j]];
    } else {
      for (std::size_t j = 0; j < n; ++j) sums[ids[j]] += weight * terms(more[j]);
    }
  }
}

void score_least(Blocks& blocks, float weight, float photo_weight, const Terms& terms,
                 const float* inverse, std::size_t rows, float* sums) {
  while (blocks.next()) {
    const std::size_t n = blocks.n();
    const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
    for (std::size_t j = 0; j < n; ++j) {
      if (ids[j] >= rows) continue;
      float own = photo_weight * terms(more ? more[j] : 0);
      if (inverse) own *= inverse[ids[j]];
      sums[ids[j]] += std::min(weight, own);
    }
  }
}

// One descriptor of the query against a list. In double precision: bursts match in millions of
// pairs.
void score_signatures(const Postings& lists, std::size_t list, float weight,
                      std::uint64_t signature, const PostingRule& rule, const Terms& terms,
                      double* sums) {
  const HammingKernels& table = kernels<HammingKernels>();
  std::uint32_t near[posting_block];
  std::int32_t distances[posting_block];
  const std::size_t end = lists.starts[list + 1];
  for (Blocks blocks(lists, list); blocks.next();) {
    const std::size_t n = blocks.n();
    // Eight bytes a posting come from memory: they are asked for two blocks before they are needed.
    const std::size_t next = std::min(blocks.first() + 2 * posting_block, end);
    prefetch(lists.signatures + next, 8 * std::min(posting_block, end - next));
    const std::size_t found = table.hamming_within(&signature, lists.signatures + blocks.first(),
                                                   (n + 7) / 8, 1, rule.within, near, distances);
    const std::uint32_t* ids = blocks.ids();
    if (!found) continue;
    const std::uint32_t* more = blocks.more();
    for (std::size_t j = 0; j < found && near[j] < n; ++j)
      sums[ids[near[j]]] += weight * rule.likeness[distances[j]] * terms(more ? more[near[j]] : 0);
  }
}

// Calls body(i, list) for the query's words that have a list.
template <class Body>
void for_lists(const Postings& lists, const PostingQuery& query, Body&& body) {
  struct Scratch;
  auto* places = thread_scratch<std::size_t, Scratch>(query.n);
  std::size_t from = 0;
  for (std::size_t i = 0; i < query.n; ++i) places[i] = place_of(lists, query.words[i], from);
  for (std::size_t i = 0; i < query.n; ++i) {
    if (i % 64 == 0) poll_interrupt();
    if (i + ahead < query.n && places[i + ahead] < lists.lists) {
      const std::size_t list = places[i + ahead], first = lists.starts[list];
      prefetch(lists.bytes + lists.offsets[list],
               std::min<std::size_t>(lists.offsets[list + 1] - lists.offsets[list], 1024));
      if (lists.signatures)
        prefetch(lists.signatures + first,
                 8 * std::min(2 * posting_block, lists.starts[list + 1] - first));
    }
    if (places[i] < lists.lists) body(i, places[i]);
  }
}

// Queries that are answered together: their best photos of each segment are held.
constexpr std::size_t together = 16;

// Sums of a query over a segment, word by word, in the thread's memory.
const float* sums_of(const PostingPart& part, const PostingQuery& query, const PostingRule& rule) {
  struct Narrow;
  struct Wide;
  const Postings& lists = part.lists;
  const Terms terms(rule.term, query.signatures != nullptr);
  float* sums = thread_scratch<float, Narrow>(posting_rows);
  if (query.signatures) {
    double* wide = thread_scratch<double, Wide>(posting_rows);
    std::fill_n(wide, lists.rows, 0.0);
    for_lists(lists, query, [&](std::size_t i, std::size_t list) {
      for (auto e = query.starts[i]; e < query.starts[i + 1]; ++e) {
        if (e % 64 == 63) poll_interrupt();
        if (query.weights[e] == 0) continue;
        score_signatures(lists, list, query.weights[e], query.signatures[e], rule, terms, wide);
      }
    });
    for (std::size_t row = 0; row < lists.rows; ++row) sums[row] = static_cast<float>(wide[row]);
    return sums;
  }
  std::fill_n(sums, lists.rows, 0.0f);
  const float* inverse = rule.match == Match::least_normed ? part.inverse : nullptr;
  for_lists(lists, query, [&](std::size_t i, std::size_t list) {
    Blocks blocks(lists, list);
    if (rule.match == Match::product)
      score_products(blocks, query.weights[i], terms, sums);
    else
      score_least(blocks, query.weights[i], query.photo_weights[i], terms, inverse, lists.rows,
                  sums);
  });
  return sums;
}

// What sums are multiplied with at the end.
const float* factors(const PostingPart& part, const PostingRule& rule) {
  static const std::vector<float> ones(posting_rows, 1.0f);
  return rule.match == Match::product ? part.inverse : ones.data();
}

}  // namespace

void all_scores(const std::vector<PostingPart>& parts, const std::vector<PostingQuery>& queries,
                const PostingRule& rule, std::size_t threads, float* scores) {
  std::vector<std::size_t> first{0};
  for (const PostingPart& part : parts) first.push_back(first.back() + part.lists.rows);
  parallel_for(
      queries.size() * parts.size(), 1,
      [&](std::size_t from, std::size_t to) {
        for (std::size_t task = from; task < to; ++task) {
          const std::size_t q = task / parts.size(), p = task % parts.size();
          const float *sums = sums_of(parts[p], queries[q], rule),
                      *factor = factors(parts[p], rule);
          float* out = scores + q * first.back() + first[p];
          for (std::size_t row = 0; row < parts[p].lists.rows; ++row)
            out[row] = sums[row] * factor[row];
        }
      },
      threads);
}

void best_scores(const std::vector<PostingPart>& parts, const std::vector<PostingQuery>& queries,
                 const PostingRule& rule, std::size_t k, std::size_t threads, float* distances,
                 std::int64_t* ids) {
  for (std::size_t at = 0; at < queries.size(); at += together) {
    const std::size_t n = std::min(together, queries.size() - at);
    std::vector<TopK> best(n * parts.size(), TopK(k));
    parallel_for(
        best.size(), 1,
        [&](std::size_t from, std::size_t to) {
          for (std::size_t task = from; task < to; ++task) {
            const PostingPart& part = parts[task % parts.size()];
            const float* sums = sums_of(part, queries[at + task / parts.size()], rule);
            keep_best_products(sums, factors(part, rule), part.lists.rows, part.ids, part.admitted,
                               best[task]);
          }
        },
        threads);
    for (std::size_t q = 0; q < n; ++q) {
      TopK all(k);
      for (std::size_t p = 0; p < parts.size(); ++p) all.merge(best[q * parts.size() + p]);
      all.write(distances + (at + q) * k, ids + (at + q) * k);
    }
  }
}

void own_sums(const Postings& lists, const PostingRule& rule, const float* weights, double* sums) {
  const Terms terms(rule.term, lists.signatures != nullptr);
  const HammingKernels& table = kernels<HammingKernels>();
  std::vector<std::uint64_t> run;
  std::vector<std::int32_t> differing;
  for (std::size_t list = 0; list < lists.lists; ++list) {
    if (list % 4096 == 0) poll_interrupt();
    const double weight = weights[lists.words[list]];
    if (weight == 0) continue;
    std::uint32_t last = dropped;
    double one = 0;
    // Of all pairs of a photo's descriptors: each with itself, and twice with those before.
    const auto close_run = [&] {
      double pairs = 0;
      differing.resize(run.size());
      for (std::size_t a = 0; a < run.size(); ++a) {
        if (a % 1024 == 1023) poll_interrupt();
        table.hamming_rows(&run[a], run.data(), a, 1, differing.data());
        pairs += rule.likeness[0];
        for (std::size_t b = 0; b < a; ++b) pairs += 2.0 * rule.likeness[differing[b]];
      }
      if (!run.empty()) sums[last] += weight * weight * one * one * pairs;
      run.clear();
    };
    for (Blocks blocks(lists, list); blocks.next();) {
      const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
      for (std::size_t j = 0; j < blocks.n(); ++j) {
        if (ids[j] >= lists.rows) continue;
        const double term = terms(more ? more[j] : 0);
        if (lists.signatures) {
          if (ids[j] != last) close_run();
          run.push_back(lists.signatures[blocks.first() + j]);
          last = ids[j];
          one = term;
        } else {
          const double own = weight * term;
          sums[ids[j]] += rule.match == Match::product ? own * own : own;
        }
      }
    }
    close_run();
  }
}

}  // namespace kf::words
