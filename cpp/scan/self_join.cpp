// Rows are put in an order in which near ones stand together and cut into blocks; a pair of blocks
// is a tile. Blocks are joined with themselves first, then with the nearest blocks, then with all
// others: bounds are tight by then, and little passes the filters. Tiles whose blocks are too far
// apart are passed over. Bytes along the few directions of most spread come first where they leave
// little, all dimensions' bytes second, the canonical value last: n^2 / 2 products of as many bytes
// as there are such directions. Codes of a tile stay in the second cache.

#include "scan/self_join.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "core/threads.h"
#include "scan/bisection.h"
#include "scan/directions.h"
#include "scan/neighbour_lists.h"
#include "scan/pair_filter.h"

namespace kf::scan {
namespace {

constexpr std::size_t block = 512, sub = 64;
constexpr std::size_t near_blocks = 8, strip = 16, groups = 128;
// Where bytes let more than this share of a tile's pairs pass in vain, float32 products are the
// better filter.
constexpr double most_in_vain = 0.05;
// Tiles that go straight to float32 after that.
constexpr std::size_t rest = 15;
// Numbers of directions to choose from. A tile costs as much as `fixed` dimensions more; a pair
// that passes them as much as `second_look`.
constexpr std::size_t heads[] = {16, 24, 32, 48, 64, 96};
constexpr double fixed = 40, second_look = 2000;

struct Span {
  std::size_t begin, end;
  std::size_t size() const { return end - begin; }
};

// Bytes of all rows, block by block.
struct Codes {
  PairBytes bytes;
  Buffer<std::uint8_t> interleaved;
  std::vector<float> worst;  // the largest residual of each block

  Codes(const Rows& rows, const std::vector<std::uint32_t>& order, double error = 0)
      : bytes(rows, order.data(), error),
        interleaved((rows.n + block - 1) / block * block * bytes.padded_d(), 128),
        worst((rows.n + block - 1) / block, 0.0f) {
    parallel_for(worst.size(), 1, [&](std::size_t b, std::size_t) {
      const std::size_t padded = bytes.padded_d();
      for (std::size_t p = b * block; p < std::min(rows.n, (b + 1) * block); ++p) {
        interleave(bytes.codes(p), padded, p % 16, interleaved.data() + p / 16 * 16 * padded);
        worst[b] = std::max(worst[b], bytes.residual(p));
      }
    });
  }
};

// What pairs of a tile must reach in bytes.
struct ByteBounds {
  std::int32_t thresholds[block], offsets[block], points[block], bias[block];
};

// What a thread needs for one tile.
struct Tile {
  float bounds[2][block];
  ByteBounds first, second;
  float thresholds[block], offsets[block], points[block], biases[block];
  std::uint32_t hits[block * block];
  float values[block * block];
  // Room for the sums of a block, where there are no hits yet.
  std::int32_t* sums() { return reinterpret_cast<std::int32_t*>(hits); }

  Buffer<std::int16_t> scratch;
  Buffer<float> packed, rows;
  std::size_t packed_at = SIZE_MAX, skip_bytes = 0;
};

class Join {
 public:
  Join(const Rows& rows, std::size_t k, Filter filter)
      : rows_(rows),
        scorer_(rows),
        reach_(rows),
        order_(bisect(rows.x, rows.n, rows.d, block, 0)),
        blocks_((rows.n + block - 1) / block),
        lists_(rows.n, k),
        locks_(blocks_),
        centres_(blocks_ * rows.d),
        radius_(blocks_),
        least_norm_(blocks_, infinity) {
    if (filter == Filter::u8) bytes_.emplace(rows, order_);
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
    choose_head();
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

  void write(float* distances, std::int32_t* ids) const {
    const std::size_t k = lists_.k();
    parallel_for(rows_.n, 1024, [&](std::size_t begin, std::size_t end) {
      for (std::size_t p = begin; p < end; ++p) {
        const std::uint64_t* keys = lists_.begin(p);
        for (std::size_t i = 0, at = order_[p] * k; i < k; ++i, ++at) {
          distances[at] = keys[i] == no_key ? infinity : distance_of(keys[i]);
          ids[at] = static_cast<std::int32_t>(keys[i]);  // no_key ends in -1
        }
      }
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
    for (std::size_t p = places.begin; p < places.end; ++p) {
      farthest = std::max(farthest, kernels().squared_l2(centre, row(p), d));
      least_norm_[b] = std::min(least_norm_[b], kernels().inner_product(row(p), row(p), d));
    }
    radius_[b] = std::sqrt(static_cast<double>(farthest));
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

  // A block with itself.
  void within(std::size_t b) {
    Tile& tile = fresh_tile();
    const Span places = span(b);
    if (bytes_ && places.size() == block && lists_.k() <= groups / 2) return begin_lists(tile, b);
    // Small parts first, so that the first rows meet few strangers.
    for (std::size_t step = 0; step * sub < places.size(); ++step)
      for (std::size_t at = places.begin; at + step * sub < places.end; at += sub) {
        const std::size_t other = at + step * sub;
        join(tile, {at, std::min(at + sub, places.end)}, {other, std::min(other + sub, places.end)},
             b, b);
      }
  }

  // The same row by row: k others whose bytes are near say how far the k nearest are at most.
  void begin_lists(Tile& tile, std::size_t b) {
    const Codes& codes = *bytes_;
    const std::size_t first = b * block, padded = codes.bytes.padded_d(), k = lists_.k();
    const auto worst = static_cast<double>(codes.worst[b]);
    std::int32_t* sums = tile.sums();
    for (std::size_t i = 0; i < block; ++i) tile.first.bias[i] = codes.bytes.bias(first + i);
    tile.scratch.resize(block * padded);
    const KernelTable& table = kernels();
    table.sums_u8(codes.bytes.codes(first), tile.scratch.data(), block,
                  codes.interleaved.data() + first * padded, tile.first.bias, block / 16, padded,
                  sums, block);
    for (std::size_t i = 0; i < block; ++i) {
      const std::size_t place = first + i;
      std::int32_t* row = sums + i * block;
      row[i] = std::numeric_limits<std::int32_t>::min();
      // At least k sums reach the k-th of the groups' largest.
      std::int32_t largest[groups];
      table.group_max(row, block, groups, largest);
      std::nth_element(largest, largest + k - 1, largest + groups, std::greater<>());
      const float bound = value_within(
          codes.bytes.farthest(place, largest[k - 1] + codes.bytes.offset(place), worst), place, b);
      const std::int64_t least =
          std::int64_t{codes.bytes.least(place, reach_.squared(bound), worst)} -
          codes.bytes.offset(place);
      std::uint32_t near[block];
      const std::size_t found =
          table.at_least(row, block,
                         static_cast<std::int32_t>(std::max<std::int64_t>(
                             least, std::numeric_limits<std::int32_t>::min() + 1)),
                         near);
      for (std::size_t h = 0; h < found; ++h) {
        const std::uint32_t other = order_[first + near[h]];
        lists_.push(place, scorer_(order_[place], other), other);
      }
    }
  }

  // The largest canonical value of a row with others of a block that are no farther than this.
  float value_within(double distance, std::size_t place, std::size_t b) const {
    const double squared = distance * distance, canonical = canonical_error(rows_.d);
    double value = squared * (1 + canonical);
    if (rows_.metric == Metric::inner_product) {
      const float* x = row(place);
      const auto own = static_cast<double>(kernels().inner_product(x, x, rows_.d));
      value = (squared - (own + static_cast<double>(least_norm_[b])) * (1 - canonical)) / 2 +
              canonical * rows_.largest_norm * rows_.largest_norm;
    }
    return std::nextafter(static_cast<float>(value), infinity);
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
           std::sqrt(reach_.squared(worst));
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
    if (bytes_ && tile.skip_bytes == 0) return by_bytes(tile, queries, points, a, b);
    if (bytes_) --tile.skip_bytes;
    return by_floats(tile, queries, points);
  }

  std::size_t by_bytes(Tile& tile, const Span& queries, const Span& points, std::size_t a,
                       std::size_t b) {
    const Codes& codes = head_ ? *head_ : *bytes_;
    const std::size_t nq = (queries.size() + 15) / 16 * 16, np = (points.size() + 31) / 32 * 32;
    fill(tile.first, codes, tile, queries, nq, points, np, a, b);
    const std::size_t padded = codes.bytes.padded_d();
    // The last rows' codes may end before the sixteenth.
    const std::int8_t* rows = codes.bytes.codes(queries.begin);
    Buffer<std::int8_t> filled;
    if (queries.begin + nq > rows_.n) {
      filled.resize(nq * padded, 0);
      std::copy(rows, rows + queries.size() * padded, filled.begin());
      rows = filled.data();
    }
    tile.scratch.resize(nq * padded);
    const ByteBounds& first = tile.first;
    const std::size_t found = kernels().filter_pairs_u8(
        rows, tile.scratch.data(), nq, codes.interleaved.data() + points.begin * padded, first.bias,
        np / 16, padded, first.thresholds, first.offsets, first.points, tile.hits);
    if (!head_ || found == 0) return found;
    ByteBounds& second = tile.second;
    fill(second, *bytes_, tile, queries, queries.size(), points, points.size(), a, b);
    return kernels().keep_pairs_u8(bytes_->bytes.codes(queries.begin),
                                   bytes_->bytes.codes(points.begin), bytes_->bytes.padded_d(),
                                   second.thresholds, second.offsets, second.points, second.bias,
                                   tile.hits, found);
  }

  // Rows from the ends of the spans on only fill up.
  void fill(ByteBounds& out, const Codes& codes, const Tile& tile, const Span& queries,
            std::size_t nq, const Span& points, std::size_t np, std::size_t a, std::size_t b) {
    const auto of_a = static_cast<double>(codes.worst[a]),
               of_b = static_cast<double>(codes.worst[b]);
    for (std::size_t i = 0; i < queries.size(); ++i) {
      const std::size_t p = queries.begin + i;
      out.thresholds[i] = codes.bytes.least(p, reach_.squared(tile.bounds[0][i]), of_b);
      out.offsets[i] = codes.bytes.offset(p);
    }
    for (std::size_t i = queries.size(); i < nq; ++i) {
      out.thresholds[i] = PairBytes::never;
      out.offsets[i] = PairBytes::hopeless;
    }
    for (std::size_t i = 0; i < points.size(); ++i) {
      const std::size_t p = points.begin + i;
      out.points[i] = codes.bytes.least(p, reach_.squared(tile.bounds[1][i]), of_a);
      out.bias[i] = codes.bytes.bias(p);
    }
    for (std::size_t i = points.size(); i < np; ++i) {
      out.points[i] = PairBytes::never;
      out.bias[i] = PairBytes::hopeless;
    }
  }

  // How many directions to look along first, by what they leave of a sample of pairs at the bounds
  // reached by now.
  void choose_head() {
    constexpr std::size_t sample = 256;
    if (!bytes_ || rows_.n < 16 * block || rows_.d < 24) return;
    const Directions directions(rows_.x, rows_.n, rows_.d, std::min(rows_.d, std::end(heads)[-1]));
    const std::size_t most = directions.size();
    Random random(1);
    std::vector<std::size_t> places(2 * sample);
    std::vector<float> x;
    for (std::size_t& place : places) {
      place = random.below(rows_.n);
      x.insert(x.end(), row(place), row(place) + rows_.d);
    }
    const Buffer<float> y = directions.project(x.data(), places.size(), most);
    Shadow shadow(most, Metric::l2);
    shadow.fit(y.data(), places.size());
    std::size_t best = 0;
    double least = fixed + static_cast<double>(bytes_->bytes.padded_d());
    for (const std::size_t head : heads) {
      if (head >= rows_.d) break;
      // Two codes, each within half a step of every number.
      const double residual =
          2 * static_cast<double>(shadow.scale()) * std::sqrt(static_cast<double>(head) / 12);
      std::size_t passed = 0;
      for (std::size_t i = 0; i < sample; ++i)
        for (std::size_t j = sample; j < 2 * sample; ++j) {
          const float value = kernels().squared_l2(y.data() + i * most, y.data() + j * most, head);
          const float bound = std::max(lists_.bound(places[i]), lists_.bound(places[j]));
          passed +=
              std::sqrt(static_cast<double>(value)) - residual <= std::sqrt(reach_.squared(bound));
        }
      const double cost = fixed + static_cast<double>(head) +
                          second_look * static_cast<double>(passed) / (sample * sample);
      if (cost < least) least = cost, best = head;
    }
    if (best == 0) return;
    const Buffer<float> along = directions.project(rows_.x, rows_.n, best);
    Rows rows = rows_;
    rows.x = along.data();
    rows.d = best;
    head_.emplace(rows, order_, directions.rounding(rows_.largest_norm));
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
      tile.thresholds[i] = there ? floats_->least(p, tile.bounds[0][i]) : infinity;
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
    if (bytes_ && a != b &&
        static_cast<double>(found - kept) >
            most_in_vain * static_cast<double>(queries.size() * points.size()))
      tile.skip_bytes = rest;
    std::unique_lock first(locks_[a], std::defer_lock), second(locks_[b], std::defer_lock);
    if (a == b)
      first.lock();
    else
      std::lock(first, second);
    for (std::size_t h = 0; h < kept; ++h) {
      const std::size_t q = queries.begin + (tile.hits[h] >> 16),
                        p = points.begin + (tile.hits[h] & 0xffff);
      lists_.push(q, tile.values[h], order_[p]);
      lists_.push(p, tile.values[h], order_[q]);
    }
  }

  Rows rows_;
  PairScorer scorer_;
  Reach reach_;
  std::vector<std::uint32_t> order_;
  std::size_t blocks_;
  NeighbourLists lists_;
  std::vector<std::mutex> locks_;
  std::optional<Codes> bytes_, head_;  // all dimensions, and the directions of most spread
  std::optional<PairFloats> floats_;
  std::vector<float> centres_;
  std::vector<double> radius_;
  std::vector<float> least_norm_;  // squared
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
