#pragma once
// What happens inside one search through lists: results, scorers, and the ways to go through a
// list. Included by cells.cpp alone.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/threads.h"
#include "scan/cells.h"

namespace kf::scan {

// Results of one query: the k nearest, or all within a radius.
struct NearestOf {
  Best<Candidate> heap;
  float bound() const { return heap.worst(); }
  std::size_t wanted() const { return heap.capacity(); }
  void take(const Candidate& item) { heap.push(item); }
};
struct AllWithin {
  float radius;
  std::vector<Candidate> found;
  float bound() const { return radius; }
  static std::size_t wanted() { return 0; }
  void take(const Candidate& item) {
    if (item.distance <= radius) found.push_back(item);
  }
};

// What several threads collect for one query. Survivors of the filters are few: a spinning lock.
template <class Collector>
struct Slot {
  explicit Slot(Collector empty) : own(std::move(empty)), limit(own.bound()) {}
  Collector own;
  std::atomic<float> limit;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;

  float bound() const { return limit.load(std::memory_order_relaxed); }
  std::size_t wanted() const { return own.wanted(); }
  void take(const Candidate& item) {
    while (busy.test_and_set(std::memory_order_acquire)) {
    }
    own.take(item);
    limit.store(own.bound(), std::memory_order_relaxed);
    busy.clear(std::memory_order_release);
  }
};

// The results of a group of queries as scan_range sees them, for the rows of one segment.
template <class Result>
struct View {
  Result* const* results;
  std::uint32_t segment;

  struct At {
    Result& result;
    std::uint32_t segment;
    float bound() const { return result.bound(); }
    static bool knows(std::size_t) { return false; }
    template <class Scorer>
    void take(const Scorer& scorer, float value, std::size_t row) {
      result.take(Candidate{value, segment, row, scorer.id(row)});
    }
  };
  At operator[](std::size_t q) const { return {*results[q], segment}; }
};

// Common to the scorers: which rows may answer, and under which id.
struct Rows {
  const Segment& segment;
  const std::uint8_t* admitted;
  mutable std::size_t scored = 0;

  bool skips(std::size_t row) const {
    return (segment.alive && !segment.alive[row]) || (admitted && !admitted[row]);
  }
  const std::int64_t* id(std::size_t row) const { return segment.ids + row; }
};

struct StoredScorer : Rows {
  const Stored& stored;
  const float* queries;  // (nq, d), or rows of them
  const std::uint32_t* which;
  Metric metric;
  const KernelTable& table = kernels();
  float* scratch = thread_scratch<float, Stored>(stored.scratch());

  void prefetch(std::size_t row) const { stored.prefetch(row); }
  float value(std::size_t q, std::size_t row) const {
    ++scored;
    const float* x = stored.row(table, row, scratch);
    const float* y = queries + which[q] * stored.d;
    return metric == Metric::l2 ? table.squared_l2(y, x, stored.d)
                                : -table.inner_product(y, x, stored.d);
  }
};

// Queries relative to a cell, made when they are first asked for: most lists have no survivor.
struct Locals {
  const ProductCodec& codec;
  const Coarse& coarse;
  const float* queries;  // (nq, d), of which `which` are meant
  const std::uint32_t* which;
  std::size_t count, cell;
  mutable const float* made = nullptr;  // (count, local_d)

  const float* get() const {
    if (made) return made;
    float* own = thread_scratch<float, Locals>(count * codec.local_d() + coarse.d);
    const float* centroid = coarse.centroid(cell, own + count * codec.local_d());
    codec.locals(queries, which, count, centroid, cell, own);
    return made = own;
  }
};

struct ProductScorer : Rows {
  const Locals& locals;
  const float* codebooks;
  const float* values;  // inner products: what each distance starts from
  const KernelTable& table = kernels();
  float* scratch = thread_scratch<float, ProductCodec::Tables*>(locals.codec.local_d());

  static void prefetch(std::size_t) {}
  float value(std::size_t q, std::size_t row) const {
    ++scored;
    const ProductParts& parts = locals.codec.parts();
    const float* y = locals.get() + q * locals.codec.local_d();
    const std::uint8_t* code = segment.product.code(row);
    const std::size_t stride = segment.product.stride();
    if (parts.metric == Metric::l2)
      return table.product_squared_l2(y, codebooks, code, stride, parts.m, parts.bits, parts.s,
                                      scratch);
    return values[q] -
           table.product_inner(y, codebooks, code, stride, parts.m, parts.bits, parts.s, scratch);
  }
};

// Squares of huge numbers overflow float32, those of tiny ones vanish in it, and with them every
// bound.
inline bool sound(double largest_norm) { return largest_norm > 1e-12 && largest_norm < 1e18; }

// One search: its queries prepared, and the two ways to go through lists.
template <class Collector>
class CellScan::Session {
 public:
  Session(const CellScan& scan, const CellQuery& query, CellStats& stats)
      : scan_(scan), query_(query), stats_(stats) {
    if (!scan.raw_) return;
    raw_.resize(query.n, scan.raw_->coder.padded_d());
    parallel_for(
        query.n, 64,
        [&](std::size_t begin, std::size_t end) {
          scan.raw_->coder.quantize(query.queries + begin * scan.raw_->d, end - begin, raw_, begin);
        },
        query.threads);
  }

  // One query through rows [visit.begin, visit.end) of each visit, in this order.
  template <class Result>
  void one(std::uint32_t q, const std::vector<Visit>& visits, Result& result) {
    Result* const results[1] = {&result};
    if (scan_.halves_[0]) {
      local_halves(q, visits, result);
      return;
    }
    if (scan_.product_ && !scan_.product_->local()) {
      thread_local ProductCodec::Tables tables;
      const bool blocked = scan_.segments_.empty() || scan_.segments_[0].product.blocked;
      scan_.product_->tables(query_.queries + q * scan_.product_->parts().d, blocked, tables);
      if (!blocked) {
        short_lists(q, visits, tables, result);
        return;
      }
      if (by_all_sums(q, visits, tables, result)) return;
      for (std::size_t v = 0; v < visits.size(); ++v) {
        const Visit& visit = visits[v];
        if (v % 32 == 0) poll_interrupt();
        if (v + 1 < visits.size()) fetch(visits[v + 1]);
        const Segment& segment = scan_.segments_[visit.segment];
        const TableFilter filter(*scan_.product_, tables, segment.product, visit.value);
        by_codes(filter, visit, &q, 1, &visit.value, results);
      }
      return;
    }
    for (std::size_t v = 0; v < visits.size(); ++v) {
      if (v + 1 < visits.size()) fetch(visits[v + 1]);
      group(visits[v], &q, 1, &visits[v].value, results);
    }
  }

  // Asks for the beginning of a list; the processor's own prefetching goes on from there.
  void fetch(const Visit& visit) const {
    const Segment& segment = scan_.segments_[visit.segment];
    const std::uint8_t* from =
        scan_.raw_ ? segment.bytes.codes + visit.begin / 32 * 32 * segment.bytes.padded_d
                   : segment.product.codes + visit.begin / 64 * 64 * segment.product.width;
    const std::size_t width = scan_.raw_ ? segment.bytes.padded_d : segment.product.width;
    const std::size_t size = std::min<std::size_t>((visit.end - visit.begin) * width, 8192);
    for (std::size_t at = 0; at < size; at += 64) __builtin_prefetch(from + at, 0, 2);
  }

  // Several queries through the same rows.
  template <class Result>
  void group(const Visit& visit, const std::uint32_t* which, std::size_t count, const float* values,
             Result* const* results) {
    if (scan_.raw_)
      by_vectors(visit, which, count, results);
    else
      by_decoding(visit, which, count, values, results);
  }

 private:
  Range range(const Visit& visit, std::size_t granule, bool fresh) const {
    Range range{visit.begin / granule * granule, visit.end};
    range.first = visit.begin;
    range.first_chunk = fresh ? 64 : 4096;
    return range;
  }
  const std::uint8_t* admitted(const Visit& visit) const {
    return query_.admitted ? query_.admitted[visit.segment] : nullptr;
  }
  void count(std::size_t queries, const Visit& visit, const Rows& rows) {
    stats_.visited += queries;
    stats_.rows += queries * (visit.end - visit.begin);
    stats_.scored += rows.scored;
  }
  template <class Result>
  static bool fresh(Result* const* results, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      if (results[i]->bound() == infinity) return true;
    return false;
  }

  // The first rows that queries meet: their k-th best sum bounds the k-th distance, before any
  // distance is taken. Not where rows may be masked.
  template <class FilterType, class Scorer, class Result>
  void scan(FilterType& filter, const Scorer& scorer, const Visit& visit, std::size_t count_,
            Result* const* results) {
    constexpr std::size_t granule = FilterType::granule, most_rows = 1024;
    const bool new_queries = fresh(results, count_);
    Range range = this->range(visit, granule, new_queries);
    const std::size_t end = std::min(visit.end, range.begin + most_rows);
    const std::size_t k = results[0]->wanted();
    const Segment& segment = scan_.segments_[visit.segment];
    if (new_queries && k > 0 && visit.begin + k <= end && end - visit.begin >= 64 &&
        !segment.alive && !query_.admitted) {
      const std::size_t stride = (end - range.begin + 63) / 64 * 64,
                        skip = visit.begin - range.begin;
      const std::size_t n = end - visit.begin;
      auto* sums = thread_scratch<std::int32_t, Visit>(filter.padded() * stride);
      auto* known = thread_scratch<float, Visit>(count_);
      auto* hits = thread_scratch<std::uint32_t, Visit>(n);
      struct Tag;
      auto* thresholds = thread_scratch<typename FilterType::Threshold, Tag>(filter.padded());
      filter.begin_chunk(range.begin, end);
      filter.sums(kernels(), range.begin, end - range.begin, sums, stride);
      for (std::size_t i = 0; i < count_; ++i) {
        known[i] = results[i]->bound();
        if (!(known[i] < infinity))
          known[i] = filter.most(i, kth_largest(kernels(), sums + i * stride + skip, n, k));
      }
      filter.thresholds(known, thresholds);
      const View<Result> view{results, visit.segment};
      for (std::size_t i = 0; i < count_; ++i) {
        const std::size_t found = kernels().at_least(sums + i * stride + skip, n,
                                                     FilterType::least_sum(thresholds[i]), hits);
        for (std::size_t h = 0; h < found; ++h) {
          const std::size_t row = visit.begin + hits[h];
          if (h + 6 < found) scorer.prefetch(visit.begin + hits[h + 6]);
          const float value = scorer.value(i, row);
          if (value <= results[i]->bound()) view[i].take(scorer, value, row);
        }
      }
      if (end == visit.end) return;
      range.begin = range.first = end;
      range.first_chunk = FilterType::most_chunk;
    }
    scan_range(filter, scorer, count_, range, View<Result>{results, visit.segment});
  }

  template <class Result>
  void by_vectors(const Visit& visit, const std::uint32_t* which, std::size_t count_,
                  Result* const* results) {
    const Segment& segment = scan_.segments_[visit.segment];
    const View<Result> view{results, visit.segment};
    const StoredScorer scorer{
        {segment, admitted(visit)}, segment.stored, query_.queries, which, scan_.metric_};
    if (!sound(segment.largest_norm)) {
      NoFilter filter(count_);
      scan_range(filter, scorer, count_, range(visit, 1, true), view);
    } else {
      thread_local Shadow::Queries some;
      some.resize(count_, segment.bytes.padded_d);
      for (std::size_t i = 0; i < count_; ++i) some.copy(i, raw_, which[i], segment.bytes.padded_d);
      ByteFilter filter(segment.bytes, scan_.metric_, some, 0, count_, scan_.raw_->d,
                        segment.largest_norm);
      scan(filter, scorer, visit, count_, results);
    }
    count(count_, visit, scorer);
  }

  template <class Result>
  void by_decoding(const Visit& visit, const std::uint32_t* which, std::size_t count_,
                   const float* values, Result* const* results) {
    const ProductCodec& codec = *scan_.product_;
    const Segment& segment = scan_.segments_[visit.segment];
    const Locals locals{codec, scan_.coarse_, query_.queries, which, count_, visit.cell};
    const float* own = locals.get();
    const std::size_t book = codec.book_of(visit.cell), wide = codec.parts().m * codec.piece();
    thread_local Shadow::Queries coded;
    coded.resize(count_, codec.coder().padded_d());
    float* padded = thread_scratch<float, Session>(wide);
    for (std::size_t i = 0; i < count_; ++i) {
      codec.padded(own + i * codec.local_d(), padded);
      codec.coder().quantize(padded, 1, coded, i);
    }
    const bool ip = scan_.metric_ == Metric::inner_product;
    const View<Result> view{results, visit.segment};
    const ProductScorer scorer{{segment, admitted(visit)}, locals, codec.codebooks(book), values};
    if (sound(codec.largest_norm())) {
      DecodedFilter filter(codec, segment.product, book, coded, count_, ip ? values : nullptr);
      scan(filter, scorer, visit, count_, results);
    } else {
      NoFilter filter(count_);
      scan_range(filter, scorer, count_, range(visit, 1, true), view);
    }
    count(count_, visit, scorer);
  }

  template <class Result>
  void by_codes(const TableFilter& tables, const Visit& visit, const std::uint32_t* q,
                std::size_t count_, const float* values, Result* const* results) {
    const ProductCodec& codec = *scan_.product_;
    const Segment& segment = scan_.segments_[visit.segment];
    const View<Result> view{results, visit.segment};
    const Locals locals{codec, scan_.coarse_, query_.queries, q, 1, visit.cell};
    const ProductScorer scorer{
        {segment, admitted(visit)}, locals, codec.codebooks(codec.book_of(visit.cell)), values};
    if (sound(codec.largest_norm())) {
      TableFilter filter = tables;
      scan(filter, scorer, visit, count_, results);
    } else {
      NoFilter filter(1);
      scan_range(filter, scorer, count_, range(visit, 1, true), view);
    }
    count(1, visit, scorer);
  }

  // One query that has found nothing yet: the integer sums of all rows first, across lists, then
  // distances of what may be among the k best alone. False where that does not pay or rows may be
  // masked.
  template <class Result>
  bool by_all_sums(std::uint32_t q, const std::vector<Visit>& visits,
                   const ProductCodec::Tables& tables, Result& result) {
    const ProductCodec& codec = *scan_.product_;
    std::size_t total = 0, widest = 0;
    float largest = 0;
    for (const Visit& visit : visits) {
      if (scan_.segments_[visit.segment].alive) return false;
      total += visit.end - visit.begin;
      widest = std::max(widest, visit.end - visit.begin);
      if (!(std::abs(visit.value) <= largest)) largest = std::abs(visit.value);  // NaN stays
    }
    const std::size_t k = result.wanted();
    if (k == 0 || total < 2 * k || widest > 16384 || total > 1u << 18 || query_.admitted ||
        !sound(codec.largest_norm()) || result.bound() < infinity ||
        !(static_cast<double>(largest) <= 1e9 * tables.unit))
      return false;
    const KernelTable& table = kernels();
    const ProductParts& parts = codec.parts();
    struct Tag;
    auto* found = thread_scratch<std::uint16_t, Tag>(widest + 128);
    auto* sums = thread_scratch<std::int32_t, Tag>(total);
    std::size_t at = 0;
    for (std::size_t v = 0; v < visits.size(); ++v) {
      if (v + 1 < visits.size()) fetch(visits[v + 1]);
      if (v % 32 == 0) poll_interrupt();
      const Visit& visit = visits[v];
      const ProductRowsOf& rows = scan_.segments_[visit.segment].product;
      const std::size_t first = visit.begin / 64 * 64, n = visit.end - visit.begin;
      table.sums_product(rows.codes + first * rows.width, (visit.end - first + 63) / 64, rows.width,
                         codec.code_size(), parts.bits, tables.bytes.data(), tables.factor, found);
      // Larger is nearer.
      const auto shift =
          static_cast<std::int32_t>(std::floor(static_cast<double>(visit.value) / tables.unit));
      const std::uint16_t* own = found + (visit.begin - first);
      for (std::size_t i = 0; i < n; ++i) sums[at + i] = -shift - static_cast<std::int32_t>(own[i]);
      at += n;
    }
    // The centroids' values are part of the sums, rounded down by less than a unit.
    const TableFilter filter(codec, tables, scan_.segments_[visits[0].segment].product, 0);
    const float slack = largest * 0x1p-17f + static_cast<float>(1.01 * tables.unit);
    const float known = filter.most(0, kth_largest(table, sums, total, k)) + slack;
    TableFilter::Threshold threshold = 0;
    const float reach = known + slack;
    filter.thresholds(&reach, &threshold, false);
    auto* hits = thread_scratch<std::uint32_t, Tag>(total);
    const std::size_t survivors =
        table.at_least(sums, total, static_cast<std::int32_t>(-threshold), hits);
    std::size_t h = 0, start = 0, scored = 0;
    for (const Visit& visit : visits) {
      const std::size_t n = visit.end - visit.begin;
      if (h < survivors && hits[h] < start + n) {
        const Segment& segment = scan_.segments_[visit.segment];
        const Locals locals{codec, scan_.coarse_, query_.queries, &q, 1, visit.cell};
        const ProductScorer scorer{
            {segment, nullptr}, locals, codec.codebooks(codec.book_of(visit.cell)), &visit.value};
        for (; h < survivors && hits[h] < start + n; ++h) {
          const std::size_t row = visit.begin + hits[h] - start;
          const float value = scorer.value(0, row);
          if (value <= result.bound())
            result.take(Candidate{value, visit.segment, row, scorer.id(row)});
        }
        scored += scorer.scored;
      }
      start += n;
    }
    stats_.visited += visits.size();
    stats_.rows += total;
    stats_.scored += scored;
    return true;
  }

  // Lists of a few rows: float tables, row by row.
  template <class Result>
  void short_lists(std::uint32_t q, const std::vector<Visit>& visits,
                   const ProductCodec::Tables& tables, Result& result) {
    const ProductCodec& codec = *scan_.product_;
    const ProductParts& parts = codec.parts();
    const KernelTable& table = kernels();
    const float* pointers[256];
    for (std::size_t j = 0; j < parts.m; ++j) pointers[j] = tables.floats.data() + j * codec.k();
    constexpr std::size_t most = 256, ahead = 8;
    float sums[most];
    std::size_t met = 0, scored = 0;
    for (std::size_t v = 0; v < visits.size(); ++v) {
      const Visit& visit = visits[v];
      if (v % 64 == 0) poll_interrupt();
      if (v + ahead < visits.size()) {
        const Visit& next = visits[v + ahead];
        const std::uint8_t* at = scan_.segments_[next.segment].product.code(next.begin);
        __builtin_prefetch(at);
        __builtin_prefetch(at + 64);
      }
      const Segment& segment = scan_.segments_[visit.segment];
      const Locals locals{codec, scan_.coarse_, query_.queries, &q, 1, visit.cell};
      const ProductScorer scorer{{segment, admitted(visit)},
                                 locals,
                                 codec.codebooks(codec.book_of(visit.cell)),
                                 &visit.value};
      float limit = codec.limit(tables, result.bound(), visit.value);
      for (std::size_t at = visit.begin; at < visit.end; at += most) {
        const std::size_t n = std::min(most, visit.end - at);
        const std::uint8_t* codes = segment.product.code(at);
        const std::size_t width = segment.product.width;
        table.product_rows({codes, n, width, parts.m, parts.bits}, pointers, sums);
        if (codec.has_terms())
          for (std::size_t i = 0; i < n; ++i) sums[i] += codec.term(codes + i * width);
        for (std::size_t i = 0; i < n; ++i) {
          if (!(sums[i] <= limit)) continue;
          if (scorer.skips(at + i)) continue;
          const float value = scorer.value(0, at + i);
          if (value > result.bound()) continue;
          result.take(Candidate{value, visit.segment, at + i, scorer.id(at + i)});
          limit = codec.limit(tables, result.bound(), visit.value);
        }
      }
      met += visit.end - visit.begin;
      scored += scorer.scored;
    }
    stats_.visited += visits.size();
    stats_.rows += met;
    stats_.scored += scored;
  }

  // Multi-LOPQ: the query is rotated, and its tables are made, once for each half's cell that it
  // visits.
  template <class Result>
  void local_halves(std::uint32_t q, const std::vector<Visit>& visits, Result& result) {
    struct Half {
      Buffer<float> local, tables;
      double slack = 0;
      std::size_t book = 0;
    };
    thread_local std::vector<std::int32_t> place[2];
    thread_local std::vector<Half> made[2];
    const std::size_t k = scan_.coarse_.cells, half = scan_.coarse_.d / 2;
    std::size_t used[2] = {0, 0};
    for (auto& of : place) of.assign(k, -1);
    const auto prepared = [&](std::size_t side, std::size_t cell) -> const Half& {
      std::int32_t& at = place[side][cell];
      if (at < 0) {
        at = static_cast<std::int32_t>(used[side]++);
        if (made[side].size() < used[side]) made[side].resize(used[side]);
        Half& h = made[side][static_cast<std::size_t>(at)];
        const ProductCodec& codec = *scan_.halves_[side];
        const std::uint32_t first = 0;
        h.local.resize(codec.local_d());
        codec.locals(query_.queries + q * scan_.coarse_.d + side * half, &first, 1,
                     scan_.coarse_.centroids + (side * k + cell) * half, cell, h.local.data());
        h.book = codec.book_of(cell);
        codec.local_tables(h.local.data(), h.book, h.tables);
        h.slack = codec.local_slack(h.local.data());
      }
      return made[side][static_cast<std::size_t>(at)];
    };
    const KernelTable& table = kernels();
    const ProductParts* parts[2] = {&scan_.halves_[0]->parts(), &scan_.halves_[1]->parts()};
    const std::size_t m[2] = {parts[0]->m, parts[1]->m}, bits = parts[0]->bits;
    const std::size_t left_size = scan_.halves_[0]->code_size();
    const std::size_t entries = scan_.halves_[0]->k(),
                      wide = std::max(scan_.halves_[0]->local_d(), scan_.halves_[1]->local_d());
    float* scratch = thread_scratch<float, Half>(wide);
    const bool filtered =
        sound(scan_.halves_[0]->largest_norm()) && sound(scan_.halves_[1]->largest_norm());
    const double canonical = 1 + canonical_error(wide);
    constexpr std::size_t most = 256;
    const float* pointers[512];
    float sums[most];
    std::size_t met = 0, scored = 0;
    for (std::size_t v = 0; v < visits.size(); ++v) {
      const Visit& visit = visits[v];
      if (v % 64 == 0) poll_interrupt();
      const Segment& segment = scan_.segments_[visit.segment];
      const std::uint8_t* mask = admitted(visit);
      prepared(0, visit.cell / k);
      const Half& right = prepared(1, visit.cell % k);
      const Half& left = prepared(0, visit.cell / k);
      for (std::size_t j = 0; j < m[0]; ++j) pointers[j] = left.tables.data() + j * entries;
      for (std::size_t j = 0; j < m[1]; ++j) pointers[m[0] + j] = right.tables.data() + j * entries;
      const auto limit = [&] {
        const double bound = static_cast<double>(result.bound());
        return std::nextafter(
            static_cast<float>(bound * canonical + left.slack + right.slack + vanished(2 * wide)),
            infinity);
      };
      float least = limit();
      for (std::size_t at = visit.begin; at < visit.end; at += most) {
        const std::size_t n = std::min(most, visit.end - at);
        const std::uint8_t* codes = segment.product.code(at);
        const std::size_t width = segment.product.width;
        table.product_rows({codes, n, width, m[0] + m[1], bits}, pointers, sums);
        for (std::size_t i = 0; i < n; ++i) {
          const std::size_t row = at + i;
          if (filtered && !(sums[i] <= least)) continue;
          if ((segment.alive && !segment.alive[row]) || (mask && !mask[row])) continue;
          const std::uint8_t* code = codes + i * width;
          const float value =
              table.product_squared_l2(left.local.data(), scan_.halves_[0]->codebooks(left.book),
                                       code, 1, m[0], bits, parts[0]->s, scratch) +
              table.product_squared_l2(right.local.data(), scan_.halves_[1]->codebooks(right.book),
                                       code + left_size, 1, m[1], bits, parts[1]->s, scratch);
          ++scored;
          if (value > result.bound()) continue;
          result.take(Candidate{value, visit.segment, row, segment.ids + row});
          least = limit();
        }
      }
      met += visit.end - visit.begin;
    }
    stats_.visited += visits.size();
    stats_.rows += met;
    stats_.scored += scored;
  }

  const CellScan& scan_;
  const CellQuery& query_;
  CellStats& stats_;
  Shadow::Queries raw_;
};

}  // namespace kf::scan
