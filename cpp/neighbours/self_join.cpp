#include "neighbours/self_join.h"

#include "core/error.h"
#include "core/threads.h"
#include "neighbours/block_join.h"
#include "neighbours/pair_filter.h"

namespace kf::neighbours {

void self_join(const float* x, std::size_t n, std::size_t d, Metric metric, std::size_t k,
               Filter filter, std::size_t threads, float* distances, std::int32_t* ids) {
  if (n >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw InvalidArgument("x: expected fewer than 2**31 rows");
  if (n == 0) return;
  const Rows rows = rows_of(x, n, d, metric);
  BlockJoin join(rows, k, filter, threads);
  join.join_all();
  parallel_for(n, 1024, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::uint64_t* keys = join.lists().begin(p);
      for (std::size_t i = 0, at = join.order()[p] * k; i < k; ++i, ++at) {
        distances[at] = keys[i] == no_key ? infinity : distance_of(keys[i]);
        ids[at] = static_cast<std::int32_t>(keys[i]);  // no_key ends in -1
      }
    }
  });
}

void list_values(const float* x, std::size_t n, std::size_t d, Metric metric,
                 const std::int32_t* ids, std::size_t width, float* distances) {
  const PairScorer scorer({x, n, d, metric, 0, 0});
  parallel_for(n, 256, [&](std::size_t begin, std::size_t end) {
    constexpr std::size_t ahead = 6;
    for (std::size_t at = begin * width; at < end * width; ++at) {
      const std::int32_t id = ids[at];
      if (id < -1 || id >= static_cast<std::int64_t>(n))
        throw InvalidArgument("ids: expected rows of x, or -1");
      if (at + ahead < end * width && ids[at + ahead] >= 0 &&
          static_cast<std::size_t>(ids[at + ahead]) < n)
        scorer.prefetch(static_cast<std::size_t>(ids[at + ahead]));
      distances[at] = id < 0 ? infinity : scorer(at / width, static_cast<std::size_t>(id));
    }
  });
}

}  // namespace kf::neighbours
