// Rows are put in an order in which near ones stand together and cut into blocks; a pair of blocks
// is a tile. Blocks are joined with themselves first, then with the nearest blocks, then with all
// others: bounds are tight by then, and little passes the filters. Tiles whose blocks are too far
// apart are passed over. n^2 / 2 products of d bytes; codes of a tile stay in the second cache.

#include "scan/self_join.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/threads.h"
#include "scan/bisection.h"
#include "scan/neighbour_lists.h"
#include "scan/pair_filter.h"

namespace kf::scan {
namespace {

constexpr std::size_t block = 512, sub = 64;
constexpr std::size_t near_blocks = 8, strip = 16;
// Where bytes let more than this share of a tile's pairs pass, float32 products are the better
// filter.
constexpr double most_hits = 0.05;
// Tiles that go straight to float32 after that.
constexpr std::size_t rest = 15;

struct Span {
  std::size_t begin, end;
  std::size_t size() const { return end - begin; }
};

// What a thread needs for one tile.
struct Tile {
  float bounds[2][block];
  std::int32_t byte_thresholds[block], byte_offsets[block], byte_points[block];
  std::int32_t bias[block];
  float thresholds[block], offsets[block], points[block], biases[block];
  std::uint32_t hits[block * block];
  float values[block * block];
  Buffer<std::int16_t> scratch;
  Buffer<float> packed, rows;
  std::size_t packed_at = SIZE_MAX, skip_bytes = 0;
};

class Join {
 public:
  Join(const Rows& rows, std::size_t k, Filter filter)
      : rows_(rows),
        scorer_(rows),
        order_(bisect(rows.x, rows.n, rows.d, block, 0)),
        blocks_((rows.n + block - 1) / block),
        lists_(rows.n, k),
        locks_(blocks_),
        worst_residual_(blocks_, 0.0f),
        centres_(blocks_ * rows.d),
        radius_(blocks_) {
    if (filter == Filter::u8) {
      bytes_.emplace(rows, order_.data());
      codes_.resize(blocks_ * block * bytes_->padded_d(), 128);
    }
    if (filter != Filter::none) floats_.emplace(rows, order_.data());
    parallel_for(blocks_, 1, [&](std::size_t b, std::size_t) { prepare(b); });
  }

  void run(std::size_t threads) {
    parallel_for(blocks_, 1, [&](std::size_t b, std::size_t) { within(b); }, threads);
    const std::vector<std::uint64_t> near = nearest_blocks(threads);
    parallel_for(
        near.size(), 1,
        [&](std::size_t at, std::size_t) {
          between(fresh_tile(), near[at] / blocks_, near[at] % blocks_);
        },
        threads);
    // Strips of tiles: a row of blocks against up to `strip` later ones.
    const std::size_t strips = (blocks_ + strip - 1) / strip;
    parallel_for(
        blocks_ * strips, 1,
        [&](std::size_t at, std::size_t) {
          const std::size_t a = at / strips, first = at % strips * strip;
          Tile& tile = fresh_tile();
          for (std::size_t b = std::max(a + 1, first); b < std::min(first + strip, blocks_); ++b)
            if (!std::binary_search(near.begin(), near.end(), a * blocks_ + b)) between(tile, a, b);
        },
        threads);
  }

  void write(float* distances, std::int32_t* ids) {
    parallel_for(rows_.n, 1024, [&](std::size_t begin, std::size_t end) {
      for (std::size_t p = begin; p < end; ++p)
        lists_.write(p, distances + order_[p] * lists_.k(), ids + order_[p] * lists_.k());
    });
  }

 private:
  Span span(std::size_t b) const { return {b * block, std::min(rows_.n, (b + 1) * block)}; }
  const float* row(std::size_t place) const { return rows_.x + order_[place] * rows_.d; }

  void prepare(std::size_t b) {
    const Span places = span(b);
    const std::size_t d = rows_.d;
    std::vector<double> sum(d, 0.0);
    for (std::size_t p = places.begin; p < places.end; ++p)
      for (std::size_t j = 0; j < d; ++j) sum[j] += static_cast<double>(row(p)[j]);
    float* centre = centres_.data() + b * d;
    for (std::size_t j = 0; j < d; ++j)
      centre[j] = static_cast<float>(sum[j] / static_cast<double>(places.size()));
    float farthest = 0;
    for (std::size_t p = places.begin; p < places.end; ++p)
      farthest = std::max(farthest, kernels().squared_l2(centre, row(p), d));
    radius_[b] = std::sqrt(static_cast<double>(farthest));
    if (!bytes_) return;
    const std::size_t padded = bytes_->padded_d();
    for (std::size_t p = places.begin; p < places.end; ++p) {
      interleave(bytes_->codes(p), padded, p % 16, codes_.data() + p / 16 * 16 * padded);
      worst_residual_[b] = std::max(worst_residual_[b], bytes_->residual(p));
    }
  }

  // Pairs of blocks a < b, as a * blocks + b, of which either is among the nearest of the other.
  std::vector<std::uint64_t> nearest_blocks(std::size_t threads) const {
    const std::size_t count = std::min(near_blocks, blocks_ - 1), d = rows_.d;
    std::vector<std::uint64_t> pairs(blocks_ * count);
    parallel_for(
        blocks_, 16,
        [&](std::size_t begin, std::size_t end) {
          std::vector<std::pair<float, std::size_t>> others(blocks_);
          for (std::size_t a = begin; a < end; ++a) {
            for (std::size_t b = 0; b < blocks_; ++b)
              others[b] = {b == a ? infinity
                                  : kernels().squared_l2(centres_.data() + a * d,
                                                         centres_.data() + b * d, d),
                           b};
            std::partial_sort(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(count),
                              others.end());
            for (std::size_t i = 0; i < count; ++i) {
              const std::size_t b = others[i].second;
              pairs[a * count + i] = std::min(a, b) * blocks_ + std::max(a, b);
            }
          }
        },
        threads);
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
    return pairs;
  }

  static Tile& fresh_tile() {
    thread_local std::unique_ptr<Tile> tile;
    if (!tile) tile = std::make_unique<Tile>();
    tile->packed_at = SIZE_MAX;
    return *tile;
  }

  // A block with itself: small parts first, so that the first rows meet few strangers.
  void within(std::size_t b) {
    Tile& tile = fresh_tile();
    const Span places = span(b);
    for (std::size_t step = 0; step * sub < places.size(); ++step)
      for (std::size_t at = places.begin; at + step * sub < places.end; at += sub) {
        const std::size_t other = at + step * sub;
        join(tile, {at, std::min(at + sub, places.end)}, {other, std::min(other + sub, places.end)},
             b, b);
      }
  }

  void between(Tile& tile, std::size_t a, std::size_t b) {
    poll_interrupt();
    join(tile, span(a), span(b), a, b);
  }

  void join(Tile& tile, const Span& queries, const Span& points, std::size_t a, std::size_t b) {
    float worst[2];
    read_bounds(tile.bounds[0], worst[0], queries, a);
    read_bounds(tile.bounds[1], worst[1], points, b);
    if (a != b && too_far(a, b, std::max(worst[0], worst[1]))) return;
    const std::size_t found = filter(tile, queries, points, a, b);
    if (found > 0) push(tile, found, queries, points, a, b);
  }

  void read_bounds(float* bounds, float& worst, const Span& places, std::size_t b) {
    const std::lock_guard guard(locks_[b]);
    worst = -infinity;
    for (std::size_t i = 0; i < places.size(); ++i) {
      bounds[i] = lists_.bound(places.begin + i);
      worst = std::max(worst, bounds[i]);
    }
  }

  // Whether no pair of the blocks is within this bound.
  bool too_far(std::size_t a, std::size_t b, float worst) const {
    if (worst == infinity || !floats_) return false;
    const std::size_t d = rows_.d;
    const double apart = std::sqrt(static_cast<double>(
        kernels().squared_l2(centres_.data() + a * d, centres_.data() + b * d, d)));
    const double spread = radius_[a] + radius_[b];
    // Float32 roots and centres are good for five digits.
    return apart - spread - 1e-5 * (apart + spread + rows_.largest_norm) >
           std::sqrt(squared_reach(rows_, worst));
  }

  // Writes the pairs that may matter to tile.hits, rows and columns of the tile.
  std::size_t filter(Tile& tile, const Span& queries, const Span& points, std::size_t a,
                     std::size_t b) {
    if (!floats_) {
      std::size_t found = 0;
      for (std::uint32_t q = 0; q < queries.size(); ++q)
        for (std::uint32_t p = 0; p < points.size(); ++p) tile.hits[found++] = q << 16 | p;
      return found;
    }
    if (bytes_ && tile.skip_bytes == 0) {
      const std::size_t found = by_bytes(tile, queries, points, a, b);
      if (a == b || static_cast<double>(found) <=
                        most_hits * static_cast<double>(queries.size() * points.size()))
        return found;
      tile.skip_bytes = rest;
    } else if (bytes_) {
      --tile.skip_bytes;
    }
    return by_floats(tile, queries, points);
  }

  std::size_t by_bytes(Tile& tile, const Span& queries, const Span& points, std::size_t a,
                       std::size_t b) {
    const std::size_t nq = (queries.size() + 15) / 16 * 16, np = (points.size() + 31) / 32 * 32;
    for (std::size_t i = 0; i < nq; ++i) {
      const std::size_t p = queries.begin + i;
      const bool there = p < queries.end;
      tile.byte_thresholds[i] =
          there
              ? bytes_->least_sum(p, bytes_->least(p, reach(tile.bounds[0][i]), worst_residual_[b]))
              : PairBytes::never;
      tile.byte_offsets[i] = there ? bytes_->offset(p) : 0;
    }
    for (std::size_t i = 0; i < np; ++i) {
      const std::size_t p = points.begin + i;
      const bool there = p < points.end;
      tile.byte_points[i] =
          there ? bytes_->least(p, reach(tile.bounds[1][i]), worst_residual_[a]) : PairBytes::never;
      tile.bias[i] = there ? bytes_->bias(p) : std::numeric_limits<std::int32_t>::min() / 2;
    }
    const std::size_t padded = bytes_->padded_d();
    // The last rows' codes may end before the sixteenth.
    const std::int8_t* codes = bytes_->codes(queries.begin);
    Buffer<std::int8_t> filled;
    if (queries.begin + nq > rows_.n) {
      filled.resize(nq * padded, 0);
      std::copy(codes, codes + queries.size() * padded, filled.begin());
      codes = filled.data();
    }
    tile.scratch.resize(nq * padded);
    return kernels().filter_pairs_u8(
        codes, tile.scratch.data(), nq, codes_.data() + points.begin * padded, tile.bias, np / 16,
        padded, tile.byte_thresholds, tile.byte_offsets, tile.byte_points, tile.hits);
  }

  double reach(float bound) const {
    return bound == infinity ? std::numeric_limits<double>::infinity()
                             : squared_reach(rows_, bound);
  }

  std::size_t by_floats(Tile& tile, const Span& queries, const Span& points) {
    const std::size_t nq = (queries.size() + 15) / 16 * 16, d = rows_.d;
    if (tile.packed_at != queries.begin) {
      tile.packed.resize(block * d);
      for (std::size_t i = 0; i < queries.size(); ++i) {
        const float* x = row(queries.begin + i);
        float* out = tile.packed.data() + i / 16 * 16 * d + i % 16;
        for (std::size_t j = 0; j < d; ++j) out[16 * j] = x[j];
      }
      tile.packed_at = queries.size() == block ? queries.begin : SIZE_MAX;
    }
    tile.rows.resize(block * d);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const std::size_t p = points.begin + i;
      std::copy(row(p), row(p) + d, tile.rows.begin() + static_cast<std::ptrdiff_t>(i * d));
      tile.biases[i] = floats_->bias(p);
      tile.points[i] = floats_->least(p, tile.bounds[1][i]);
    }
    for (std::size_t i = 0; i < nq; ++i) {
      const std::size_t p = queries.begin + i;
      const bool there = p < queries.end;
      tile.thresholds[i] =
          there ? floats_->least_sum(p, floats_->least(p, tile.bounds[0][i])) : infinity;
      // Rows that only fill up reach no point's threshold either.
      tile.offsets[i] = there ? floats_->bias(p) : -infinity;
    }
    return kernels().filter_pairs_f32(tile.packed.data(), nq, tile.rows.data(), tile.biases,
                                      points.size(), d, tile.thresholds, tile.offsets, tile.points,
                                      tile.hits);
  }

  // Canonical values first, without a lock, then the lists of both sides.
  void push(Tile& tile, std::size_t found, const Span& queries, const Span& points, std::size_t a,
            std::size_t b) {
    std::size_t kept = 0;
    constexpr std::size_t ahead = 6;
    for (std::size_t h = 0; h < found; ++h) {
      if (h + ahead < found) {
        const std::uint32_t next = tile.hits[h + ahead];
        scorer_.prefetch(order_[std::min(queries.begin + (next >> 16), rows_.n - 1)]);
        scorer_.prefetch(order_[std::min(points.begin + (next & 0xffff), rows_.n - 1)]);
      }
      const std::size_t i = tile.hits[h] >> 16, j = tile.hits[h] & 0xffff;
      const std::size_t q = queries.begin + i, p = points.begin + j;
      // Filters report whole blocks; a block with itself has every pair twice.
      if (q >= queries.end || p >= points.end || q >= p) continue;
      const float value = scorer_(order_[q], order_[p]);
      if (!(value <= tile.bounds[0][i]) && !(value <= tile.bounds[1][j])) continue;
      tile.hits[kept] = tile.hits[h];
      tile.values[kept++] = value;
    }
    std::unique_lock first(locks_[a], std::defer_lock), second(locks_[b], std::defer_lock);
    if (a == b)
      first.lock();
    else
      std::lock(first, second);
    for (std::size_t h = 0; h < kept; ++h) {
      const std::size_t q = queries.begin + (tile.hits[h] >> 16),
                        p = points.begin + (tile.hits[h] & 0xffff);
      lists_.push(q, {tile.values[h], static_cast<std::int32_t>(order_[p])});
      lists_.push(p, {tile.values[h], static_cast<std::int32_t>(order_[q])});
    }
  }

  Rows rows_;
  PairScorer scorer_;
  std::vector<std::uint32_t> order_;
  std::size_t blocks_;
  NeighbourLists lists_;
  std::vector<std::mutex> locks_;
  std::optional<PairBytes> bytes_;
  std::optional<PairFloats> floats_;
  Buffer<std::uint8_t> codes_;
  std::vector<float> worst_residual_, centres_;
  std::vector<double> radius_;
};

}  // namespace

void self_join(const float* x, std::size_t n, std::size_t d, Metric metric, std::size_t k,
               Filter filter, std::size_t threads, float* distances, std::int32_t* ids) {
  if (n >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw InvalidArgument("x: expected fewer than 2**31 rows");
  if (n == 0) return;
  const Rows rows = rows_of(x, n, d, metric);
  // Squares of huge numbers overflow float32, those of tiny ones vanish in it, and with them every
  // bound.
  if (!(rows.largest_norm > 1e-12 && rows.largest_norm < 1e18)) filter = Filter::none;
  if (filter == Filter::automatic) {
    const bool alike = metric == Metric::l2 || rows.mean_norm > 0.99 * rows.largest_norm;
    filter = alike && d <= 32768 && kernels().products_of_bytes() ? Filter::u8 : Filter::f32;
  }
  if (filter == Filter::u8 && d > 32768) filter = Filter::f32;
  Join join(rows, k, filter);
  join.run(threads);
  join.write(distances, ids);
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

}  // namespace kf::scan
