#include "scan/cells.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/threads.h"
#include "scan/cell_session.h"

namespace kf::scan {

const float* Coarse::centroid(std::size_t cell, float* scratch) const {
  if (!centroids) {
    std::fill(scratch, scratch + d, 0.0f);
    return scratch;
  }
  if (!multi) return centroids + cell * d;
  const std::size_t half = d / 2;
  std::memcpy(scratch, centroids + cell / cells * half, half * sizeof(float));
  std::memcpy(scratch + half, centroids + (cells + cell % cells) * half, half * sizeof(float));
  return scratch;
}

CellScan::CellScan(Metric metric, Coarse coarse, Codec codec, std::vector<Segment> segments)
    : metric_(metric),
      coarse_(coarse),
      product_(codec.product),
      raw_(codec.raw),
      halves_{codec.halves[0], codec.halves[1]},
      segments_(std::move(segments)) {
  for (const Segment& segment : segments_) rows_ += segment.n;
  if (!coarse_.multi) return;
  const std::size_t half = coarse_.d / 2, k = coarse_.cells;
  transposed_.resize(2 * half * k);
  norms_.resize(2 * k);
  for (std::size_t side = 0; side < 2; ++side)
    for (std::size_t c = 0; c < k; ++c) {
      const float* x = coarse_.centroids + (side * k + c) * half;
      float norm = 0;
      for (std::size_t j = 0; j < half; ++j) {
        transposed_[(side * half + j) * k + c] = x[j];
        norm += x[j] * x[j];
      }
      norms_[side * k + c] = norm;
    }
}

// Cells of the multi-index by ascending sum of the halves' distances, until enough cells or rows
// are met.
void CellScan::multi_cells(const float* query, std::size_t nprobe, std::size_t budget,
                           std::vector<std::uint32_t>& cells, std::vector<float>& values) const {
  struct Scratch {
    Ordered sides[2];
    MultiSequence sequence;
    std::vector<float> distances, scaled;
  };
  thread_local Scratch scratch;
  const std::size_t half = coarse_.d / 2, k = coarse_.cells;
  const bool l2 = metric_ == Metric::l2;
  scratch.distances.resize(k);
  scratch.scaled.resize(half);
  for (std::size_t side = 0; side < 2; ++side) {
    float norm = 0;
    for (std::size_t j = 0; j < half; ++j) {
      const float q = query[side * half + j];
      norm += q * q;
      scratch.scaled[j] = l2 ? -2 * q : -q;
    }
    for (std::size_t c = 0; c < k; ++c) scratch.distances[c] = l2 ? norms_[side * k + c] + norm : 0;
    kernels().multiply(scratch.scaled.data(), 1, half, transposed_.data() + side * half * k, k,
                       scratch.distances.data());
    scratch.sides[side].start(scratch.distances.data(), k);
  }
  cells.clear();
  values.clear();
  scratch.sequence.start(scratch.sides[0], scratch.sides[1]);
  std::size_t met = 0;
  for (MultiSequence::Pair pair; cells.size() < nprobe && scratch.sequence.next(pair);) {
    const auto cell =
        static_cast<std::uint32_t>(scratch.sides[0].at(pair.i) * k + scratch.sides[1].at(pair.j));
    cells.push_back(cell);
    values.push_back(pair.sum);
    if (budget == 0) continue;
    for (const Segment& segment : segments_) {
      const auto rows = segment.directory->rows(cell);
      met += rows.end - rows.begin;
    }
    if (met >= budget) break;
  }
}

void CellScan::probe(const CellQuery& query, std::int64_t* cells, float* values) const {
  const std::size_t nprobe = query.nprobe;
  if (coarse_.multi) {
    parallel_for(
        query.n, 8,
        [&](std::size_t begin, std::size_t end) {
          std::vector<std::uint32_t> found;
          std::vector<float> distances;
          for (std::size_t q = begin; q < end; ++q) {
            poll_interrupt();
            multi_cells(query.queries + q * coarse_.d, nprobe, query.budget, found, distances);
            for (std::size_t i = 0; i < nprobe; ++i) {
              const bool there = i < found.size();
              cells[q * nprobe + i] = there ? static_cast<std::int64_t>(found[i]) : -1;
              values[q * nprobe + i] = there ? distances[i] : infinity;
            }
          }
        },
        query.threads);
  } else if (coarse_.scan) {
    const Base base{coarse_.centroids, nullptr, nullptr, coarse_.cells};
    coarse_.scan->search(base, query.queries, query.n, nprobe, Filter::automatic, query.threads,
                         values, cells);
  } else {
    for (std::size_t i = 0; i < query.n * nprobe; ++i) {
      cells[i] = i % nprobe == 0 ? 0 : -1;
      values[i] = i % nprobe == 0 ? 0 : infinity;
    }
  }
}

void CellScan::visits(const CellQuery& query, std::size_t q, const std::int64_t* cells,
                      const float* values, std::vector<Visit>& out) const {
  const std::int64_t* own = cells + q * query.nprobe;
  std::size_t count = 0;
  while (count < query.nprobe && own[count] >= 0) ++count;
  // Cells first, their rows a little later: the look-ups overlap.
  constexpr std::size_t ahead = 16;
  for (std::size_t i = 0; i < count + ahead; ++i) {
    if (i < count)
      for (const Segment& segment : segments_)
        segment.directory->prefetch(static_cast<std::size_t>(own[i]));
    if (i < ahead) continue;
    const auto cell = static_cast<std::uint32_t>(own[i - ahead]);
    for (std::uint32_t s = 0; s < segments_.size(); ++s) {
      const auto rows = segments_[s].directory->rows(cell);
      if (rows.begin < rows.end)
        out.push_back({s, cell, values[q * query.nprobe + i - ahead], rows.begin, rows.end});
    }
  }
}

template <class Collector>
void CellScan::run(const CellQuery& query, std::vector<Collector>& results,
                   CellStats& stats) const {
  if (query.n == 0 || rows_ == 0) return;
  const std::size_t nprobe = query.nprobe, use = query.threads > 0 ? query.threads : kf::threads();
  std::vector<std::int64_t> cells(query.n * nprobe);
  std::vector<float> values(query.n * nprobe);
  probe(query, cells.data(), values.data());
  // Codes of the vectors themselves: their distances do not start from the centroid's.
  if (product_ && !product_->parts().residual) std::fill(values.begin(), values.end(), 0.0f);
  Session<Collector> session(*this, query, stats);

  // Which pays: each query through its lists, or each list past its queries? Local codes rotate
  // queries by a matrix a list; decoding a list costs as much as five queries' look-ups.
  const std::size_t met = query.n * std::min(nprobe, coarse_.n_cells());
  const double shared =
      static_cast<double>(met) / static_cast<double>(std::min(met, coarse_.n_cells()));
  const bool blocked = segments_[0].product.blocked;
  const bool by_list =
      query.n > 1 && blocked && !halves_[0] &&
      (raw_ || product_->local() ? shared >= 1.5
                                 : shared >= 6 && kernels().products_of_bytes() != 0);
  if (!by_list) {
    // A few queries over long lists: the rows are split among the threads.
    const std::size_t parts = query.n < use && rows_ / coarse_.n_cells() * nprobe >= 32768
                                  ? (use + query.n - 1) / query.n
                                  : 1;
    if (parts == 1) {
      parallel_for(
          query.n, query.n >= 64 * use ? 8 : 1,
          [&](std::size_t begin, std::size_t end) {
            std::vector<Visit> path;
            for (std::size_t q = begin; q < end; ++q) {
              path.clear();
              visits(query, q, cells.data(), values.data(), path);
              session.one(static_cast<std::uint32_t>(q), path, results[q]);
            }
          },
          use);
      return;
    }
    std::vector<std::unique_ptr<Slot<Collector>>> slots;
    for (Collector& result : results)
      slots.push_back(std::make_unique<Slot<Collector>>(std::move(result)));
    parallel_for(
        query.n * parts, 1,
        [&](std::size_t task, std::size_t) {
          const std::size_t q = task / parts, part = task % parts;
          std::vector<Visit> path, own;
          visits(query, q, cells.data(), values.data(), path);
          for (std::size_t v = 0; v < path.size(); ++v) {
            Visit visit = path[v];
            if (visit.end - visit.begin < 32768) {
              if (v % parts == part) own.push_back(visit);
              continue;
            }
            const std::size_t span = ((visit.end - visit.begin) / parts + 64) / 64 * 64;
            const std::size_t from = visit.begin + part * span;
            visit.end = std::min(visit.end, part + 1 == parts ? visit.end : from + span);
            visit.begin = std::min(from, visit.end);
            if (visit.begin < visit.end) own.push_back(visit);
          }
          session.one(static_cast<std::uint32_t>(q), own, *slots[q]);
        },
        use);
    for (std::size_t q = 0; q < query.n; ++q) results[q] = std::move(slots[q]->own);
    return;
  }

  std::vector<std::unique_ptr<Slot<Collector>>> slots;
  for (Collector& result : results)
    slots.push_back(std::make_unique<Slot<Collector>>(std::move(result)));
  // The nearest cell of every query first: then bounds are known.
  struct Entry {
    std::uint32_t cell, query;
    float value;
  };
  const std::size_t rounds[] = {0, std::min<std::size_t>(1, nprobe), nprobe};
  for (std::size_t round = 0; round < 2; ++round) {
    std::vector<Entry> entries;
    entries.reserve(query.n * (rounds[round + 1] - rounds[round]));
    for (std::uint32_t q = 0; q < query.n; ++q)
      for (std::size_t i = rounds[round]; i < rounds[round + 1]; ++i)
        if (const std::int64_t cell = cells[q * nprobe + i]; cell >= 0)
          entries.push_back({static_cast<std::uint32_t>(cell), q, values[q * nprobe + i]});
    // A stable counting sort by cell.
    std::vector<std::uint32_t> starts(coarse_.n_cells() + 1);
    for (const Entry& entry : entries) ++starts[entry.cell + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    std::vector<std::uint32_t> next(starts.begin(), starts.end() - 1), which(entries.size());
    std::vector<float> distances(entries.size());
    for (const Entry& entry : entries) {
      const std::uint32_t at = next[entry.cell]++;
      which[at] = entry.query;
      distances[at] = entry.value;
    }
    struct Task {
      Visit visit;
      std::uint32_t first, count;
    };
    std::vector<Task> tasks;
    constexpr std::uint32_t most = most_group;
    constexpr std::size_t span = 65536;
    for (std::uint32_t cell = 0; cell + 1 < starts.size(); ++cell) {
      if (starts[cell] == starts[cell + 1]) continue;
      for (std::uint32_t s = 0; s < segments_.size(); ++s) {
        const auto rows = segments_[s].directory->rows(cell);
        for (std::uint32_t first = starts[cell]; first < starts[cell + 1]; first += most)
          for (std::size_t at = rows.begin; at < rows.end; at += span)
            tasks.push_back({{s, cell, 0, at, std::min(rows.end, at + span)},
                             first,
                             std::min(most, starts[cell + 1] - first)});
      }
    }
    parallel_for(
        tasks.size(), 1,
        [&](std::size_t t, std::size_t) {
          const Task& task = tasks[t];
          if (t + 1 < tasks.size()) session.fetch(tasks[t + 1].visit);
          if (t % 32 == 0) poll_interrupt();
          Slot<Collector>* own[most_group];
          for (std::uint32_t i = 0; i < task.count; ++i)
            own[i] = slots[which[task.first + i]].get();
          session.group(task.visit, which.data() + task.first, task.count,
                        distances.data() + task.first, own);
        },
        use);
  }
  for (std::size_t q = 0; q < query.n; ++q) results[q] = std::move(slots[q]->own);
}

namespace {

// Rows of equal codes lie at one distance and leave no room in a shortlist for those behind them,
// which the second look might bring forward (thousands of photos without features, say). Where they
// are more than the distances, a query asks again for four times as much, up to this many rows.
constexpr std::size_t widest_shortlist = 65536;

bool crowded(const std::vector<Candidate>& shortlist) {
  std::vector<float> distances;
  distances.reserve(shortlist.size());
  for (const Candidate& item : shortlist) distances.push_back(item.distance);
  std::sort(distances.begin(), distances.end());
  const auto end = std::unique(distances.begin(), distances.end());
  return 2 * static_cast<std::size_t>(end - distances.begin()) < shortlist.size();
}

}  // namespace

void CellScan::search(const CellQuery& query, std::size_t k, std::size_t shortlist,
                      float* distances, std::int64_t* ids, CellStats& stats) const {
  const std::size_t wanted = fine() ? std::max(k, shortlist) : k;
  std::vector<NearestOf> results(query.n, NearestOf{Best<Candidate>(wanted)});
  run(query, results, stats);
  if (!fine()) {
    for (std::size_t q = 0; q < query.n; ++q) results[q].heap.write(distances + q * k, ids + q * k);
    return;
  }
  const bool widest = wanted >= std::min(widest_shortlist, rows_);
  std::vector<std::uint8_t> again(query.n);
  parallel_for(
      query.n, 4,
      [&](std::size_t begin, std::size_t end) {
        for (std::size_t q = begin; q < end; ++q) {
          const auto& items = results[q].heap.items();
          again[q] = !widest && results[q].heap.full() && crowded(items);
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
void CellScan::search_some(const CellQuery& query, std::span<const std::size_t> which,
                           std::size_t k, std::size_t shortlist, float* distances,
                           std::int64_t* ids, CellStats& stats) const {
  const std::size_t n = which.size(), d = coarse_.d, fine_d = segments_[0].fine.d;
  std::vector<float> queries(n * d), original(n * fine_d), values(n * k);
  std::vector<std::int64_t> found(n * k);
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(query.queries + which[i] * d, d, queries.data() + i * d);
    std::copy_n(query.original + which[i] * fine_d, fine_d, original.data() + i * fine_d);
  }
  CellQuery some = query;
  some.queries = queries.data(), some.original = original.data(), some.n = n;
  search(some, k, std::min({shortlist, widest_shortlist, rows_}), values.data(), found.data(),
         stats);
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(values.data() + i * k, k, distances + which[i] * k);
    std::copy_n(found.data() + i * k, k, ids + which[i] * k);
  }
}

// The k best of a shortlist by the second look.
void CellScan::rescore(const CellQuery& query, std::size_t q, const std::vector<Candidate>& items,
                       std::size_t k, float* distances, std::int64_t* ids) const {
  const KernelTable& table = kernels();
  TopK best(k);
  constexpr std::size_t ahead = 6;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i + ahead < items.size()) {
      __builtin_prefetch(items[i + ahead].id);
      segments_[items[i + ahead].segment].fine.prefetch(items[i + ahead].row);
    }
    const Stored& fine_rows = segments_[items[i].segment].fine;
    float* scratch = thread_scratch<float, CellScan*>(fine_rows.scratch());
    const float* x = fine_rows.row(table, items[i].row, scratch);
    const float* y = query.original + q * fine_rows.d;
    best.push({metric_ == Metric::l2 ? table.squared_l2(y, x, fine_rows.d)
                                     : -table.inner_product(y, x, fine_rows.d),
               *items[i].id});
  }
  best.write(distances, ids);
}

std::vector<std::vector<Neighbour>> CellScan::range(const CellQuery& query, float radius,
                                                    CellStats& stats) const {
  std::vector<AllWithin> results(query.n, AllWithin{radius, {}});
  run(query, results, stats);
  std::vector<std::vector<Neighbour>> out(query.n);
  for (std::size_t q = 0; q < query.n; ++q) {
    for (const Candidate& item : results[q].found) out[q].push_back(item.neighbour());
    std::sort(out[q].begin(), out[q].end());
  }
  return out;
}

}  // namespace kf::scan
