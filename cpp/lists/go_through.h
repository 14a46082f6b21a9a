#pragma once
// One search: each query through its lists, or each list past its queries, whichever pays.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "core/threads.h"
#include "lists/collect.h"
#include "lists/lists.h"

namespace kf::lists {

// The cells that queries visit, and what their distances start from: (n, nprobe).
struct Probed {
  std::vector<std::int64_t> cells;
  std::vector<float> values;
};

// A query through its lists in turn.
template <class Way>
void by_query(Way& way, const Lists& lists, const ListQuery& query, const Probed& probed,
              Collectors& results, std::size_t threads) {
  parallel_for(
      query.n, query.n >= 64 * threads ? 8 : 1,
      [&](std::size_t begin, std::size_t end) {
        std::vector<Visit> path;
        for (std::size_t q = begin; q < end; ++q) {
          path.clear();
          lists.visits(query, q, probed.cells.data(), probed.values.data(), path);
          way.one(static_cast<std::uint32_t>(q), path, results[q]);
        }
      },
      threads);
}

// A few queries over long lists: the rows are split among the threads.
template <class Way>
void in_parts(Way& way, const Lists& lists, const ListQuery& query, const Probed& probed,
              Collectors& results, std::size_t parts, std::size_t threads) {
  for (Collector& result : results) result.share();
  parallel_for(
      query.n * parts, 1,
      [&](std::size_t task, std::size_t) {
        const std::size_t q = task / parts, part = task % parts;
        std::vector<Visit> path, own;
        lists.visits(query, q, probed.cells.data(), probed.values.data(), path);
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
        way.one(static_cast<std::uint32_t>(q), own, results[q]);
      },
      threads);
}

// Lists with the queries that visit them.
struct Gathered {
  std::vector<std::uint32_t> which;
  std::vector<float> values;
  struct Task {
    Visit visit;
    std::uint32_t first, count;  // of `which`
  };
  std::vector<Task> tasks;

  // Of each query the cells [from, to).
  Gathered(const Lists& lists, const ListQuery& query, const Probed& probed, std::size_t from,
           std::size_t to);
};

template <class Way>
void past_queries(Way& way, const Lists& lists, const ListQuery& query, const Probed& probed,
                  Collectors& results, std::size_t threads) {
  for (Collector& result : results) result.share();
  // The nearest cell of every query first: then bounds are known.
  const std::size_t rounds[] = {0, std::min<std::size_t>(1, query.nprobe), query.nprobe};
  for (std::size_t round = 0; round < 2; ++round) {
    const Gathered all(lists, query, probed, rounds[round], rounds[round + 1]);
    parallel_for(
        all.tasks.size(), 1,
        [&](std::size_t t, std::size_t) {
          const Gathered::Task& task = all.tasks[t];
          if (t + 1 < all.tasks.size()) way.fetch(all.tasks[t + 1].visit);
          if (t % 32 == 0) poll_interrupt();
          Collector* own[scan::most_group];
          for (std::uint32_t i = 0; i < task.count; ++i)
            own[i] = &results[all.which[task.first + i]];
          way.group(task.visit, all.which.data() + task.first, task.count,
                    all.values.data() + task.first, own);
        },
        threads);
  }
}

template <class Codec>
void go_through(const Codec& codec, const Lists& lists, const ListQuery& query, Collectors& results,
                ListStats& stats) {
  if (query.n == 0 || lists.rows() == 0) return;
  const std::size_t nprobe = query.nprobe, n_cells = lists.coarse().n_cells();
  const std::size_t threads = query.threads > 0 ? query.threads : kf::threads();
  Probed probed{std::vector<std::int64_t>(query.n * nprobe), std::vector<float>(query.n * nprobe)};
  lists.probe(query, probed.cells.data(), probed.values.data());
  if (!codec.knows_cells()) std::fill(probed.values.begin(), probed.values.end(), 0.0f);
  typename Codec::Way way(codec, lists, query, stats);

  const std::size_t met = query.n * std::min(nprobe, n_cells);
  const double shared = static_cast<double>(met) / static_cast<double>(std::min(met, n_cells));
  if (query.n > 1 && codec.by_list(shared))
    return past_queries(way, lists, query, probed, results, threads);
  const std::size_t parts = query.n < threads && lists.rows() / n_cells * nprobe >= 32768
                                ? (threads + query.n - 1) / query.n
                                : 1;
  if (parts == 1)
    by_query(way, lists, query, probed, results, threads);
  else
    in_parts(way, lists, query, probed, results, parts, threads);
}

}  // namespace kf::lists
