#include "scan/regions.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/threads.h"
#include "core/topk.h"
#include "kernels/vectors.h"
#include "scan/byte_filter.h"

namespace kf::scan {
namespace {

// Regions of the query that are scanned together, a multiple of 16; vectors that items share a scan
// of, 128 KiB of sums for both.
constexpr std::size_t most_queries = 32, most_vectors = 1024;

// Successive items, given by their places in a list.
struct Run {
  std::size_t first, last;
};

// The list in runs of items that lie side by side.
std::vector<Run> runs_of(const Items& items, const std::int64_t* chosen, std::size_t count) {
  std::vector<Run> runs;
  const auto item = [&](std::size_t place) {
    return chosen ? static_cast<std::size_t>(chosen[place]) : place;
  };
  for (std::size_t first = 0, last; first < count; first = last) {
    const std::int64_t begin = items.starts[item(first)];
    for (last = first + 1; last < count && item(last) == item(last - 1) + 1; ++last)
      if (items.starts[item(last) + 1] - begin > static_cast<std::int64_t>(most_vectors)) break;
    runs.push_back({first, last});
  }
  return runs;
}

}  // namespace

// A similarity put together from those of the query's regions, in their order.
class RegionScan::Total {
 public:
  explicit Total(Match match) : match_(match) {}
  void add(double value) {
    if (match_ == Match::mean)
      sum_ += value;
    else
      sum_ = first_ ? value : std::max(sum_, value);
    first_ = false;
  }
  float of(std::size_t nq) const {
    const double value = match_ == Match::mean ? sum_ / static_cast<double>(nq) : sum_;
    // Overflown products of both signs have no sum.
    return std::isnan(value) ? -infinity : static_cast<float>(value);
  }

 private:
  Match match_;
  bool first_ = true;
  double sum_ = 0;
};

// One query on its way.
struct RegionScan::Task {
  std::shared_ptr<const State> state;
  const Items& items;
  const float* query;
  std::size_t nq;
  Match match;
  bool filtered;
  Shadow::Queries codes;

  ByteFilter filter(std::size_t first, std::size_t count, std::size_t d) const {
    return {state->shadow->view(), Metric::inner_product, codes, first, count, d,
            state->largest_norm};
  }
};

// Products of huge numbers overflow float32, those of tiny ones vanish in it, and with them every
// bound: there is no filter then.
RegionScan::Task RegionScan::task_of(const Items& items, const float* query, std::size_t nq,
                                     Match match) const {
  Task task{now(), items, query, nq, match, false, {}};
  const State& state = *task.state;
  if (static_cast<std::size_t>(items.starts[items.n]) > state.n)
    throw InvalidArgument("vectors: more than were appended");
  task.filtered = state.shadow && nq > 0 && sound(state.largest_norm, most_summed) &&
                  all_sound(query, nq * d_, most_summed);
  if (task.filtered) task.codes = state.shadow->quantize(query, nq);
  return task;
}

// A run's vectors, from a whole group of the filter's on, and where its items lie among them.
struct RegionScan::Frame {
  const std::int64_t* starts;
  std::size_t n, begin, width, stride;

  Frame(const Items& items, std::size_t first, std::size_t count)
      : starts(items.starts + first),
        n(count),
        begin(static_cast<std::size_t>(starts[0]) / 32 * 32),
        width(static_cast<std::size_t>(starts[n]) - begin),
        stride((width + 31) / 32 * 32) {}
  std::size_t at(std::size_t item) const { return static_cast<std::size_t>(starts[item]) - begin; }

  // Calls each(filter, first, nq, sums) for the query's regions, some at a time; sums (nq, stride).
  template <class Each>
  void with_sums(const Task& task, std::size_t d, Each each) const {
    auto* sums = thread_scratch<std::int32_t, RegionScan>(most_queries * stride);
    for (std::size_t first = 0; first < task.nq; first += most_queries) {
      const std::size_t nq = std::min(most_queries, task.nq - first);
      ByteFilter filter = task.filter(first, nq, d);
      filter.begin_chunk(begin, begin + width);
      filter.sums(begin, width, sums, stride);
      each(filter, first, nq, sums);
    }
  }
};

void RegionScan::add_all(const Task& task, const Frame& frame, std::vector<Total>& totals) const {
  const auto inner_product = kernels<VectorKernels>().inner_product;
  for (std::size_t i = 0; i < frame.n; ++i)
    for (std::size_t q = 0; q < task.nq; ++q) {
      float best = -infinity;
      for (std::size_t j = frame.at(i); j < frame.at(i + 1); ++j)
        best = std::max(best, inner_product(task.query + q * d_,
                                            task.items.vectors + (frame.begin + j) * d_, d_));
      totals[i].add(static_cast<double>(best));
    }
}

// The region with the largest sum, and whatever could still be nearer.
void RegionScan::add_filtered(const Task& task, const Frame& frame,
                              std::vector<Total>& totals) const {
  const auto inner_product = kernels<VectorKernels>().inner_product;
  const float* vectors = task.items.vectors + frame.begin * d_;
  float best[most_queries], bounds[most_queries];
  std::size_t where[most_queries];
  ByteFilter::Threshold least[most_queries];
  frame.with_sums(
      task, d_,
      [&](ByteFilter& filter, std::size_t first, std::size_t nq, const std::int32_t* sums) {
        for (std::size_t i = 0; i < frame.n; ++i) {
          const std::size_t from = frame.at(i), to = frame.at(i + 1);
          for (std::size_t q = 0; q < nq; ++q) {
            const std::int32_t* row = sums + q * frame.stride;
            where[q] = static_cast<std::size_t>(std::max_element(row + from, row + to) - row);
            best[q] = inner_product(task.query + (first + q) * d_, vectors + where[q] * d_, d_);
            bounds[q] = -best[q];
          }
          filter.thresholds(bounds, least);
          for (std::size_t q = 0; q < nq; ++q) {
            const std::int32_t* row = sums + q * frame.stride;
            for (std::size_t j = from; j < to; ++j)
              if (row[j] >= least[q] && j != where[q])
                best[q] = std::max(
                    best[q], inner_product(task.query + (first + q) * d_, vectors + j * d_, d_));
            totals[i].add(static_cast<double>(best[q]));
          }
        }
      });
}

void RegionScan::score(const Task& task, const std::int64_t* chosen, std::size_t count,
                       std::size_t threads, float* out) const {
  const std::vector<Run> runs = runs_of(task.items, chosen, count);
  const auto score_run = [&](const Run& run) {
    const std::size_t item = chosen ? static_cast<std::size_t>(chosen[run.first]) : run.first;
    const Frame frame(task.items, item, run.last - run.first);
    std::vector<Total> totals(frame.n, Total(task.match));
    if (task.filtered)
      add_filtered(task, frame, totals);
    else
      add_all(task, frame, totals);
    for (std::size_t i = 0; i < frame.n; ++i) out[run.first + i] = totals[i].of(task.nq);
  };
  parallel_for(
      runs.size(), 1, [&](std::size_t run, std::size_t) { score_run(runs[run]); }, threads);
}

void RegionScan::bounds(const Task& task, std::size_t threads, float* low, float* high) const {
  const std::vector<Run> runs = runs_of(task.items, nullptr, task.items.n);
  const auto bound_run = [&](const Run& run) {
    const Frame frame(task.items, run.first, run.last - run.first);
    std::vector<Total> least(frame.n, Total(task.match)), most(frame.n, Total(task.match));
    frame.with_sums(
        task, d_,
        [&](const ByteFilter& filter, std::size_t, std::size_t nq, const std::int32_t* sums) {
          for (std::size_t q = 0; q < nq; ++q) {
            const ByteFilter::Reading reading = filter.reading(q);
            const std::int32_t* row = sums + q * frame.stride;
            for (std::size_t i = 0; i < frame.n; ++i) {
              std::int32_t largest = row[frame.at(i)];
              for (std::size_t j = frame.at(i) + 1; j < frame.at(i + 1); ++j)
                largest = row[j] > largest ? row[j] : largest;
              const double product =
                  (static_cast<double>(largest) - reading.constant) * reading.unit;
              least[i].add(product - reading.margin);
              most[i].add(product + reading.margin);
            }
          }
        });
    for (std::size_t i = 0; i < frame.n; ++i) {
      low[run.first + i] = std::nextafter(least[i].of(task.nq), -infinity);
      high[run.first + i] = std::nextafter(most[i].of(task.nq), infinity);
    }
  };
  parallel_for(
      runs.size(), 1, [&](std::size_t run, std::size_t) { bound_run(runs[run]); }, threads);
}

void RegionScan::scores(const Items& items, const float* query, std::size_t nq, Match match,
                        const std::int64_t* chosen, std::size_t count, std::size_t threads,
                        float* out) const {
  const Task task = task_of(items, query, nq, match);
  score(task, chosen, count, threads, out);
}

void RegionScan::search(const Items& items, const float* query, std::size_t nq, Match match,
                        std::size_t k, std::size_t threads, float* similarities,
                        std::int64_t* found) const {
  const Task task = task_of(items, query, nq, match);
  TopK best(k);
  std::vector<float> values(items.n);
  if (!task.filtered || 4 * k > items.n) {
    score(task, nullptr, items.n, threads, values.data());
    for (std::size_t i = 0; i < items.n; ++i) best.push({-values[i], static_cast<std::int64_t>(i)});
  } else {
    std::vector<float> low(items.n), high(items.n);
    bounds(task, threads, low.data(), high.data());
    // The most promising are scored first; their least similarity then dismisses most others.
    std::vector<std::int64_t> order(items.n), chosen;
    for (std::size_t i = 0; i < items.n; ++i) order[i] = static_cast<std::int64_t>(i);
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(k);
    std::nth_element(order.begin(), end - 1, order.end(), [&](std::int64_t a, std::int64_t b) {
      return low[static_cast<std::size_t>(a)] > low[static_cast<std::size_t>(b)];
    });
    std::sort(order.begin(), end);
    chosen.assign(order.begin(), end);
    const auto take = [&] {
      score(task, chosen.data(), chosen.size(), threads, values.data());
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        best.push({-values[i], chosen[i]});
        high[static_cast<std::size_t>(chosen[i])] = -infinity;  // seen
      }
    };
    take();
    const float bound = -best.worst();
    chosen.clear();
    for (std::size_t i = 0; i < items.n; ++i)
      if (high[i] >= bound) chosen.push_back(static_cast<std::int64_t>(i));
    take();
  }
  best.write(similarities, found);
  for (std::size_t i = 0; i < k; ++i) similarities[i] = -similarities[i];
}

}  // namespace kf::scan
