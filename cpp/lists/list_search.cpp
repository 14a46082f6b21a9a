#include "lists/list_search.h"

#include <algorithm>
#include <bit>

#include "core/threads.h"
#include "scan/distance.h"

namespace kf::lists {

ListSearch::ListSearch(Metric metric, const Coarse& coarse, const Codec& codec,
                       std::vector<Segment> segments)
    : lists_(metric, coarse, std::move(segments)), codec_(codec) {
  if (codec.dim() != coarse.d) throw InvalidArgument("codec: wrong dimension");
  codec.check(coarse);
  for (const Segment& segment : lists_.segments()) {
    if (segment.codec != &codec || !segment.rows)
      throw InvalidArgument("segments: expected rows of the codec");
    if (segment.fine.d != lists_.segments()[0].fine.d)
      throw InvalidArgument("segments: a second look for all or none");
  }
}

namespace {

// Rows of equal codes lie at one distance and leave no room in a shortlist for those behind them,
// which the second look might bring forward (thousands of photos without features, say). Where they
// are more than the distances, a query asks again for four times as much, up to this many rows.
constexpr std::size_t widest_shortlist = 65536;

bool crowded(const std::vector<Candidate>& shortlist) {
  const std::size_t n = shortlist.size(), slots = std::bit_ceil(2 * n);
  const int shift = 32 - std::countr_zero(slots);
  constexpr std::uint32_t empty = 0xffffffff;  // no distance: a NaN
  struct Seen;
  auto* seen = thread_scratch<std::uint32_t, Seen>(slots);
  std::fill_n(seen, slots, empty);
  std::size_t distances = 0;
  for (const Candidate& item : shortlist) {
    const auto bits = std::bit_cast<std::uint32_t>(item.distance + 0.0f);  // one zero
    std::size_t at = bits * 2654435761u >> shift;
    while (seen[at] != bits && seen[at] != empty) at = (at + 1) & (slots - 1);
    distances += seen[at] == empty;
    seen[at] = bits;
    if (2 * distances >= n) return false;  // nearly always, half-way
  }
  return true;
}

}  // namespace

Collectors ListSearch::collected(const ListQuery& query, const Best<Candidate>& empty,
                                 ListStats& stats) const {
  Collectors results;
  for (std::size_t q = 0; q < query.n; ++q) results.emplace_back(empty);
  codec_.search(lists_, query, results, stats);
  return results;
}

void ListSearch::search(const ListQuery& query, std::size_t k, std::size_t shortlist,
                        float* distances, std::int64_t* ids, ListStats& stats) const {
  const std::size_t wanted = fine() ? std::max(k, shortlist) : k;
  Collectors results = collected(query, Best<Candidate>(wanted), stats);
  if (!fine()) {
    for (std::size_t q = 0; q < query.n; ++q)
      results[q].best().write(distances + q * k, ids + q * k);
    return;
  }
  const bool widest = wanted >= std::min(widest_shortlist, lists_.rows());
  std::vector<std::uint8_t> again(query.n);
  parallel_for(
      query.n, 4,
      [&](std::size_t begin, std::size_t end) {
        for (std::size_t q = begin; q < end; ++q) {
          const auto& items = results[q].best().items();
          again[q] = !widest && results[q].best().full() && crowded(items);
          if (!again[q]) rescore(query, q, items, k, distances + q * k, ids + q * k);
        }
      },
      query.threads);
  std::vector<std::size_t> which;
  for (std::size_t q = 0; q < query.n; ++q)
    if (again[q]) which.push_back(q);
  results.clear();
  constexpr std::size_t block = 64;  // for the sake of memory
  for (std::size_t first = 0; first < which.size(); first += block)
    search_some(query, {which.data() + first, std::min(block, which.size() - first)}, k, 4 * wanted,
                distances, ids, stats);
}

// The search of some of the queries.
void ListSearch::search_some(const ListQuery& query, std::span<const std::size_t> which,
                             std::size_t k, std::size_t shortlist, float* distances,
                             std::int64_t* ids, ListStats& stats) const {
  const std::size_t n = which.size(), d = lists_.coarse().d, fine_d = lists_.segments()[0].fine.d;
  std::vector<float> queries(n * d), original(n * fine_d), values(n * k);
  std::vector<std::int64_t> found(n * k);
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(query.queries + which[i] * d, d, queries.data() + i * d);
    std::copy_n(query.original + which[i] * fine_d, fine_d, original.data() + i * fine_d);
  }
  ListQuery some = query;
  some.queries = queries.data(), some.original = original.data(), some.n = n;
  search(some, k, std::min({shortlist, widest_shortlist, lists_.rows()}), values.data(),
         found.data(), stats);
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(values.data() + i * k, k, distances + which[i] * k);
    std::copy_n(found.data() + i * k, k, ids + which[i] * k);
  }
}

// The k best of a shortlist by the second look.
void ListSearch::rescore(const ListQuery& query, std::size_t q, const std::vector<Candidate>& items,
                         std::size_t k, float* distances, std::int64_t* ids) const {
  const scan::Distance distance(lists_.metric(), lists_.segments()[0].fine.d);
  TopK best(k);
  constexpr std::size_t ahead = 6;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i + ahead < items.size()) {
      __builtin_prefetch(items[i + ahead].id);
      lists_.segments()[items[i + ahead].segment].fine.prefetch(items[i + ahead].row);
    }
    const Stored& fine_rows = lists_.segments()[items[i].segment].fine;
    float* scratch = thread_scratch<float, ListSearch>(fine_rows.scratch());
    best.push({distance(query.original + q * fine_rows.d, fine_rows.row(items[i].row, scratch)),
               *items[i].id});
  }
  best.write(distances, ids);
}

std::vector<std::vector<Neighbour>> ListSearch::range(const ListQuery& query, float radius,
                                                      ListStats& stats) const {
  Collectors results = collected(query, Best<Candidate>::within(radius), stats);
  std::vector<std::vector<Neighbour>> out;
  for (Collector& result : results) out.push_back(result.best().take());
  return out;
}

}  // namespace kf::lists
