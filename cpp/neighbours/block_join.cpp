// A pair of blocks is a tile. Blocks are joined with themselves first, then with the nearest
// blocks, then with all others: bounds are tight by then, and little passes the filters. Tiles
// whose blocks are too far apart are passed over; the canonical value decides last. That is n^2 / 2
// products of as many bytes as the first filter has directions. Codes of a tile stay in the second
// cache.

#include "neighbours/block_join.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>

#include "core/threads.h"
#include "kernels/filters.h"
#include "neighbours/block_probe.h"
#include "scan/search.h"

namespace kf::neighbours {
namespace {

constexpr std::size_t block = Blocks::size, sub = 64;
constexpr std::size_t near_blocks = 8, strip = 16, groups = 128;
// Where bytes let more than this share of a tile's pairs pass in vain, float32 products are the
// better filter.
constexpr double most_in_vain = 0.05;
// Tiles that go straight to float32 after that.
constexpr std::size_t rest = 15;
// Rows that look for blocks at once: their wishes take 4 bytes a probe.
constexpr std::size_t probing = 65536;

// A thread's own.
Tile& fresh_tile() {
  thread_local std::unique_ptr<Tile> tile;
  if (!tile) tile = std::make_unique<Tile>();
  tile->packed_at = SIZE_MAX;
  return *tile;
}

}  // namespace

BlockJoin::BlockJoin(const Rows& rows, std::size_t k, Filter filter, std::size_t threads,
                     std::uint64_t seed)
    : rows_(rows),
      threads_(threads),
      scorer_(rows),
      blocks_(rows, seed),
      filter_(blocks_, filter),
      all_places_(rows.n),
      lists_(rows.n, k),
      locks_(blocks_.count()) {
  std::iota(all_places_.begin(), all_places_.end(), 0u);
  const std::size_t count = blocks_.count();
  parallel_for(count, 1, [&](std::size_t b, std::size_t) { within(b); }, threads_);
  near_ = blocks_.near_pairs(near_blocks, threads_);
  parallel_for(
      near_.size(), 1,
      [&](std::size_t at, std::size_t) {
        join(fresh_tile(), places(near_[at] / count), places(near_[at] % count));
      },
      threads_);
  filter_.choose_head(lists_);
}

void BlockJoin::join_all() {
  // Strips of tiles: a row of blocks against up to `strip` later ones.
  const std::size_t count = blocks_.count(), strips = (count + strip - 1) / strip;
  parallel_for(
      count * strips, 1,
      [&](std::size_t at, std::size_t) {
        const std::size_t a = at / strips, first = at % strips * strip;
        Tile& tile = fresh_tile();
        for (std::size_t b = std::max(a + 1, first); b < std::min(first + strip, count); ++b)
          if (!joined(a, b)) join(tile, places(a), places(b));
      },
      threads_);
}

// Some rows at a time; all that ask for a block are joined with it together.
void BlockJoin::join_nearest(std::size_t probes) {
  const std::size_t blocks = blocks_.count();
  probes = std::min(probes, blocks);
  if (!filter_.bytes()) return join_all();
  const BlockProbe probe(blocks_, filter_);
  for (std::size_t from = 0; from < rows_.n; from += probing) {
    const std::size_t count = std::min(probing, rows_.n - from);
    std::vector<std::vector<std::uint32_t>> wanted(count);
    parallel_for(
        count, 16,
        [&](std::size_t begin, std::size_t end) {
          probe.nearest(from + begin, end - begin, probes, wanted.data() + begin);
          for (std::size_t i = begin; i < end; ++i)
            std::erase_if(wanted[i],
                          [&](std::uint32_t b) { return joined((from + i) / block, b); });
        },
        threads_);
    std::vector<std::size_t> starts(blocks + 1, 0);
    for (const auto& of : wanted)
      for (const std::uint32_t b : of) ++starts[b + 1];
    for (std::size_t b = 0; b < blocks; ++b) starts[b + 1] += starts[b];
    std::vector<std::uint32_t> askers(starts.back());
    std::vector<std::size_t> next(starts.begin(), starts.end() - 1);
    for (std::size_t i = 0; i < count; ++i)
      for (const std::uint32_t b : wanted[i])
        askers[next[b]++] = static_cast<std::uint32_t>(from + i);
    parallel_for(
        blocks, 1,
        [&](std::size_t b, std::size_t) {
          for (std::size_t at = starts[b]; at < starts[b + 1]; at += block)
            join(fresh_tile(), {askers.data() + at, std::min(block, starts[b + 1] - at), false},
                 places(b));
        },
        threads_);
  }
}

bool BlockJoin::joined(std::size_t a, std::size_t b) const {
  return a == b || std::binary_search(near_.begin(), near_.end(),
                                      std::min(a, b) * blocks_.count() + std::max(a, b));
}

// A block with itself.
void BlockJoin::within(std::size_t b) {
  Tile& tile = fresh_tile();
  const std::size_t first = blocks_.begin(b), last = blocks_.end(b);
  if (filter_.bytes() && last - first == block && lists_.k() <= groups / 2)
    return begin_lists(tile, b);
  // Small parts first, so that the first rows meet few strangers.
  for (std::size_t step = 0; first + step < last; step += sub)
    for (std::size_t at = first; at + step < last; at += sub)
      join(tile, places(at, std::min(at + sub, last)),
           places(at + step, std::min(at + step + sub, last)));
}

// The same row by row: k others whose bytes are near say how far the k nearest are at most.
void BlockJoin::begin_lists(Tile& tile, std::size_t b) {
  const BlockCodes& codes = *filter_.bytes();
  const PairBytes& bytes = codes.bytes;
  const std::size_t first = b * block, padded = bytes.padded_d(), k = lists_.k();
  const auto worst = static_cast<double>(codes.worst[b]);
  // Where there are no hits yet.
  auto* sums = reinterpret_cast<std::int32_t*>(tile.hits);
  std::int32_t bias[block];
  for (std::size_t i = 0; i < block; ++i) bias[i] = bytes.bias(first + i);
  auto* scratch = thread_scratch<std::int16_t, BlockJoin>(block * padded);
  const FilterKernels& table = kernels<FilterKernels>();
  table.sums_u8(bytes.codes(first), scratch, block, codes.interleaved.data() + first * padded, bias,
                block / 16, padded, sums, block);
  for (std::size_t i = 0; i < block; ++i) {
    const std::size_t place = first + i;
    std::int32_t* row = sums + i * block;
    row[i] = std::numeric_limits<std::int32_t>::min();
    // At least k sums reach the k-th of the groups' largest.
    std::int32_t largest[groups];
    table.group_max(row, block, groups, largest);
    std::nth_element(largest, largest + k - 1, largest + groups, std::greater<>());
    const float bound =
        value_within(bytes.farthest(place, largest[k - 1] + bytes.offset(place), worst), place, b);
    const std::int64_t least =
        std::int64_t{bytes.least(place, filter_.reach().squared(bound), worst)} -
        bytes.offset(place);
    std::uint32_t near[block];
    const std::size_t found =
        table.at_least(row, block,
                       static_cast<std::int32_t>(std::max<std::int64_t>(
                           least, std::numeric_limits<std::int32_t>::min() + 1)),
                       near);
    for (std::size_t h = 0; h < found; ++h) {
      const std::uint32_t other = order()[first + near[h]];
      lists_.push(place, scorer_(order()[place], other), other);
    }
  }
}

// The largest canonical value of a row with others of a block that are no farther than this.
float BlockJoin::value_within(double distance, std::size_t place, std::size_t b) const {
  const double squared = distance * distance, canonical = canonical_error(rows_.d);
  double value = squared * (1 + canonical);
  if (rows_.metric == Metric::inner_product) {
    const auto own = -static_cast<double>(scorer_(order()[place], order()[place]));
    value = (squared - (own + static_cast<double>(blocks_.least_norm(b))) * (1 - canonical)) / 2 +
            canonical * rows_.largest_norm * rows_.largest_norm;
  }
  return std::nextafter(static_cast<float>(value), infinity);
}

void BlockJoin::join(Tile& tile, Side queries, Side points) {
  poll_interrupt();
  const float worst =
      std::max(read_bounds(queries, tile.bounds[0]), read_bounds(points, tile.bounds[1]));
  const std::size_t a = queries[0] / block, b = points[0] / block;
  if (queries.together && a != b && worst != infinity && filter_.sound() &&
      blocks_.apart(a, b, filter_.reach().squared(worst)))
    return;
  const std::size_t found = filter_.pairs(tile, queries, points);
  if (found > 0) push(tile, found, queries, points);
}

// Calls f(begin, end) for the places of each block, its lists locked.
template <class F>
void BlockJoin::by_block(const Side& places, F f) {
  for (std::size_t begin = 0, end = 0; begin < places.size; begin = end) {
    const std::size_t b = places[begin] / block;
    if (places.together)
      end = places.size;
    else
      while (end < places.size && places[end] / block == b) ++end;
    const std::lock_guard guard(locks_[b]);
    f(begin, end);
  }
}

// Returns the largest.
float BlockJoin::read_bounds(Side& places, float* bounds) {
  by_block(places, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) bounds[i] = lists_.bound(places[i]);
  });
  places.bounds = bounds;
  return *std::max_element(bounds, bounds + places.size);
}

// Canonical values first, without a lock, then the lists of one side and of the other.
void BlockJoin::push(Tile& tile, std::size_t found, const Side& queries, const Side& points) {
  constexpr std::size_t ahead = 6;
  tile.kept.clear();
  for (std::size_t h = 0; h < found; ++h) {
    if (h + ahead < found) {
      const std::uint32_t next = tile.hits[h + ahead];
      scorer_.prefetch(order()[queries[std::min<std::size_t>(next >> 16, queries.size - 1)]]);
      scorer_.prefetch(order()[points[std::min<std::size_t>(next & 0xffff, points.size - 1)]]);
    }
    const std::size_t i = tile.hits[h] >> 16, j = tile.hits[h] & 0xffff;
    // Filters report whole blocks; a block with itself has every pair twice.
    if (i >= queries.size || j >= points.size) continue;
    if (queries.together && queries[i] >= points[j]) continue;
    const float value = scorer_(order()[queries[i]], order()[points[j]]);
    if (value <= queries.bounds[i] || value <= points.bounds[j])
      tile.kept.emplace_back(tile.hits[h], value);
  }
  if (filter_.bytes() && queries[0] / block != points[0] / block &&
      static_cast<double>(found - tile.kept.size()) >
          most_in_vain * static_cast<double>(queries.size * points.size))
    tile.skip_bytes = rest;
  by_block(points, [&](std::size_t, std::size_t) {
    for (const auto& [hit, value] : tile.kept)
      lists_.push(points[hit & 0xffff], value, order()[queries[hit >> 16]]);
  });
  // By query, and so by block.
  if (!queries.together) std::sort(tile.kept.begin(), tile.kept.end());
  auto hit = tile.kept.begin();
  by_block(queries, [&](std::size_t, std::size_t end) {
    for (; hit != tile.kept.end() && hit->first >> 16 < end; ++hit)
      lists_.push(queries[hit->first >> 16], hit->second, order()[points[hit->first & 0xffff]]);
  });
}

}  // namespace kf::neighbours
