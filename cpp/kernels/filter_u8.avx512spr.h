// AMX: 32 queries by 32 points in four accumulator tiles; each 16x16 product of 64 dimensions is
// one TDPBSUD. The accumulators start at the bias (loaded with stride 0: the same row for all
// queries), are stored once, and compared with the thresholds row by row.

namespace kf::KF_LEVEL {
namespace {

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};
};

// The sums of 16 queries by 32 points, rows 32 apart; of these queries the ones below `used`.
template <class Sink>
inline void report(const std::int32_t* sums, std::uint32_t query, std::uint32_t used,
                   std::uint32_t point, Sink& sink) {
  for (std::uint32_t row = 0; row < 16 && query + row < used; ++row) {
    const __m512i both[2] = {_mm512_load_si512(sums + 32 * row),
                             _mm512_load_si512(sums + 32 * row + 16)};
    sink.take(query + row, point, both);
  }
}

// `used` of the nq queries are told of: what fills up a tile is never found, whatever the biases.
template <class Sink>
inline void scan_tiles(const std::int8_t* queries, std::size_t nq, std::size_t used,
                       const std::uint8_t* codes, const std::int32_t* bias, std::size_t blocks,
                       std::size_t d, Sink& sink) {
  const std::size_t steps = (d + 63) / 64, depth = d / steps;
  TileConfig config;
  for (int t = 0; t < 4; ++t) config.rows[t] = 16, config.bytes[t] = 64;
  for (int t = 4; t < 6; ++t)
    config.rows[t] = 16, config.bytes[t] = static_cast<std::uint16_t>(depth);
  for (int t = 6; t < 8; ++t)
    config.rows[t] = static_cast<std::uint8_t>(depth / 4), config.bytes[t] = 64;
  _tile_loadconfig(&config);

  alignas(64) std::int32_t sums[2][32 * 32];
  std::size_t turn = 0;
  const std::size_t stride = 16 * d;
  // The sums of one pair of blocks are compared while the next are multiplied.
  const std::int32_t* pending = nullptr;
  std::uint32_t pending_query = 0, pending_point = 0;
  bool pending_pair = false;
  const auto flush = [&] {
    if (!pending) return;
    const auto last = static_cast<std::uint32_t>(used);
    report(pending, pending_query, last, pending_point, sink);
    if (pending_pair) report(pending + 512, pending_query + 16, last, pending_point, sink);
  };
  for (std::size_t block = 0; block < blocks; block += 2) {
    const std::uint8_t* x = codes + block * stride;
    const std::int32_t* start = bias + 16 * block;
    // The next pairs but one, into the second level.
    for (std::size_t at = 0; at < 2 * stride; at += 64)
      __builtin_prefetch(x + 4 * stride + at, 0, 2);
    for (std::size_t q = 0; q < nq; q += 32) {
      const bool pair = q + 16 < nq;
      const std::int8_t* y = queries + q * d;
      std::int32_t* out = sums[turn ^= 1];
      _tile_loadd(0, start, 0);
      _tile_loadd(1, start + 16, 0);
      if (pair) {
        _tile_loadd(2, start, 0);
        _tile_loadd(3, start + 16, 0);
        for (std::size_t step = 0; step < steps; ++step) {
          _tile_loadd(4, y + step * depth, static_cast<long>(d));
          _tile_loadd(6, x + step * depth * 16, 64);
          _tile_dpbsud(0, 4, 6);
          _tile_loadd(7, x + stride + step * depth * 16, 64);
          _tile_dpbsud(1, 4, 7);
          _tile_loadd(5, y + 16 * d + step * depth, static_cast<long>(d));
          _tile_dpbsud(2, 5, 6);
          _tile_dpbsud(3, 5, 7);
        }
        _tile_stored(0, out, 128);
        _tile_stored(1, out + 16, 128);
        _tile_stored(2, out + 512, 128);
        _tile_stored(3, out + 528, 128);
      } else {
        for (std::size_t step = 0; step < steps; ++step) {
          _tile_loadd(4, y + step * depth, static_cast<long>(d));
          _tile_loadd(6, x + step * depth * 16, 64);
          _tile_dpbsud(0, 4, 6);
          _tile_loadd(7, x + stride + step * depth * 16, 64);
          _tile_dpbsud(1, 4, 7);
        }
        _tile_stored(0, out, 128);
        _tile_stored(1, out + 16, 128);
      }
      flush();
      pending = out;
      pending_query = static_cast<std::uint32_t>(q);
      pending_point = static_cast<std::uint32_t>(16 * block);
      pending_pair = pair;
    }
  }
  flush();
  _tile_release();
}

}  // namespace
}  // namespace kf::KF_LEVEL
