#include "geometry/match.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/radix.h"
#include "kernels/filters.h"
#include "kernels/geometry.h"

namespace kf::geometry {
namespace {

constexpr std::size_t tile = 32;  // queries whose sums are held: they stay in the second cache
constexpr std::int32_t nothing = std::numeric_limits<std::int32_t>::min() / 2;

std::size_t up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

// Tiles of at most 64 dimensions, all equal: what products of bytes work on.
std::size_t padded_dim(std::size_t d) { return up(d, 4 * ((d + 63) / 64)); }

struct Nearest {
  std::uint32_t row, column;
  std::int32_t distance;
};

Pairs one_to_one(std::vector<Nearest> found) {
  std::sort(found.begin(), found.end(), [](const Nearest& a, const Nearest& b) {
    return a.distance != b.distance ? a.distance < b.distance
           : a.row != b.row         ? a.row < b.row
                                    : a.column < b.column;
  });
  std::uint32_t rows = 0, columns = 0;
  for (const Nearest& pair : found)
    rows = std::max(rows, pair.row + 1), columns = std::max(columns, pair.column + 1);
  std::vector<std::uint8_t> row_taken(rows), column_taken(columns);
  Pairs kept;
  for (const Nearest& pair : found) {
    if (row_taken[pair.row] || column_taken[pair.column]) continue;
    row_taken[pair.row] = column_taken[pair.column] = 1;
    kept.emplace_back(pair.row, pair.column);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

// word << 32 | feature, ascending, of n words that lie `multiple` a feature; in room for twice as
// many.
const std::uint64_t* by_word(const std::int64_t* words, std::size_t n, std::size_t multiple,
                             std::uint64_t* room) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto word = static_cast<std::uint64_t>(words[i]);
    all |= word;
    room[i] = word << 32 | i / multiple;
  }
  return radix_sort(room, room + n, n, 32, 32 + static_cast<unsigned>(std::bit_width(all)));
}

bool clear(std::int32_t nearest, std::int32_t rival, double ratio) {
  return std::max(nearest, 0) < ratio * ratio * std::max(rival, 0);
}

}  // namespace

Coded::Coded(const std::uint8_t* codes, std::size_t n, std::size_t d, const float* positions)
    : n_(n),
      d_(d),
      padded_(padded_dim(d)),
      codes_(n * padded_, 0),
      half_norms_(n),
      sums_(n),
      next_(n) {
  for (std::size_t i = 0; i < n; ++i) {
    std::memcpy(codes_.data() + i * padded_, codes + i * d, d);
    std::int32_t sum = 0, squares = 0;
    for (std::size_t j = 0; j < d; ++j) {
      const std::int32_t code = codes[i * d + j];
      sum += code, squares += code * code;
    }
    sums_[i] = sum;
    half_norms_[i] = squares / 2;
  }
  std::iota(next_.begin(), next_.end(), 0u);
  std::vector<std::uint64_t> keys(n);
  for (std::size_t i = 0; i < n; ++i)
    keys[i] = std::uint64_t{std::bit_cast<std::uint32_t>(positions[2 * i] + 0.0f)} << 32 |
              std::bit_cast<std::uint32_t>(positions[2 * i + 1] + 0.0f);
  const std::size_t mask = std::bit_ceil(2 * n + 2) - 1;
  std::vector<std::uint32_t> table(mask + 1, 0);  // 1 + a feature at the place
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t at = (keys[i] * 0x9e3779b97f4a7c15ull >> 32) & mask;
    while (table[at] && keys[table[at] - 1] != keys[i]) at = (at + 1) & mask;
    if (table[at])
      std::swap(next_[i], next_[table[at] - 1]);
    else
      table[at] = static_cast<std::uint32_t>(i) + 1;
  }
}

Asking::Asking(const Coded& query)
    : query_(query),
      rows_(up(query.size(), tile)),
      shifted_(rows_ * query.padded()),
      half_norms_(rows_) {
  for (std::size_t i = 0; i < query.size(); ++i) {
    half_norms_[i] = query.half_norm(i);
    for (std::size_t j = 0; j < query.padded(); ++j)
      shifted_[i * query.padded() + j] = static_cast<std::int8_t>(query.row(i)[j] - 128);
  }
}

Pairs Asking::match(const Coded& photo, const MatchOptions& options) const {
  if (!query_.size() || !photo.size()) return {};
  const GeometryKernels& kernel = kernels<GeometryKernels>();
  const std::size_t d = photo.padded(), n = photo.size(), stride = up(n, 32), blocks = stride / 16;
  struct Blocked;
  std::uint8_t* codes = thread_scratch<std::uint8_t, Blocked>(stride * d);
  Buffer<std::int32_t> bias(stride, nothing), best(stride, nothing), sums(tile * stride);
  for (std::size_t p = 0; p < stride; ++p) {
    std::uint8_t* block = codes + p / 16 * 16 * d + p % 16 * 4;
    if (p < n) {
      // 128 times the sum makes up for the query's shift.
      bias[p] = 128 * photo.sum(p) - photo.half_norm(p);
      for (std::size_t j = 0; j < d; j += 4) std::memcpy(block + 16 * j, photo.row(p) + j, 4);
    } else {
      for (std::size_t j = 0; j < d; j += 4) std::memset(block + 16 * j, 0, 4);
    }
  }
  std::vector<std::uint32_t> arg(stride, 0);
  std::vector<std::int16_t> room(tile * d);
  std::vector<Nearest> found;
  for (std::size_t first = 0; first < query_.size(); first += tile) {
    const std::size_t rows = std::min(tile, query_.size() - first);
    kernels<FilterKernels>().sums_u8(shifted_.data() + first * d, room.data(), tile, codes,
                                     bias.data(), blocks, d, sums.data(), stride);
    if (options.mutual)
      kernel.column_best(sums.data(), rows, stride, half_norms_.data() + first,
                         static_cast<std::uint32_t>(first), best.data(), arg.data());
    for (std::size_t r = 0; r < rows; ++r) {
      std::int32_t* row = sums.data() + r * stride;
      const std::int32_t norm = half_norms_[first + r];
      std::int32_t nearest = 0;
      const std::size_t column = kernel.first_largest(row, n, &nearest);
      if (options.ratio < 1) {
        // A second orientation of the same keypoint looks alike and is no rival.
        std::size_t same = column;
        do {
          row[same] = nothing;
          same = photo.neighbour(same);
        } while (same != column);
        std::int32_t rival = 0;
        kernel.first_largest(row, n, &rival);
        if (rival != nothing && !clear(norm - nearest, norm - rival, options.ratio)) continue;
      }
      found.push_back({static_cast<std::uint32_t>(first + r), static_cast<std::uint32_t>(column),
                       norm - nearest});
    }
  }
  if (options.mutual)
    std::erase_if(found, [&](const Nearest& pair) { return arg[pair.column] != pair.row; });
  return one_to_one(std::move(found));
}

Pairs Asking::match_words(const Coded& photo, const std::int64_t* query_words,
                          const std::int64_t* photo_words, std::size_t multiple, std::size_t most,
                          const MatchOptions& options) const {
  if (!query_.size() || !photo.size()) return {};
  const std::size_t d = photo.padded(), n = photo.size();
  // Features of both sides, word by word.
  struct Held;
  struct Asked;
  const std::size_t uses = query_.size() * multiple;
  const std::uint64_t* held =
      by_word(photo_words, n, 1, thread_scratch<std::uint64_t, Held>(2 * n));
  const std::uint64_t* asked =
      by_word(query_words, uses, multiple, thread_scratch<std::uint64_t, Asked>(2 * uses));
  // For each of the query's features the ranges of `held` that share a word with it.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges(uses);
  std::vector<std::uint32_t> shared(query_.size(), 0);
  for (std::size_t i = 0, j = 0; i < uses;) {
    const std::uint64_t word = asked[i] >> 32;
    std::size_t end = i;
    while (end < uses && asked[end] >> 32 == word) ++end;
    while (j < n && held[j] >> 32 < word) ++j;
    std::size_t to = j;
    while (to < n && held[to] >> 32 == word) ++to;
    if (to > j && end - i <= most * multiple && to - j <= most)
      for (std::size_t k = i; k < end; ++k) {
        const auto q = static_cast<std::uint32_t>(asked[k]);
        ranges[q * multiple + shared[q]++] = {static_cast<std::uint32_t>(j),
                                              static_cast<std::uint32_t>(to)};
      }
    i = end, j = to;
  }
  std::vector<std::int32_t> bias(n), sums;
  for (std::size_t p = 0; p < n; ++p) bias[p] = 128 * photo.sum(p) - photo.half_norm(p);
  constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();
  std::vector<Nearest> best(n, {nobody, 0, std::numeric_limits<std::int32_t>::max()}), found;
  std::vector<std::uint32_t> rows;
  for (std::size_t q = 0; q < query_.size(); ++q) {
    rows.clear();
    for (std::size_t w = 0; w < shared[q]; ++w) {
      const auto [from, to] = ranges[q * multiple + w];
      for (std::size_t at = from; at < to; ++at)
        rows.push_back(static_cast<std::uint32_t>(held[at]));
    }
    if (rows.empty()) continue;
    sums.resize(rows.size());
    kernels<FilterKernels>().row_sums(shifted_.data() + q * d, d, photo.row(0), d, bias.data(),
                                      rows.data(), rows.size(), sums.data());
    Nearest nearest{static_cast<std::uint32_t>(q), nobody,
                    std::numeric_limits<std::int32_t>::max()};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::int32_t distance = half_norms_[q] - sums[i];
      if (distance < nearest.distance || (distance == nearest.distance && rows[i] < nearest.column))
        nearest.column = rows[i], nearest.distance = distance;
      if (distance < best[rows[i]].distance) best[rows[i]] = {nearest.row, rows[i], distance};
    }
    std::int32_t rival = std::numeric_limits<std::int32_t>::max();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      bool same = false;
      for (std::uint32_t at = photo.neighbour(nearest.column); at != nearest.column && !same;
           at = photo.neighbour(at))
        same = at == rows[i];
      if (rows[i] != nearest.column && !same) rival = std::min(rival, half_norms_[q] - sums[i]);
    }
    if (options.ratio < 1 && rival != std::numeric_limits<std::int32_t>::max() &&
        !clear(nearest.distance, rival, options.ratio))
      continue;
    found.push_back(nearest);
  }
  if (options.mutual)
    std::erase_if(found, [&](const Nearest& pair) { return best[pair.column].row != pair.row; });
  return one_to_one(std::move(found));
}

}  // namespace kf::geometry
