#include "neighbours/block_probe.h"

#include <algorithm>
#include <functional>

#include "kernels/filters.h"
#include "scan/search.h"

namespace kf::neighbours {

BlockProbe::BlockProbe(const Blocks& blocks, const TileFilter& filter)
    : bytes_(filter.first_bytes()),
      blocks_(blocks.count()),
      interleaved_((blocks_ + 31) / 32 * 32 * bytes_.padded_d(), 128),
      bias_((blocks_ + 31) / 32 * 32, PairBytes::hopeless) {
  const std::size_t padded = bytes_.padded_d();
  const Buffer<float> centres = filter.along_head(blocks.centres(), blocks_);
  const std::size_t d = centres.size() / blocks_;
  std::vector<std::int8_t> codes(padded);
  for (std::size_t b = 0; b < blocks_; ++b) {
    bias_[b] = bytes_.encode(centres.data() + b * d, codes.data());
    interleave(codes.data(), padded, b % 16, interleaved_.data() + b / 16 * 16 * padded);
  }
}

void BlockProbe::nearest(std::size_t from, std::size_t count, std::size_t probes,
                         std::vector<std::uint32_t>* found) const {
  const std::size_t padded = bytes_.padded_d(), width = bias_.size();
  std::vector<std::int32_t> sums(16 * width), sorted;
  Buffer<std::int8_t> rows(16 * padded, 0);
  Buffer<std::int16_t> scratch(16 * padded);
  std::copy(bytes_.codes(from), bytes_.codes(from) + count * padded, rows.begin());
  kernels<FilterKernels>().sums_u8(rows.data(), scratch.data(), 16, interleaved_.data(),
                                   bias_.data(), width / 16, padded, sums.data(), width);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t* row = sums.data() + i * width;
    sorted.assign(row, row + blocks_);
    const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(probes - 1);
    std::nth_element(sorted.begin(), last, sorted.end(), std::greater<>());
    found[i].resize(blocks_);
    found[i].resize(scan::at_least(row, blocks_, *last, found[i].data()));
  }
}

}  // namespace kf::neighbours
