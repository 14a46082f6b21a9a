#include "neighbours/tile_filter.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/random.h"
#include "core/threads.h"
#include "kernels/pairs.h"

namespace kf::neighbours {
namespace {

// Numbers of directions to choose from. A tile costs as much as `fixed` dimensions more; a pair
// that passes them as much as `second_look`.
constexpr std::size_t heads[] = {16, 24, 32, 48, 64, 96};
constexpr double fixed = 40, second_look = 2000;

Filter possible(const Rows& rows, Filter filter) {
  // Squares of huge numbers overflow float32, those of tiny ones vanish in it, and with them every
  // bound.
  if (!scan::sound(rows.largest_norm)) return Filter::none;
  // Bytes along a few directions pay at every level, with 8-bit products in hardware or without.
  if (filter == Filter::automatic) {
    const bool alike = rows.metric == Metric::l2 || rows.mean_norm > 0.99 * rows.largest_norm;
    filter = alike ? Filter::u8 : Filter::f32;
  }
  return filter == Filter::u8 && rows.d > 32768 ? Filter::f32 : filter;
}

}  // namespace

BlockCodes::BlockCodes(const Rows& rows, const std::vector<std::uint32_t>& order, double error)
    : bytes(rows, order.data(), error),
      interleaved((rows.n + Blocks::size - 1) / Blocks::size * Blocks::size * bytes.padded_d(),
                  128),
      worst((rows.n + Blocks::size - 1) / Blocks::size, 0.0f) {
  parallel_for(worst.size(), 1, [&](std::size_t b, std::size_t) {
    const std::size_t padded = bytes.padded_d();
    for (std::size_t p = b * Blocks::size; p < std::min(rows.n, (b + 1) * Blocks::size); ++p) {
      interleave(bytes.codes(p), padded, p % 16, interleaved.data() + p / 16 * 16 * padded);
      worst[b] = std::max(worst[b], bytes.residual(p));
    }
  });
  worst_of_all = *std::max_element(worst.begin(), worst.end());
}

TileFilter::TileFilter(const Blocks& blocks, Filter wish) : blocks_(blocks), reach_(blocks.rows()) {
  const Filter filter = possible(blocks.rows(), wish);
  if (filter == Filter::u8) bytes_.emplace(blocks.rows(), blocks.order());
  if (filter != Filter::none) floats_.emplace(blocks.rows(), blocks.order().data());
}

void TileFilter::choose_head(const NeighbourLists& lists) {
  constexpr std::size_t sample = 256;
  const Rows& all = blocks_.rows();
  if (!bytes_ || all.n < 16 * Blocks::size || all.d < 24) return;
  directions_.emplace(all.x, all.n, all.d, std::min(all.d, std::end(heads)[-1]));
  const std::size_t most = directions_->size();
  Random random(1);
  std::vector<std::size_t> places(2 * sample);
  std::vector<float> x;
  for (std::size_t& place : places) {
    place = random.below(all.n);
    x.insert(x.end(), blocks_.row(place), blocks_.row(place) + all.d);
  }
  const Buffer<float> y = directions_->project(x.data(), places.size(), most);
  Shadow shadow(most, Metric::l2);
  shadow.fit(y.data(), places.size());
  double least = fixed + static_cast<double>(bytes_->bytes.padded_d());
  for (const std::size_t head : heads) {
    if (head >= all.d) break;
    const Distance squared(Metric::l2, head);
    // Two codes, each within half a step of every number.
    const double residual =
        2 * static_cast<double>(shadow.scale()) * std::sqrt(static_cast<double>(head) / 12);
    std::size_t passed = 0;
    for (std::size_t i = 0; i < sample; ++i)
      for (std::size_t j = sample; j < 2 * sample; ++j) {
        const float value = squared(y.data() + i * most, y.data() + j * most);
        const float bound = std::max(lists.bound(places[i]), lists.bound(places[j]));
        passed +=
            std::sqrt(static_cast<double>(value)) - residual <= std::sqrt(reach_.squared(bound));
      }
    const double cost = fixed + static_cast<double>(head) +
                        second_look * static_cast<double>(passed) / (sample * sample);
    if (cost < least) least = cost, head_size_ = head;
  }
  if (head_size_ == 0) return;
  const Buffer<float> along = directions_->project(all.x, all.n, head_size_);
  Rows rows = all;
  rows.x = along.data();
  rows.d = head_size_;
  head_.emplace(rows, blocks_.order(), directions_->rounding(all.largest_norm));
}

Buffer<float> TileFilter::along_head(const float* x, std::size_t n) const {
  if (head_) return directions_->project(x, n, head_size_);
  return {x, x + n * blocks_.rows().d};
}

std::size_t TileFilter::pairs(Tile& tile, const Side& queries, const Side& points) const {
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

std::size_t TileFilter::by_bytes(Tile& tile, const Side& queries, const Side& points) const {
  const auto fill = [&](ByteTile& out, const BlockCodes& codes) {
    out.fill(codes.bytes, reach_, queries, points,
             static_cast<double>(queries.together ? codes.worst[queries[0] / Blocks::size]
                                                  : codes.worst_of_all),
             static_cast<double>(codes.worst[points[0] / Blocks::size]));
  };
  // The queries' codes in one piece; the last rows' may end before the sixteenth.
  const auto codes_of = [&](ByteTile& room, const PairBytes& bytes, std::size_t count) {
    return queries.together && queries[0] + count <= blocks_.rows().n ? bytes.codes(queries[0])
                                                                      : room.gather(bytes, queries);
  };
  const BlockCodes& codes = first();
  fill(tile.first, codes);
  const std::size_t found =
      tile.first.filter(codes_of(tile.first, codes.bytes, queries.padded(16)),
                        codes.interleaved.data() + points[0] * codes.bytes.padded_d(), tile.hits);
  if (!head_ || found == 0) return found;
  fill(tile.second, *bytes_);
  return tile.second.keep(codes_of(tile.second, bytes_->bytes, queries.size),
                          bytes_->bytes.codes(points[0]), tile.hits, found);
}

std::size_t TileFilter::by_floats(Tile& tile, const Side& queries, const Side& points) const {
  const std::size_t nq = queries.padded(16), d = blocks_.rows().d;
  const bool whole = queries.together && queries.size == Blocks::size;
  if (!whole || tile.packed_at != queries[0]) {
    tile.packed.resize(Blocks::size * d);
    for (std::size_t i = 0; i < queries.size; ++i) {
      const float* x = blocks_.row(queries[i]);
      float* out = tile.packed.data() + i / 16 * 16 * d + i % 16;
      for (std::size_t j = 0; j < d; ++j) out[16 * j] = x[j];
    }
    tile.packed_at = whole ? queries[0] : SIZE_MAX;
  }
  tile.rows.resize(Blocks::size * d);
  for (std::size_t i = 0; i < points.size; ++i) {
    const std::size_t p = points[i];
    std::copy_n(blocks_.row(p), d, tile.rows.data() + i * d);
    tile.biases[i] = floats_->bias(p);
    tile.points[i] = floats_->least(p, points.bounds[i]);
  }
  for (std::size_t i = 0; i < nq; ++i) {
    const bool there = i < queries.size;
    tile.thresholds[i] = there ? floats_->least(queries[i], queries.bounds[i]) : infinity;
    // Rows that only fill up reach no point's threshold either.
    tile.offsets[i] = there ? floats_->bias(queries[i]) : -infinity;
  }
  return kernels<PairKernels>().filter_pairs_f32(tile.packed.data(), nq, tile.rows.data(),
                                                 tile.biases, points.size, d, tile.thresholds,
                                                 tile.offsets, tile.points, tile.hits);
}

}  // namespace kf::neighbours
