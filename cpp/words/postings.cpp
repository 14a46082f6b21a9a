#include "words/postings.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/buffer.h"
#include "core/error.h"
#include "core/prefetch.h"
#include "core/threads.h"
#include "core/topk.h"
#include "kernels/hamming.h"
#include "kernels/words.h"
#include "words/best_products.h"

namespace kf::words {
namespace {

constexpr std::uint32_t row_mask = posting_rows - 1;
constexpr unsigned widest = 24;
// Counts beyond are kept as this: no photo has so many descriptors.
constexpr std::uint32_t most_counted = 1u << widest;
// Lists that are fetched while others are scanned.
constexpr std::size_t ahead = 4;

std::size_t packed_size(std::size_t n, unsigned bits) { return (n * bits + 7) / 8; }

void pack(const std::uint32_t* values, std::size_t n, unsigned bits,
          std::vector<std::uint8_t>& out) {
  std::uint64_t waiting = 0;
  unsigned held = 0;
  for (std::size_t i = 0; i < n; ++i) {
    waiting |= static_cast<std::uint64_t>(values[i]) << held;
    for (held += bits; held >= 8; held -= 8, waiting >>= 8)
      out.push_back(static_cast<std::uint8_t>(waiting));
  }
  if (held) out.push_back(static_cast<std::uint8_t>(waiting));
}

// Walks over a list's blocks.
class Blocks {
 public:
  Blocks(const Postings& lists, std::size_t list)
      : table_(kernels<WordKernels>()),
        at_(lists.bytes + lists.offsets[list]),
        end_(lists.bytes + lists.offsets[list + 1]),
        left_(lists.starts[list + 1] - lists.starts[list]),
        first_(lists.starts[list]) {}

  // To the next block; false after the last, and where the bytes break off.
  bool next() {
    first_ += n_;
    left_ -= n_;
    if (!left_ || end_ - at_ < 2) return false;
    n_ = std::min(left_, posting_block);
    gap_bits_ = at_[0], count_bits_ = at_[1];
    const std::size_t gaps = packed_size(n_, gap_bits_), counts = packed_size(n_, count_bits_);
    if (gap_bits_ > widest || count_bits_ > widest ||
        static_cast<std::size_t>(end_ - at_ - 2) < gaps + counts)
      return false;
    gaps_ = at_ + 2;
    counts_at_ = gaps_ + gaps;
    at_ = counts_at_ + counts;
    return true;
  }
  // Blocks follow one another: the ids of all before must have been unpacked.
  const std::uint32_t* ids() {
    table_.unpack_ids(gaps_, n_, gap_bits_, last_, row_mask, ids_);
    last_ = ids_[n_ - 1];
    return ids_;
  }
  // Counts less one; null where all are.
  const std::uint32_t* more() {
    if (!count_bits_) return nullptr;
    table_.unpack_bits(counts_at_, n_, count_bits_, more_);
    return more_;
  }
  unsigned count_bits() const { return count_bits_; }
  std::size_t n() const { return n_; }
  std::size_t first() const { return first_; }  // number of the first posting

 private:
  const WordKernels& table_;
  const std::uint8_t *at_, *end_, *gaps_ = nullptr, *counts_at_ = nullptr;
  std::size_t left_, first_, n_ = 0;
  std::uint32_t last_ = 0;
  unsigned gap_bits_ = 0, count_bits_ = 0;
  alignas(64) std::uint32_t ids_[posting_block];
  alignas(64) std::uint32_t more_[posting_block];
};

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

}  // namespace

void PackedPostings::append(std::uint32_t word, const std::uint32_t* photos,
                            const std::uint32_t* counts, const std::uint64_t* own, std::size_t n) {
  std::uint32_t gaps[posting_block], more[posting_block], last = 0;
  for (std::size_t at = 0; at < n; at += posting_block) {
    const std::size_t m = std::min(posting_block, n - at);
    std::uint32_t gap = 0, extra = 0;
    for (std::size_t j = 0; j < m; ++j) {
      gaps[j] = photos[at + j] - last;
      last = photos[at + j];
      more[j] = std::min(counts[at + j], most_counted) - 1;
      gap |= gaps[j];
      extra |= more[j];
    }
    const auto gap_bits = static_cast<unsigned>(std::bit_width(gap));
    const auto count_bits = static_cast<unsigned>(std::bit_width(extra));
    bytes.push_back(static_cast<std::uint8_t>(gap_bits));
    bytes.push_back(static_cast<std::uint8_t>(count_bits));
    pack(gaps, m, gap_bits, bytes);
    pack(more, m, count_bits, bytes);
  }
  if (own) signatures.insert(signatures.end(), own, own + n);
  if (bytes.size() > UINT32_MAX || starts.back() + n > UINT32_MAX)
    throw InvalidArgument("postings: too many for one segment");
  words.push_back(word);
  starts.push_back(static_cast<std::uint32_t>(starts.back() + n));
  offsets.push_back(static_cast<std::uint32_t>(bytes.size()));
}

void PackedPostings::finish(bool with_signatures) {
  bytes.resize(bytes.size() + posting_pad);
  if (with_signatures) signatures.resize(signatures.size() + signature_pad);
}

namespace {

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

void count_holders(const Postings& lists, const std::uint8_t* alive, std::int64_t* held) {
  for (std::size_t list = 0; list < lists.lists; ++list) {
    if (list % 4096 == 0) poll_interrupt();
    std::int64_t count = 0;
    if (!alive && !lists.signatures) {
      count = lists.starts[list + 1] - lists.starts[list];
    } else {
      std::uint32_t last = dropped;
      for (Blocks blocks(lists, list); blocks.next();) {
        const std::uint32_t* ids = blocks.ids();
        for (std::size_t j = 0; j < blocks.n(); ++j) {
          if (ids[j] != last && ids[j] < lists.rows && (!alive || alive[ids[j]])) ++count;
          last = ids[j];
        }
      }
    }
    held[lists.words[list]] += count;
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

PackedPostings merge_postings(const std::vector<Postings>& parts,
                              const std::vector<const std::uint32_t*>& row) {
  PackedPostings out;
  const bool signatures = !parts.empty() && parts[0].signatures;
  std::vector<std::size_t> at(parts.size(), 0);
  std::vector<std::uint32_t> photos, counts;
  std::vector<std::uint64_t> own;
  std::vector<std::size_t> order;
  for (std::size_t merged = 0;; ++merged) {
    if (merged % 4096 == 0) poll_interrupt();
    std::uint32_t word = dropped;
    for (std::size_t p = 0; p < parts.size(); ++p)
      if (at[p] < parts[p].lists) word = std::min(word, parts[p].words[at[p]]);
    if (word == dropped) break;
    photos.clear(), counts.clear(), own.clear();
    for (std::size_t p = 0; p < parts.size(); ++p) {
      if (at[p] == parts[p].lists || parts[p].words[at[p]] != word) continue;
      for (Blocks blocks(parts[p], at[p]); blocks.next();) {
        const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
        for (std::size_t j = 0; j < blocks.n(); ++j) {
          if (ids[j] >= parts[p].rows || row[p][ids[j]] == dropped) continue;
          photos.push_back(row[p][ids[j]]);
          counts.push_back(more ? more[j] + 1 : 1);
          if (signatures) own.push_back(parts[p].signatures[blocks.first() + j]);
        }
      }
      ++at[p];
    }
    if (photos.empty()) continue;
    if (!std::is_sorted(photos.begin(), photos.end())) {
      order.resize(photos.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return photos[a] < photos[b]; });
      const auto sorted = [&](auto& values) {
        auto copy = values;
        for (std::size_t i = 0; i < order.size(); ++i) values[i] = copy[order[i]];
      };
      sorted(photos), sorted(counts);
      if (signatures) sorted(own);
    }
    out.append(word, photos.data(), counts.data(), signatures ? own.data() : nullptr,
               photos.size());
  }
  out.finish(signatures);
  return out;
}

void check(const Postings& lists) {
  parallel_for(lists.lists, 1024, [&](std::size_t from, std::size_t to) {
    for (std::size_t list = from; list < to; ++list) {
      // The photo at hand, how many postings it has, and how many it says.
      std::uint32_t photo = 0, count = 0, said = 0;
      std::size_t unpacked = 0;
      for (Blocks blocks(lists, list); blocks.next(); unpacked += blocks.n()) {
        const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
        for (std::size_t j = 0; j < blocks.n(); ++j) {
          const std::uint32_t own = more ? more[j] + 1 : 1;
          const bool same = count > 0 && ids[j] == photo;
          if (ids[j] >= lists.rows || (count > 0 && ids[j] < photo) ||
              (same && !lists.signatures) ||
              (lists.signatures && (same ? own != said : count != said)))
            throw InvalidArgument("bytes: expected ascending photos, each as often as it says");
          photo = ids[j], said = own;
          count = same ? count + 1 : 1;
        }
      }
      if (unpacked != lists.starts[list + 1] - lists.starts[list] ||
          (lists.signatures && count != said))
        throw InvalidArgument("bytes: expected as many postings as there are");
    }
  });
}

UnpackedPostings unpack_postings(const Postings& lists) {
  UnpackedPostings out;
  for (std::size_t list = 0; list < lists.lists; ++list) {
    if (list % 4096 == 0) poll_interrupt();
    for (Blocks blocks(lists, list); blocks.next();) {
      const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
      out.photos.insert(out.photos.end(), ids, ids + blocks.n());
      out.words.insert(out.words.end(), blocks.n(), lists.words[list]);
      for (std::size_t j = 0; j < blocks.n(); ++j) out.counts.push_back(more ? more[j] + 1 : 1);
      if (lists.signatures)
        out.signatures.insert(out.signatures.end(), lists.signatures + blocks.first(),
                              lists.signatures + blocks.first() + blocks.n());
    }
  }
  return out;
}

}  // namespace kf::words
