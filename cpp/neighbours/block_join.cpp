// A pair of blocks is a tile. Blocks are joined with themselves first, then with the nearest
// blocks, then with all others: bounds are tight by then, and little passes the filters. Tiles
// whose blocks are too far apart are passed over. Bytes along the few directions of most spread
// come first where they leave little, all dimensions' bytes second, the canonical value last: n^2 /
// 2 products of as many bytes as there are such directions. Codes of a tile stay in the second
// cache.

#include "neighbours/block_join.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>

#include "core/random.h"
#include "core/threads.h"
#include "neighbours/bisection.h"

namespace kf::neighbours {
namespace {

constexpr std::size_t block = BlockJoin::block, sub = 64;
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
// Rows that look for blocks at once: their wishes take 4 bytes a probe.
constexpr std::size_t probing = 65536;

Filter possible(const Rows& rows, Filter filter) {
  // Squares of huge numbers overflow float32, those of tiny ones vanish in it, and with them every
  // bound.
  if (!sound(rows.largest_norm)) return Filter::none;
  // Bytes along a few directions pay at every level, with 8-bit products in hardware or without.
  if (filter == Filter::automatic) {
    const bool alike = rows.metric == Metric::l2 || rows.mean_norm > 0.99 * rows.largest_norm;
    filter = alike ? Filter::u8 : Filter::f32;
  }
  return filter == Filter::u8 && rows.d > 32768 ? Filter::f32 : filter;
}

}  // namespace

// What pairs of a tile must reach in bytes.
struct BlockJoin::ByteBounds {
  std::int32_t thresholds[block], offsets[block], points[block], bias[block];
};

// What a thread needs for one tile.
struct BlockJoin::Tile {
  float bounds[2][block];
  ByteBounds first, second;
  float thresholds[block], offsets[block], points[block], biases[block];
  std::uint32_t hits[block * block];
  // Room for the sums of a block, where there are no hits yet.
  std::int32_t* sums() { return reinterpret_cast<std::int32_t*>(hits); }

  std::vector<std::pair<std::uint32_t, float>> kept;
  Buffer<std::int8_t> codes;
  Buffer<std::int16_t> scratch;
  Buffer<float> packed, rows;
  std::size_t packed_at = SIZE_MAX, skip_bytes = 0;
};

BlockJoin::Codes::Codes(const Rows& rows, const std::vector<std::uint32_t>& order, double error)
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
  worst_of_all = *std::max_element(worst.begin(), worst.end());
}

BlockJoin::BlockJoin(const Rows& rows, std::size_t k, Filter filter, std::size_t threads,
                     std::uint64_t seed)
    : rows_(rows),
      threads_(threads),
      scorer_(rows),
      reach_(rows),
      order_(bisect(rows.x, rows.n, rows.d, block, seed)),
      all_places_(rows.n),
      blocks_((rows.n + block - 1) / block),
      lists_(rows.n, k),
      locks_(blocks_),
      centres_(blocks_ * rows.d),
      radius_(blocks_),
      least_norm_(blocks_, infinity) {
  std::iota(all_places_.begin(), all_places_.end(), 0u);
  filter = possible(rows, filter);
  if (filter == Filter::u8) bytes_.emplace(rows, order_);
  if (filter != Filter::none) floats_.emplace(rows, order_.data());
  parallel_for(blocks_, 1, [&](std::size_t b, std::size_t) { prepare(b); });
  parallel_for(blocks_, 1, [&](std::size_t b, std::size_t) { within(b); }, threads_);
  near_ = nearest_blocks();
  parallel_for(
      near_.size(), 1,
      [&](std::size_t at, std::size_t) {
        join(fresh_tile(), places(near_[at] / blocks_), places(near_[at] % blocks_));
      },
      threads_);
  choose_head();
}

void BlockJoin::join_all() {
  // Strips of tiles: a row of blocks against up to `strip` later ones.
  const std::size_t strips = (blocks_ + strip - 1) / strip;
  parallel_for(
      blocks_ * strips, 1,
      [&](std::size_t at, std::size_t) {
        const std::size_t a = at / strips, first = at % strips * strip;
        Tile& tile = fresh_tile();
        for (std::size_t b = std::max(a + 1, first); b < std::min(first + strip, blocks_); ++b)
          if (!joined(a, b)) join(tile, places(a), places(b));
      },
      threads_);
}

// Some rows at a time; all that ask for a block are joined with it together.
void BlockJoin::join_nearest(std::size_t probes) {
  probes = std::min(probes, blocks_);
  if (!bytes_) return join_all();
  const Centres centres = encode_centres();
  for (std::size_t from = 0; from < rows_.n; from += probing) {
    const std::size_t count = std::min(probing, rows_.n - from);
    std::vector<std::vector<std::uint32_t>> wanted(count);
    parallel_for(
        count, 16,
        [&](std::size_t begin, std::size_t end) {
          choose_blocks(centres, from + begin, end - begin, probes, wanted.data() + begin);
        },
        threads_);
    std::vector<std::size_t> starts(blocks_ + 1, 0);
    for (const auto& blocks : wanted)
      for (const std::uint32_t b : blocks) ++starts[b + 1];
    for (std::size_t b = 0; b < blocks_; ++b) starts[b + 1] += starts[b];
    std::vector<std::uint32_t> askers(starts.back());
    std::vector<std::size_t> next(starts.begin(), starts.end() - 1);
    for (std::size_t i = 0; i < count; ++i)
      for (const std::uint32_t b : wanted[i])
        askers[next[b]++] = static_cast<std::uint32_t>(from + i);
    parallel_for(
        blocks_, 1,
        [&](std::size_t b, std::size_t) {
          for (std::size_t at = starts[b]; at < starts[b + 1]; at += block)
            join(fresh_tile(), {askers.data() + at, std::min(block, starts[b + 1] - at), false},
                 places(b));
        },
        threads_);
  }
}

void BlockJoin::prepare(std::size_t b) {
  const std::size_t first = begin_of(b), last = end_of(b);
  const std::size_t d = rows_.d;
  std::vector<double> sum(d, 0.0);
  for (std::size_t p = first; p < last; ++p)
    for (std::size_t j = 0; j < d; ++j) sum[j] += static_cast<double>(row(p)[j]);
  float* centre = centres_.data() + b * d;
  for (std::size_t j = 0; j < d; ++j)
    centre[j] = static_cast<float>(sum[j] / static_cast<double>((last - first)));
  float farthest = 0;
  for (std::size_t p = first; p < last; ++p) {
    farthest = std::max(farthest, kernels<VectorKernels>().squared_l2(centre, row(p), d));
    least_norm_[b] =
        std::min(least_norm_[b], kernels<VectorKernels>().inner_product(row(p), row(p), d));
  }
  radius_[b] = std::sqrt(static_cast<double>(farthest));
}

BlockJoin::Tile& BlockJoin::fresh_tile() {
  thread_local std::unique_ptr<Tile> tile;
  if (!tile) tile = std::make_unique<Tile>();
  tile->packed_at = SIZE_MAX;
  return *tile;
}

// A block with itself.
void BlockJoin::within(std::size_t b) {
  Tile& tile = fresh_tile();
  const std::size_t first = begin_of(b), last = end_of(b);
  if (bytes_ && last - first == block && lists_.k() <= groups / 2) return begin_lists(tile, b);
  // Small parts first, so that the first rows meet few strangers.
  for (std::size_t step = 0; first + step < last; step += sub)
    for (std::size_t at = first; at + step < last; at += sub)
      join(tile, places(at, std::min(at + sub, last)),
           places(at + step, std::min(at + step + sub, last)));
}

// The same row by row: k others whose bytes are near say how far the k nearest are at most.
void BlockJoin::begin_lists(Tile& tile, std::size_t b) {
  const Codes& codes = *bytes_;
  const std::size_t first = b * block, padded = codes.bytes.padded_d(), k = lists_.k();
  const auto worst = static_cast<double>(codes.worst[b]);
  std::int32_t* sums = tile.sums();
  for (std::size_t i = 0; i < block; ++i) tile.first.bias[i] = codes.bytes.bias(first + i);
  tile.scratch.resize(block * padded);
  const FilterKernels& table = kernels<FilterKernels>();
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
float BlockJoin::value_within(double distance, std::size_t place, std::size_t b) const {
  const double squared = distance * distance, canonical = canonical_error(rows_.d);
  double value = squared * (1 + canonical);
  if (rows_.metric == Metric::inner_product) {
    const float* x = row(place);
    const auto own = static_cast<double>(kernels<VectorKernels>().inner_product(x, x, rows_.d));
    value = (squared - (own + static_cast<double>(least_norm_[b])) * (1 - canonical)) / 2 +
            canonical * rows_.largest_norm * rows_.largest_norm;
  }
  return std::nextafter(static_cast<float>(value), infinity);
}

// Pairs of blocks a < b, as a * blocks + b, of which either is among the nearest of the other.
std::vector<std::uint64_t> BlockJoin::nearest_blocks() const {
  const std::size_t count = std::min(near_blocks, blocks_ - 1), d = rows_.d;
  std::vector<std::uint64_t> pairs(blocks_ * count);
  parallel_for(
      blocks_, 16,
      [&](std::size_t begin, std::size_t end) {
        std::vector<std::pair<float, std::size_t>> others(blocks_);
        for (std::size_t a = begin; a < end; ++a) {
          for (std::size_t b = 0; b < blocks_; ++b)
            others[b] = {b == a ? infinity
                                : kernels<VectorKernels>().squared_l2(centres_.data() + a * d,
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
      threads_);
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

bool BlockJoin::joined(std::size_t a, std::size_t b) const {
  return a == b ||
         std::binary_search(near_.begin(), near_.end(), std::min(a, b) * blocks_ + std::max(a, b));
}

// How many directions to look along first, by what they leave of a sample of pairs at the bounds
// reached by now.
void BlockJoin::choose_head() {
  constexpr std::size_t sample = 256;
  if (!bytes_ || rows_.n < 16 * block || rows_.d < 24) return;
  directions_.emplace(rows_.x, rows_.n, rows_.d, std::min(rows_.d, std::end(heads)[-1]));
  const std::size_t most = directions_->size();
  Random random(1);
  std::vector<std::size_t> places(2 * sample);
  std::vector<float> x;
  for (std::size_t& place : places) {
    place = random.below(rows_.n);
    x.insert(x.end(), row(place), row(place) + rows_.d);
  }
  const Buffer<float> y = directions_->project(x.data(), places.size(), most);
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
        const float value =
            kernels<VectorKernels>().squared_l2(y.data() + i * most, y.data() + j * most, head);
        const float bound = std::max(lists_.bound(places[i]), lists_.bound(places[j]));
        passed +=
            std::sqrt(static_cast<double>(value)) - residual <= std::sqrt(reach_.squared(bound));
      }
    const double cost = fixed + static_cast<double>(head) +
                        second_look * static_cast<double>(passed) / (sample * sample);
    if (cost < least) least = cost, best = head;
  }
  if (best == 0) return;
  const Buffer<float> along = directions_->project(rows_.x, rows_.n, best);
  Rows rows = rows_;
  rows.x = along.data();
  rows.d = best;
  head_size_ = best;
  head_.emplace(rows, order_, directions_->rounding(rows_.largest_norm));
}

BlockJoin::Centres BlockJoin::encode_centres() const {
  const PairBytes& bytes = first_codes().bytes;
  const std::size_t padded = bytes.padded_d(), count = (blocks_ + 31) / 32 * 32;
  Centres out{Buffer<std::uint8_t>(count * padded, 128),
              Buffer<std::int32_t>(count, PairBytes::hopeless)};
  Buffer<float> along;
  if (head_) along = directions_->project(centres_.data(), blocks_, head_size_);
  std::vector<std::int8_t> codes(padded);
  for (std::size_t b = 0; b < blocks_; ++b) {
    out.bias[b] = bytes.encode(
        head_ ? along.data() + b * head_size_ : centres_.data() + b * rows_.d, codes.data());
    interleave(codes.data(), padded, b % 16, out.interleaved.data() + b / 16 * 16 * padded);
  }
  return out;
}

// The nearest blocks of up to 16 rows, without those that theirs are joined with.
void BlockJoin::choose_blocks(const Centres& centres, std::size_t from, std::size_t count,
                              std::size_t probes, std::vector<std::uint32_t>* wanted) const {
  const PairBytes& bytes = first_codes().bytes;
  const std::size_t padded = bytes.padded_d(), width = centres.bias.size();
  std::vector<std::int32_t> sums(16 * width), sorted;
  Buffer<std::int8_t> rows(16 * padded, 0);
  Buffer<std::int16_t> scratch(16 * padded);
  std::copy(bytes.codes(from), bytes.codes(from) + count * padded, rows.begin());
  const FilterKernels& table = kernels<FilterKernels>();
  table.sums_u8(rows.data(), scratch.data(), 16, centres.interleaved.data(), centres.bias.data(),
                width / 16, padded, sums.data(), width);
  std::vector<std::uint32_t> found(blocks_);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t* row = sums.data() + i * width;
    sorted.assign(row, row + blocks_);
    const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(probes - 1);
    std::nth_element(sorted.begin(), last, sorted.end(), std::greater<>());
    const std::size_t near = table.at_least(row, blocks_, *last, found.data());
    for (std::size_t h = 0; h < near; ++h)
      if (!joined((from + i) / block, found[h])) wanted[i].push_back(found[h]);
  }
}

void BlockJoin::join(Tile& tile, const Places& queries, const Places& points) {
  poll_interrupt();
  const float worst =
      std::max(read_bounds(tile.bounds[0], queries), read_bounds(tile.bounds[1], points));
  const std::size_t a = queries[0] / block, b = points[0] / block;
  if (queries.together && a != b && too_far(a, b, worst)) return;
  const std::size_t found = filter(tile, queries, points);
  if (found > 0) push(tile, found, queries, points);
}

// Calls f(begin, end) for the places of each block, its lists locked.
template <class F>
void BlockJoin::by_block(const Places& places, F f) {
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
float BlockJoin::read_bounds(float* bounds, const Places& places) {
  by_block(places, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) bounds[i] = lists_.bound(places[i]);
  });
  return *std::max_element(bounds, bounds + places.size);
}

// Whether no pair of the blocks is within this bound.
bool BlockJoin::too_far(std::size_t a, std::size_t b, float worst) const {
  if (worst == infinity || !floats_) return false;
  const std::size_t d = rows_.d;
  const double apart = std::sqrt(static_cast<double>(
      kernels<VectorKernels>().squared_l2(centres_.data() + a * d, centres_.data() + b * d, d)));
  const double spread = radius_[a] + radius_[b];
  // Float32 roots and centres are good for five digits.
  return apart - spread - 1e-5 * (apart + spread + rows_.largest_norm) >
         std::sqrt(reach_.squared(worst));
}

// Writes the pairs that may matter to tile.hits, rows and columns of the tile.
std::size_t BlockJoin::filter(Tile& tile, const Places& queries, const Places& points) const {
  if (!floats_) {
    std::size_t found = 0;
    for (std::uint32_t q = 0; q < queries.size; ++q)
      for (std::uint32_t p = 0; p < points.size; ++p) tile.hits[found++] = q << 16 | p;
    return found;
  }
  if (bytes_ && tile.skip_bytes == 0) return by_bytes(tile, queries, points);
  if (bytes_) --tile.skip_bytes;
  return by_floats(tile, queries, points);
}

std::size_t BlockJoin::by_bytes(Tile& tile, const Places& queries, const Places& points) const {
  const std::size_t nq = queries.padded(16), np = points.padded(32);
  // The queries' codes in one piece; the last rows' may end before the sixteenth.
  const auto gathered = [&](const PairBytes& bytes, std::size_t count) -> const std::int8_t* {
    if (queries.together && queries[0] + count <= rows_.n) return bytes.codes(queries[0]);
    const std::size_t padded = bytes.padded_d();
    tile.codes.resize(block * padded);
    for (std::size_t i = 0; i < count; ++i)
      if (i < queries.size)
        std::copy_n(bytes.codes(queries[i]), padded, tile.codes.data() + i * padded);
      else
        std::fill_n(tile.codes.data() + i * padded, padded, std::int8_t{0});
    return tile.codes.data();
  };
  const Codes& codes = first_codes();
  const std::size_t padded = codes.bytes.padded_d();
  ByteBounds &first = tile.first, &second = tile.second;
  fill(first, codes, tile, queries, nq, points, np);
  tile.scratch.resize(nq * padded);
  const std::size_t found = kernels<PairKernels>().filter_pairs_u8(
      gathered(codes.bytes, nq), tile.scratch.data(), nq,
      codes.interleaved.data() + points[0] * padded, first.bias, np / 16, padded, first.thresholds,
      first.offsets, first.points, tile.hits);
  if (!head_ || found == 0) return found;
  fill(second, *bytes_, tile, queries, queries.size, points, points.size);
  return kernels<PairKernels>().keep_pairs_u8(
      gathered(bytes_->bytes, queries.size), bytes_->bytes.codes(points[0]),
      bytes_->bytes.padded_d(), second.thresholds, second.offsets, second.points, second.bias,
      tile.hits, found);
}

// Rows behind the last ones only fill up.
void BlockJoin::fill(ByteBounds& out, const Codes& codes, const Tile& tile, const Places& queries,
                     std::size_t nq, const Places& points, std::size_t np) const {
  const auto of_queries = static_cast<double>(queries.together ? codes.worst[queries[0] / block]
                                                               : codes.worst_of_all),
             of_points = static_cast<double>(codes.worst[points[0] / block]);
  for (std::size_t i = 0; i < queries.size; ++i) {
    const std::size_t p = queries[i];
    out.thresholds[i] = codes.bytes.least(p, reach_.squared(tile.bounds[0][i]), of_points);
    out.offsets[i] = codes.bytes.offset(p);
  }
  for (std::size_t i = queries.size; i < nq; ++i) {
    out.thresholds[i] = PairBytes::never;
    out.offsets[i] = PairBytes::hopeless;
  }
  for (std::size_t i = 0; i < points.size; ++i) {
    const std::size_t p = points[0] + i;
    out.points[i] = codes.bytes.least(p, reach_.squared(tile.bounds[1][i]), of_queries);
    out.bias[i] = codes.bytes.bias(p);
  }
  for (std::size_t i = points.size; i < np; ++i) {
    out.points[i] = PairBytes::never;
    out.bias[i] = PairBytes::hopeless;
  }
}

std::size_t BlockJoin::by_floats(Tile& tile, const Places& queries, const Places& points) const {
  const std::size_t nq = queries.padded(16), d = rows_.d;
  const bool whole = queries.together && queries.size == block;
  if (!whole || tile.packed_at != queries[0]) {
    tile.packed.resize(block * d);
    for (std::size_t i = 0; i < queries.size; ++i) {
      const float* x = row(queries[i]);
      float* out = tile.packed.data() + i / 16 * 16 * d + i % 16;
      for (std::size_t j = 0; j < d; ++j) out[16 * j] = x[j];
    }
    tile.packed_at = whole ? queries[0] : SIZE_MAX;
  }
  tile.rows.resize(block * d);
  for (std::size_t i = 0; i < points.size; ++i) {
    const std::size_t p = points[i];
    std::copy(row(p), row(p) + d, tile.rows.begin() + static_cast<std::ptrdiff_t>(i * d));
    tile.biases[i] = floats_->bias(p);
    tile.points[i] = floats_->least(p, tile.bounds[1][i]);
  }
  for (std::size_t i = 0; i < nq; ++i) {
    const bool there = i < queries.size;
    tile.thresholds[i] = there ? floats_->least(queries[i], tile.bounds[0][i]) : infinity;
    // Rows that only fill up reach no point's threshold either.
    tile.offsets[i] = there ? floats_->bias(queries[i]) : -infinity;
  }
  return kernels<PairKernels>().filter_pairs_f32(tile.packed.data(), nq, tile.rows.data(),
                                                 tile.biases, points.size, d, tile.thresholds,
                                                 tile.offsets, tile.points, tile.hits);
}

// Canonical values first, without a lock, then the lists of one side and of the other.
void BlockJoin::push(Tile& tile, std::size_t found, const Places& queries, const Places& points) {
  constexpr std::size_t ahead = 6;
  tile.kept.clear();
  for (std::size_t h = 0; h < found; ++h) {
    if (h + ahead < found) {
      const std::uint32_t next = tile.hits[h + ahead];
      scorer_.prefetch(order_[queries[std::min<std::size_t>(next >> 16, queries.size - 1)]]);
      scorer_.prefetch(order_[points[std::min<std::size_t>(next & 0xffff, points.size - 1)]]);
    }
    const std::size_t i = tile.hits[h] >> 16, j = tile.hits[h] & 0xffff;
    // Filters report whole blocks; a block with itself has every pair twice.
    if (i >= queries.size || j >= points.size) continue;
    if (queries.together && queries[i] >= points[j]) continue;
    const float value = scorer_(order_[queries[i]], order_[points[j]]);
    if (value <= tile.bounds[0][i] || value <= tile.bounds[1][j])
      tile.kept.emplace_back(tile.hits[h], value);
  }
  if (bytes_ && queries[0] / block != points[0] / block &&
      static_cast<double>(found - tile.kept.size()) >
          most_in_vain * static_cast<double>(queries.size * points.size))
    tile.skip_bytes = rest;
  by_block(points, [&](std::size_t, std::size_t) {
    for (const auto& [hit, value] : tile.kept)
      lists_.push(points[hit & 0xffff], value, order_[queries[hit >> 16]]);
  });
  // By query, and so by block.
  if (!queries.together) std::sort(tile.kept.begin(), tile.kept.end());
  auto hit = tile.kept.begin();
  by_block(queries, [&](std::size_t, std::size_t end) {
    for (; hit != tile.kept.end() && hit->first >> 16 < end; ++hit)
      lists_.push(queries[hit->first >> 16], hit->second, order_[points[hit->first & 0xffff]]);
  });
}

}  // namespace kf::neighbours
