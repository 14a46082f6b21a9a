// Small all-pairs joins in 8-bit products: of the leaves of a few trees first, then of the sampled
// neighbours of each row. What passes both sides' bounds is scored canonically. A join of s rows
// gathers s d bytes for s^2 / 2 products of d.

#include "scan/nn_descent.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "core/checked.h"
#include "core/error.h"
#include "core/threads.h"
#include "scan/bisection.h"
#include "scan/pair_filter.h"

namespace kf::scan {
namespace {

using Place = std::uint32_t;

constexpr std::size_t leaf = 256, sub = 64;
constexpr Place fresh = 1u << 31;

// A neighbour; `fresh` in its place: it has not been joined yet.
struct Entry {
  float distance;
  Place place;
  Place where() const { return place & ~fresh; }
};

bool before(const Entry& a, const Entry& b) {
  return a.distance < b.distance || (a.distance == b.distance && a.where() < b.where());
}

// Ascending lists of the k nearest; rows may be inserted into by several threads.
class Lists {
 public:
  Lists(std::size_t n, std::size_t k)
      : k_(k), entries_(checked_mul(n, k)), counts_(n, 0), bounds_(n), locks_(lock_count) {
    for (auto& bound : bounds_) bound.store(infinity, std::memory_order_relaxed);
  }

  std::size_t k() const { return k_; }
  float bound(Place row) const { return bounds_[row].load(std::memory_order_relaxed); }
  Entry* begin(Place row) { return entries_.data() + row * k_; }
  Entry* end(Place row) { return begin(row) + counts_[row]; }

  void insert(Place row, float distance, Place other) {
    if (distance > bound(row)) return;
    const Entry entry{distance, other | fresh};
    std::atomic<bool>& lock = locks_[row % lock_count];
    while (lock.exchange(true, std::memory_order_acquire)) {
    }
    insert_locked(row, entry);
    lock.store(false, std::memory_order_release);
  }

 private:
  static constexpr std::size_t lock_count = 1 << 14;

  void insert_locked(Place row, const Entry& entry) {
    Entry* first = begin(row);
    Entry* last = end(row);
    Entry* at = std::lower_bound(first, last, entry, before);
    // The same pair has the same value: who is there stands here.
    if (at != last && !before(entry, *at)) return;
    if (counts_[row] == k_) {
      if (at == last) return;
      --last;
    } else {
      ++counts_[row];
    }
    std::copy_backward(at, last, last + 1);
    *at = entry;
    if (counts_[row] == k_) bounds_[row].store(first[k_ - 1].distance, std::memory_order_relaxed);
  }

  std::size_t k_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::atomic<float>> bounds_;
  std::vector<std::atomic<bool>> locks_;
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

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

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
        keys.emplace_back(mix(salt + all[at]), all[at]);
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
  float bounds[leaf];
  std::int32_t thresholds[leaf], offsets[leaf], points[leaf], bias[leaf];
  std::uint32_t hits[leaf * leaf];
  Buffer<std::int8_t> queries;
  Buffer<std::uint8_t> codes;
  Buffer<std::int16_t> scratch;
};

class Descent {
 public:
  Descent(const Rows& rows, std::size_t k, const DescentOptions& options)
      : rows_(rows),
        options_(options),
        scorer_(rows),
        reach_(rows),
        order_(bisect(rows.x, rows.n, rows.d, leaf, options.seed)),
        lists_(rows.n, k) {
    if (rows.d <= 32768 && rows.largest_norm > 1e-12 && rows.largest_norm < 1e18)
      bytes_.emplace(rows, order_.data());
  }

  std::size_t run() {
    join_leaves(nullptr);
    if (options_.trees > 1) {
      std::vector<Place> place(rows_.n);
      for (std::size_t p = 0; p < rows_.n; ++p) place[order_[p]] = static_cast<Place>(p);
      for (std::size_t tree = 1; tree < options_.trees; ++tree) {
        std::vector<Place> leaves =
            bisect(rows_.x, rows_.n, rows_.d, leaf, mix(options_.seed + tree));
        for (Place& at : leaves) at = place[at];
        join_leaves(leaves.data());
      }
    }
    std::size_t round = 0;
    const double least = options_.least_change * static_cast<double>(rows_.n * k());
    while (round < options_.rounds) {
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
        for (const Entry* e = lists_.begin(row); e != lists_.end(row); ++e)
          found.emplace_back(e->distance, static_cast<std::int32_t>(order_[e->where()]));
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

  static Room& room() {
    thread_local std::unique_ptr<Room> room;
    if (!room) room = std::make_unique<Room>();
    return *room;
  }

  // The leaves of a tree: places in its order, or the tree that gave the places.
  void join_leaves(const Place* tree) {
    const std::size_t n = rows_.n;
    parallel_for((n + leaf - 1) / leaf, 1, [&](std::size_t at, std::size_t) {
      Room& r = room();
      r.rows.resize(std::min(leaf, n - at * leaf));
      if (tree)
        std::copy(tree + at * leaf, tree + at * leaf + r.rows.size(), r.rows.begin());
      else
        std::iota(r.rows.begin(), r.rows.end(), static_cast<Place>(at * leaf));
      // Small parts first, so that the first rows meet few strangers.
      const Place* all = r.rows.data();
      for (std::size_t step = 0; step < r.rows.size(); step += sub)
        for (std::size_t a = 0; a + step < r.rows.size(); a += sub) {
          const std::size_t b = a + step;
          join(r, all + a, std::min(sub, r.rows.size() - a), all + b,
               std::min(sub, r.rows.size() - b), step == 0);
        }
    });
  }

  // One round. Returns how many entries have not been joined yet.
  std::size_t join_neighbours(std::size_t round) {
    const std::size_t n = rows_.n, width = options_.sample;
    Sample young(n, width), old(n, width);
    parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
      for (std::size_t p = begin; p < end; ++p) {
        const auto row = static_cast<Place>(p);
        for (Entry* e = lists_.begin(row); e != lists_.end(row); ++e) {
          Sample& sample = e->place & fresh ? young : old;
          if (sample.counts[p] == width) continue;
          sample.places[p * width + sample.counts[p]++] = e->where();
          e->place &= ~fresh;
        }
      }
    });
    const Sample young_back = reverse(young, mix(options_.seed + round)),
                 old_back = reverse(old, mix(options_.seed - round));
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
        join(r, r.rows.data(), count, r.rows.data(), r.rows.size(), true);
      }
    });
    // Not how often something was inserted, which depends on the order of the joins.
    std::size_t waiting = 0;
    for (std::size_t p = 0; p < n; ++p) {
      const auto row = static_cast<Place>(p);
      for (const Entry* e = lists_.begin(row); e != lists_.end(row); ++e)
        waiting += (e->place & fresh) != 0;
    }
    return waiting;
  }

  static void unique(std::vector<Place>& rows, std::size_t from) {
    const auto first = rows.begin() + static_cast<std::ptrdiff_t>(from);
    std::sort(first, rows.end());
    rows.erase(std::unique(first, rows.end()), rows.end());
  }

  // Joins rows with rows; triangular: the points begin with the queries, and pairs count once.
  void join(Room& r, const Place* queries, std::size_t nq, const Place* points, std::size_t np,
            bool triangular) {
    const std::size_t found = filter(r, queries, nq, points, np);
    constexpr std::size_t ahead = 4;
    for (std::size_t h = 0; h < found; ++h) {
      if (h + ahead < found) {
        scorer_.prefetch(order_[queries[std::min<std::size_t>(r.hits[h + ahead] >> 16, nq - 1)]]);
        scorer_.prefetch(order_[points[std::min<std::size_t>(r.hits[h + ahead] & 0xffff, np - 1)]]);
      }
      const std::size_t i = r.hits[h] >> 16, j = r.hits[h] & 0xffff;
      if (i >= nq || j >= np || (triangular && j <= i) || queries[i] == points[j]) continue;
      const float value = scorer_(order_[queries[i]], order_[points[j]]);
      lists_.insert(queries[i], value, points[j]);
      lists_.insert(points[j], value, queries[i]);
    }
  }

  std::size_t filter(Room& r, const Place* queries, std::size_t nq, const Place* points,
                     std::size_t np) {
    if (!bytes_) {
      std::size_t found = 0;
      for (std::uint32_t i = 0; i < nq; ++i)
        for (std::uint32_t j = 0; j < np; ++j) r.hits[found++] = i << 16 | j;
      return found;
    }
    const std::size_t padded = bytes_->padded_d();
    const std::size_t rows = (nq + 15) / 16 * 16, columns = (np + 31) / 32 * 32;
    r.queries.resize(leaf * padded);
    r.codes.resize(leaf * padded);
    r.scratch.resize(leaf * padded);
    float worst[2] = {0, 0};
    for (std::size_t i = 0; i < nq; ++i)
      worst[0] = std::max(worst[0], bytes_->residual(queries[i]));
    for (std::size_t j = 0; j < np; ++j) worst[1] = std::max(worst[1], bytes_->residual(points[j]));
    for (std::size_t i = 0; i < rows; ++i) {
      const bool there = i < nq;
      r.thresholds[i] = there ? least(queries[i], worst[1]) : PairBytes::never;
      r.offsets[i] = there ? bytes_->offset(queries[i]) : PairBytes::hopeless;
      if (there)
        std::copy_n(bytes_->codes(queries[i]), padded, r.queries.data() + i * padded);
      else
        std::fill_n(r.queries.data() + i * padded, padded, std::int8_t{0});
    }
    for (std::size_t j = 0; j < columns; ++j) {
      const bool there = j < np;
      r.points[j] = there ? least(points[j], worst[0]) : PairBytes::never;
      r.bias[j] = there ? bytes_->bias(points[j]) : PairBytes::hopeless;
      if (there)
        interleave(bytes_->codes(points[j]), padded, j % 16, r.codes.data() + j / 16 * 16 * padded);
    }
    return kernels().filter_pairs_u8(r.queries.data(), r.scratch.data(), rows, r.codes.data(),
                                     r.bias, columns / 16, padded, r.thresholds, r.offsets,
                                     r.points, r.hits);
  }

  std::int32_t least(Place row, float other) const {
    return bytes_->least(row, reach_.squared(lists_.bound(row)), static_cast<double>(other));
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
  if (n >= fresh) throw InvalidArgument("x: expected fewer than 2**31 rows");
  // All that is sampled for a row has room in one join.
  if (options.sample > leaf / 4) throw InvalidArgument("sample: expected at most 64");
  if (n == 0) return 0;
  Descent descent(rows_of(x, n, d, metric), k, options);
  const std::size_t rounds = descent.run();
  descent.write(distances, ids);
  return rounds;
}

}  // namespace kf::scan
