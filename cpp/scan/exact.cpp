#include "scan/exact.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>

#include "core/error.h"
#include "core/threads.h"
#include "kernels/filters.h"
#include "scan/byte_filter.h"
#include "scan/float_filter.h"
#include "scan/head.h"
#include "scan/search.h"

namespace kf::scan {
namespace {

// What a query collects.
struct Collected {
  TopK best;
  float bound() const { return best.worst(); }
  static bool knows(std::size_t) { return false; }
  void take(const FloatScorer& scorer, float value, std::size_t row) {
    best.push({value, scorer.id(row)});
  }
};

}  // namespace

std::size_t ExactScan::shadow_bytes() const {
  const auto state = now();
  return (state->shadow ? state->shadow->bytes() : 0) + (state->head ? state->head->bytes() : 0) +
         state->n * sizeof(float);
}

Counts ExactScan::counts() const {
  return {along_.load(), bytes_.load(), floats_.load(), distances_.load()};
}

void ExactScan::count(const Counts& some) const {
  along_.fetch_add(some.along, std::memory_order_relaxed);
  bytes_.fetch_add(some.bytes, std::memory_order_relaxed);
  floats_.fetch_add(some.floats, std::memory_order_relaxed);
  distances_.fetch_add(some.distances, std::memory_order_relaxed);
}

void ExactScan::scan(const State& state, const Base& base, const float* queries, std::size_t nq,
                     Filter wish, std::size_t threads, std::vector<TopK>& results) const {
  const std::optional<Shadow>& shadow = state.shadow;
  const std::optional<Head>& head = state.head;
  const float* bias = state.bias.data();
  const double largest_norm = state.largest_norm;
  Filter filter = wish;
  const bool many = wish == Filter::automatic && nq >= many_queries && bytes_beat_floats();
  const double most_passed = many && head ? most_past_head_of_many(d_, nq) : most_past_head;
  if (base.n > state.n) throw InvalidArgument("base: more rows than were appended");
  if (filter == Filter::u8 && !shadow)
    throw InvalidArgument("filter: this index keeps no 8-bit copy");
  if (filter == Filter::head && !head)
    throw InvalidArgument("filter: this index keeps no copy along a few directions");
  if (nq == 0 || base.n == 0) return;
  const TopK empty = results[0];
  // Squares of huge numbers overflow float32, those of tiny ones vanish in it, and with them every
  // bound.
  if (!sound(largest_norm)) filter = Filter::none;
  if (filter == Filter::automatic) {
    // 16-bit products, too, are quicker than float32 ones.
    if (base.n <= 64)
      filter = Filter::none;
    else if (head && base.n >= Head::least_rows && base.n >= 16 * empty.capacity() &&
             (!many || head->expected(empty.capacity(), base.n) <= most_passed))
      filter = Filter::head;
    else if (shadow)
      filter = Filter::u8;
    else
      filter = nq >= 8 ? Filter::f32 : Filter::none;
  }
  // Whether float32 products may take over when bytes dismiss too little, and the queries have bounds.
  const bool may_switch = wish == Filter::automatic && nq >= 8;
  const bool bounded = (filter == Filter::f32 || filter == Filter::head || may_switch) &&
                       all_sound(queries, nq * d_);
  if (filter == Filter::f32 && !bounded) filter = Filter::none;
  if (filter == Filter::head && !bounded) filter = Filter::u8;
  const std::size_t use = threads > 0 ? threads : kf::threads();
  const std::size_t group =
      group_size(d_ * (filter == Filter::u8 || filter == Filter::head ? 1 : sizeof(float)));
  // Few queries: the base is split among the threads; many: the queries.
  const std::size_t groups = (nq + group - 1) / group;
  std::size_t parts = 1;
  if (use > 1 && groups < 4 * use)
    parts = std::min<std::size_t>((2 * use + groups - 1) / groups, base.n / 4096 + 1);
  const std::size_t span = ((base.n + parts - 1) / parts + 1023) / 1024 * 1024;
  const Head::Queries along = filter == Filter::head ? head->project(queries, nq) : Head::Queries{};
  const Shadow::Queries codes = filter == Filter::u8 || filter == Filter::head
                                    ? shadow->quantize(queries, nq)
                                    : Shadow::Queries{};
  std::vector<std::mutex> merging(groups);
  std::vector<std::atomic<float>> shared(nq);
  for (auto& bound : shared) bound.store(infinity, std::memory_order_relaxed);
  parallel_for(
      groups * parts, 1,
      [&](std::size_t task, std::size_t) {
        const std::size_t g = task / parts, part = task % parts;
        const std::size_t begin = std::min(part * span, base.n),
                          end = std::min(begin + span, base.n);
        const std::size_t first = g * group, count = std::min(group, nq - first);
        if (begin == end) return;
        std::vector<Collected> own(count, Collected{empty});
        const float* q = queries + first * d_;
        const FloatScorer scorer(base, metric_, q, d_);
        Range range{begin, end};
        range.shared = shared.data() + first;
        Counts counts;
        range.counts = &counts;
        const auto floats = [&] {
          return FloatFilter(base.vectors, bias, metric_, q, count, d_, largest_norm);
        };
        const auto bytes = [&] {
          return ByteFilter(shadow->view(), metric_, codes, first, count, d_, largest_norm);
        };
        if (filter == Filter::none) {
          NoFilter f(count);
          scan_range(f, scorer, count, range, own.data());
        } else if (filter == Filter::f32) {
          FloatFilter f = floats();
          scan_range(f, scorer, count, range, own.data());
        } else if (filter == Filter::u8) {
          ByteFilter f = bytes();
          scan_in_turns(f, floats, may_switch && bounded ? most_past_bytes : 1, scorer, count,
                        range, own.data());
        } else {
          HeadFilter f(*head, metric_, along, first, count, largest_norm);
          scan_in_turns(f, bytes, most_passed, scorer, count, range, own.data());
        }
        this->count(counts);
        std::lock_guard guard(merging[g]);
        for (std::size_t i = 0; i < count; ++i) results[first + i].merge(own[i].best);
      },
      use);
}

void ExactScan::search_by_sums(const State& state, const Base& base, const float* queries,
                               std::size_t nq, std::size_t k, std::size_t threads, float* distances,
                               std::int64_t* ids) const {
  const Shadow& shadow = *state.shadow;
  const double largest_norm = state.largest_norm;
  const std::size_t group = nq == 1 ? 1 : 16, stride = (base.n + 31) / 32 * 32;
  parallel_for((nq + group - 1) / group, 1,
               [&](std::size_t g, std::size_t) {
                 const std::size_t first = g * group, count = std::min(group, nq - first);
                 const auto codes = shadow.quantize(queries + first * d_, count);
                 ByteFilter filter(shadow.view(), metric_, codes, 0, count, d_, largest_norm);
                 const FloatScorer scorer(base, metric_, queries + first * d_, d_);
                 filter.begin_chunk(0, base.n);
                 auto* sums = thread_scratch<std::int32_t, ExactScan>(filter.padded() * stride);
                 auto* where = thread_scratch<std::uint32_t, ExactScan>(stride);
                 filter.sums(0, base.n, sums, stride);
                 std::vector<float> bounds(count);
                 std::vector<ByteFilter::Threshold> thresholds(filter.padded());
                 for (std::size_t i = 0; i < count; ++i)
                   bounds[i] = filter.most(i, kth_largest(sums + i * stride, base.n, k));
                 filter.thresholds(bounds.data(), thresholds.data());
                 std::vector<Neighbour> found;
                 Counts counts{.bytes = base.n * count};
                 for (std::size_t i = 0; i < count; ++i) {
                   const std::size_t n = at_least(sums + i * stride, base.n, thresholds[i], where);
                   found.resize(n);
                   counts.distances += n;
                   for (std::size_t h = 0; h < n; ++h) {
                     if (h + 6 < n) scorer.prefetch(where[h + 6]);
                     found[h] = {scorer.value(i, where[h]), scorer.id(where[h])};
                   }
                   const auto end = found.begin() + static_cast<std::ptrdiff_t>(k);
                   std::nth_element(found.begin(), end - 1, found.end());
                   std::sort(found.begin(), end);
                   for (std::size_t j = 0; j < k; ++j) {
                     distances[(first + i) * k + j] = found[j].distance;
                     ids[(first + i) * k + j] = found[j].id;
                   }
                 }
                 this->count(counts);
               },
               threads);
}

void ExactScan::search(const Base& base, const float* queries, std::size_t nq, std::size_t k,
                       Filter filter, std::size_t threads, float* distances,
                       std::int64_t* ids) const {
  const auto state = now();
  const bool usual = sound(state->largest_norm) && !base.alive;
  if (filter == Filter::automatic && state->shadow && usual && base.n >= 256 && base.n <= 16384 &&
      base.n >= 4 * k && base.n <= state->n && (nq < many_queries || bytes_beat_floats())) {
    search_by_sums(*state, base, queries, nq, k, threads, distances, ids);
    return;
  }
  std::vector<TopK> results(nq, TopK(k));
  scan(*state, base, queries, nq, filter, threads, results);
  for (std::size_t i = 0; i < nq; ++i) results[i].write(distances + i * k, ids + i * k);
}

std::vector<std::vector<Neighbour>> ExactScan::range(const Base& base, const float* queries,
                                                     std::size_t nq, float radius, Filter filter,
                                                     std::size_t threads) const {
  std::vector<TopK> results(nq, TopK::within(radius));
  scan(*now(), base, queries, nq, filter, threads, results);
  std::vector<std::vector<Neighbour>> out;
  out.reserve(nq);
  for (TopK& result : results) out.push_back(result.take());
  return out;
}

}  // namespace kf::scan
