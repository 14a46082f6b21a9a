// The first lists come from the blocks of near rows that each row asks for, in large tiles. What
// they lack is found among neighbours of neighbours: small all-pairs joins in 8-bit products of the
// sampled neighbours of each row. What passes both sides' bounds is scored canonically. A join of s
// rows gathers s d bytes for s^2 / 2 products of d.

#include "neighbours/nn_descent.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <vector>

#include "core/checked.h"
#include "core/error.h"
#include "core/random.h"
#include "core/spin_lock.h"
#include "core/threads.h"
#include "neighbours/block_join.h"
#include "neighbours/byte_tile.h"
#include "neighbours/pair_filter.h"

namespace kf::neighbours {
namespace {

using Place = std::uint32_t;

constexpr std::size_t most = 256;  // rows of one join
// So few rows are joined exactly in less time: measured with 64 and 128 dimensions.
constexpr std::size_t joined_exactly = 1 << 15;

// Low bits of a key: the place, and whether it has not been joined yet.
std::uint32_t fresh(Place place) { return place << 1 | 1; }
Place place_of(std::uint64_t key) { return static_cast<Place>(key) >> 1; }

// Lists that several threads insert into.
class Lists {
 public:
  Lists(NeighbourLists lists, std::size_t n)
      : lists_(std::move(lists)), bounds_(n), locks_(lock_count) {
    for (std::size_t row = 0; row < n; ++row)
      bounds_[row].store(lists_.bound(row), std::memory_order_relaxed);
  }

  std::size_t k() const { return lists_.k(); }
  float bound(Place row) const { return bounds_[row].load(std::memory_order_relaxed); }
  std::uint64_t* begin(Place row) { return lists_.begin(row); }
  std::uint64_t* end(Place row) { return begin(row) + lists_.count(row); }

  void insert(Place row, float distance, Place other) {
    if (!(distance <= bound(row))) return;
    const std::lock_guard guard(locks_[row % lock_count]);
    if (lists_.push(row, distance, fresh(other)))
      bounds_[row].store(lists_.bound(row), std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t lock_count = 1 << 14;

  NeighbourLists lists_;
  std::vector<std::atomic<float>> bounds_;
  std::vector<SpinLock> locks_;
};

// Lists of up to `width` places a row.
struct Sample {
  std::size_t width;
  std::vector<Place> places;
  std::vector<std::uint32_t> counts;

  Sample(std::size_t n, std::size_t w) : width(w), places(checked_mul(n, w)), counts(n, 0) {}
  const Place* begin(Place row) const { return places.data() + row * width; }
  const Place* end(Place row) const { return begin(row) + counts[row]; }
};

// Who names each row: at most `width`, chosen by a hash.
Sample reverse(const Sample& forward, std::uint64_t salt) {
  const std::size_t n = forward.counts.size();
  std::vector<std::atomic<std::uint32_t>> counts(n);
  for (auto& count : counts) count.store(0, std::memory_order_relaxed);
  parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
    for (std::size_t v = begin; v < end; ++v)
      for (const Place* u = forward.begin(static_cast<Place>(v));
           u != forward.end(static_cast<Place>(v)); ++u)
        counts[*u].fetch_add(1, std::memory_order_relaxed);
  });
  std::vector<std::size_t> starts(n + 1, 0);
  for (std::size_t u = 0; u < n; ++u) {
    starts[u + 1] = starts[u] + counts[u].load(std::memory_order_relaxed);
    counts[u].store(0, std::memory_order_relaxed);
  }
  std::vector<Place> all(starts[n]);
  parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
    for (std::size_t v = begin; v < end; ++v)
      for (const Place* u = forward.begin(static_cast<Place>(v));
           u != forward.end(static_cast<Place>(v)); ++u)
        all[starts[*u] + counts[*u].fetch_add(1, std::memory_order_relaxed)] =
            static_cast<Place>(v);
  });
  Sample out(n, forward.width);
  parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
    std::vector<std::pair<std::uint64_t, Place>> keys;
    for (std::size_t u = begin; u < end; ++u) {
      keys.clear();
      for (std::size_t at = starts[u]; at < starts[u + 1]; ++at)
        keys.emplace_back(mixed(salt + all[at]), all[at]);
      const std::size_t kept = std::min(keys.size(), out.width);
      // Threads filled the lists in any order.
      std::partial_sort(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(kept), keys.end());
      out.counts[u] = static_cast<std::uint32_t>(kept);
      for (std::size_t i = 0; i < kept; ++i) out.places[u * out.width + i] = keys[i].second;
    }
  });
  return out;
}

// What a thread needs for one join.
struct Room {
  std::vector<Place> rows;
  float bounds[most];
  std::uint32_t hits[most * most];
  ByteTile tile{most};
  Buffer<std::uint8_t> codes;
};

class Descent {
 public:
  Descent(const Rows& rows, const DescentOptions& options, BlockJoin&& start)
      : rows_(rows),
        options_(options),
        scorer_(rows),
        reach_(rows),
        order_(start.order()),
        lists_(in_places(start), rows.n) {
    if (rows.d <= 32768 && sound(rows.largest_norm)) bytes_.emplace(rows, order_.data());
  }

  std::size_t run() {
    std::size_t round = 0;
    const double least = options_.least_change * static_cast<double>(rows_.n * k());
    while (round < options_.rounds && recall_of_sample() < options_.recall) {
      ++round;
      if (static_cast<double>(join_neighbours(round)) <= least) break;
    }
    return round;
  }

  void write(float* distances, std::int32_t* ids) {
    parallel_for(rows_.n, 1024, [&](std::size_t begin, std::size_t end) {
      std::vector<std::pair<float, std::int32_t>> found;
      for (std::size_t p = begin; p < end; ++p) {
        const auto row = static_cast<Place>(p);
        found.clear();
        for (const std::uint64_t* e = lists_.begin(row); e != lists_.end(row); ++e)
          found.emplace_back(distance_of(*e), static_cast<std::int32_t>(order_[place_of(*e)]));
        std::sort(found.begin(), found.end());
        found.resize(k(), {infinity, -1});
        for (std::size_t i = 0; i < k(); ++i) {
          distances[order_[p] * k() + i] = found[i].first;
          ids[order_[p] * k() + i] = found[i].second;
        }
      }
    });
  }

 private:
  std::size_t k() const { return lists_.k(); }

  static NeighbourLists in_places(BlockJoin& join) {
    std::vector<Place> places(join.order().size());
    for (std::size_t p = 0; p < places.size(); ++p) places[join.order()[p]] = static_cast<Place>(p);
    join.lists().relabel([&](std::uint32_t row) { return fresh(places[row]); }, 1);
    return std::move(join.lists());
  }

  static Room& room() {
    thread_local std::unique_ptr<Room> room;
    if (!room) room = std::make_unique<Room>();
    return *room;
  }

  // By comparing some rows with all.
  double recall_of_sample() {
    constexpr std::size_t sample = 128;
    const std::size_t n = rows_.n;
    if (n <= k()) return 1;
    std::vector<std::size_t> hits(sample);
    parallel_for(sample, 1, [&](std::size_t at, std::size_t) {
      poll_interrupt();
      Random random(options_.seed + at);
      const auto row = static_cast<Place>(random.below(n));
      const float bound = lists_.bound(row);
      std::vector<float> values;
      for (std::size_t other = 0; other < n; ++other) {
        const float value = scorer_(order_[row], other);
        if (value <= bound && other != order_[row]) values.push_back(value);
      }
      // All that were found are among them.
      const auto last = values.begin() + static_cast<std::ptrdiff_t>(k() - 1);
      std::nth_element(values.begin(), last, values.end());
      for (const std::uint64_t* e = lists_.begin(row); e != lists_.end(row); ++e)
        hits[at] += distance_of(*e) <= *last;
    });
    const auto found = std::accumulate(hits.begin(), hits.end(), std::size_t{0});
    return static_cast<double>(found) / static_cast<double>(sample * k());
  }

  // One round. Returns how many entries are new, as far as they stay.
  std::size_t join_neighbours(std::size_t round) {
    const std::size_t n = rows_.n, width = options_.sample;
    Sample young(n, width), old(n, width);
    parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
      for (std::size_t p = begin; p < end; ++p) {
        const auto row = static_cast<Place>(p);
        for (std::uint64_t* e = lists_.begin(row); e != lists_.end(row); ++e) {
          Sample& sample = *e & 1 ? young : old;
          if (sample.counts[p] == width) continue;
          sample.places[p * width + sample.counts[p]++] = place_of(*e);
          *e &= ~std::uint64_t{1};
        }
      }
    });
    const std::size_t left = waiting();
    const Sample young_back = reverse(young, mixed(options_.seed + round)),
                 old_back = reverse(old, mixed(options_.seed - round));
    parallel_for(n, 256, [&](std::size_t begin, std::size_t end) {
      Room& r = room();
      for (std::size_t p = begin; p < end; ++p) {
        const auto row = static_cast<Place>(p);
        r.rows.assign(young.begin(row), young.end(row));
        r.rows.insert(r.rows.end(), young_back.begin(row), young_back.end(row));
        unique(r.rows, 0);
        const std::size_t count = r.rows.size();
        if (count == 0) continue;
        r.rows.insert(r.rows.end(), old.begin(row), old.end(row));
        r.rows.insert(r.rows.end(), old_back.begin(row), old_back.end(row));
        unique(r.rows, count);
        join(r, count);
      }
    });
    // Not how often something was inserted, which depends on the order of the joins.
    return std::max(waiting(), left) - left;
  }

  // Entries that have not been joined.
  std::size_t waiting() {
    std::size_t count = 0;
    for (std::size_t p = 0; p < rows_.n; ++p) {
      const auto row = static_cast<Place>(p);
      for (const std::uint64_t* e = lists_.begin(row); e != lists_.end(row); ++e) count += *e & 1;
    }
    return count;
  }

  static void unique(std::vector<Place>& rows, std::size_t from) {
    const auto first = rows.begin() + static_cast<std::ptrdiff_t>(from);
    std::sort(first, rows.end());
    rows.erase(std::unique(first, rows.end()), rows.end());
  }

  // Joins the first rows with all of them; pairs count once.
  void join(Room& r, std::size_t first) {
    const std::vector<Place>& rows = r.rows;
    const std::size_t found = filter(r, first);
    constexpr std::size_t ahead = 4;
    for (std::size_t h = 0; h < found; ++h) {
      if (h + ahead < found) {
        scorer_.prefetch(order_[rows[std::min<std::size_t>(r.hits[h + ahead] >> 16, first - 1)]]);
        scorer_.prefetch(
            order_[rows[std::min<std::size_t>(r.hits[h + ahead] & 0xffff, rows.size() - 1)]]);
      }
      const std::size_t i = r.hits[h] >> 16, j = r.hits[h] & 0xffff;
      if (i >= first || j >= rows.size() || j <= i || rows[i] == rows[j]) continue;
      const float value = scorer_(order_[rows[i]], order_[rows[j]]);
      lists_.insert(rows[i], value, rows[j]);
      lists_.insert(rows[j], value, rows[i]);
    }
  }

  std::size_t filter(Room& r, std::size_t first) {
    const std::size_t n = r.rows.size();
    if (!bytes_) {
      std::size_t found = 0;
      for (std::uint32_t i = 0; i < first; ++i)
        for (std::uint32_t j = 0; j < n; ++j) r.hits[found++] = i << 16 | j;
      return found;
    }
    const std::size_t padded = bytes_->padded_d();
    r.codes.resize(most * padded);
    float worst_first = 0, worst = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (i == first) worst_first = worst;
      worst = std::max(worst, bytes_->residual(r.rows[i]));
      r.bounds[i] = lists_.bound(r.rows[i]);
      interleave(bytes_->codes(r.rows[i]), padded, i % 16, r.codes.data() + i / 16 * 16 * padded);
    }
    if (first == n) worst_first = worst;
    const Side queries{r.rows.data(), first, false, r.bounds},
        points{r.rows.data(), n, false, r.bounds};
    r.tile.fill(*bytes_, reach_, queries, points, static_cast<double>(worst_first),
                static_cast<double>(worst));
    return r.tile.filter(r.tile.gather(*bytes_, queries), r.codes.data(), r.hits);
  }

  Rows rows_;
  DescentOptions options_;
  PairScorer scorer_;
  Reach reach_;
  std::vector<Place> order_;
  Lists lists_;
  std::optional<PairBytes> bytes_;
};

}  // namespace

std::size_t nn_descent(const float* x, std::size_t n, std::size_t d, Metric metric, std::size_t k,
                       const DescentOptions& options, float* distances, std::int32_t* ids) {
  if (n >= std::size_t{1} << 31) throw InvalidArgument("x: expected fewer than 2**31 rows");
  // All that is sampled for a row has room in one join.
  if (options.sample > most / 4) throw InvalidArgument("sample: expected at most 64");
  if (n == 0) return 0;
  const Rows rows = rows_of(x, n, d, metric);
  BlockJoin start(rows, k, Filter::automatic, 0, options.seed);
  const bool few = options.probes == 0 && n <= joined_exactly;
  // Blocks grow in number, and the neighbours of a row spread over more of them, but slowly: so
  // many give 98 or 99 of 100 neighbours of SIFT descriptors.
  const auto blocks = static_cast<double>(n) / Blocks::size;
  const auto usual = std::max<std::size_t>(4, static_cast<std::size_t>(2 * std::sqrt(blocks)));
  if (few)
    start.join_all();
  else
    start.join_nearest(options.probes ? options.probes : usual);
  Descent descent(rows, options, std::move(start));
  const std::size_t rounds = descent.run();
  descent.write(distances, ids);
  return rounds;
}

}  // namespace kf::neighbours
