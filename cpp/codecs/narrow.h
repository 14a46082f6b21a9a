#pragma once
// Codes of 4, 6 or 8 bits in blocks of 16 rows: bytes whose lower bits are zero, for the price of
// their upper ones. See narrow_codes.cpp.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "kernels/narrow.h"
#include "scan/shadow.h"

namespace kf::codecs {

class NarrowLayout {
 public:
  NarrowLayout(std::size_t d, std::size_t bits)
      : bits_(bits), padded_d_(scan::pad_dimension(d)), lines_(padded_d_ / 4) {
    if (bits != 4 && bits != 6 && bits != 8) throw InvalidArgument("bits: expected 4, 6 or 8");
  }

  std::size_t bits() const { return bits_; }
  std::size_t padded_d() const { return padded_d_; }
  // Bytes of 16 rows.
  std::size_t block() const {
    return 64 * (bits_ == 8 ? lines_ : bits_ == 6 ? (lines_ + 3) / 4 * 3 : (lines_ + 1) / 2);
  }
  // Blocks of bytes as filter_u8 reads them, to narrow codes.
  void narrow(const std::uint8_t* bytes, std::size_t blocks, std::uint8_t* out) const {
    std::memset(out, 0, blocks * block());
    for (std::size_t b = 0; b < blocks; ++b)
      for (std::size_t at = 0; at < 64 * lines_; ++at)
        put(bytes[b * 64 * lines_ + at], at / 64, at % 64, out + b * block());
  }
  // Bytes of the rows of blocks [first, first + blocks).
  const std::uint8_t* wide(const std::uint8_t* codes, std::size_t first, std::size_t blocks,
                           std::uint8_t* out) const {
    if (bits_ == 8) return codes + first * block();
    kernels<NarrowKernels>().widen_codes(codes + first * block(), blocks, lines_, bits_, out);
    return out;
  }
  // The bytes of one row, padded_d of them.
  void row(const std::uint8_t* codes, std::size_t i, std::uint8_t* out) const {
    const std::uint8_t* from = codes + i / 16 * block() + i % 16 * 4;
    for (std::size_t line = 0; line < lines_; ++line) {
      const std::uint32_t four = get(from, line);
      std::memcpy(out + 4 * line, &four, 4);
    }
  }

 private:
  void put(std::uint8_t byte, std::size_t line, std::size_t at, std::uint8_t* block) const {
    const auto or_in = [](std::uint8_t& to, unsigned bits) {
      to = static_cast<std::uint8_t>(to | bits);
    };
    if (bits_ == 8) {
      block[64 * line + at] = byte;
    } else if (bits_ == 4) {
      or_in(block[64 * (line / 2) + at], line % 2 ? byte & 0xf0u : byte >> 4);
    } else {
      std::uint8_t* of = block + 192 * (line / 4) + at;
      if (line % 4 < 3) return or_in(of[64 * (line % 4)], byte & 0xfcu);
      for (unsigned part = 0; part < 3; ++part) or_in(of[64 * part], byte >> (6 - 2 * part) & 3u);
    }
  }
  static std::uint32_t word(const std::uint8_t* from) {
    std::uint32_t v = 0;
    std::memcpy(&v, from, 4);
    return v;
  }
  // Four bytes of a row side by side: what a shift brings in from the next is masked away.
  std::uint32_t get(const std::uint8_t* from, std::size_t line) const {
    if (bits_ == 8) return word(from + 64 * line);
    if (bits_ == 4) {
      const std::uint32_t v = word(from + 64 * (line / 2));
      return (line % 2 ? v : v << 4) & 0xf0f0f0f0u;
    }
    const std::uint8_t* of = from + 192 * (line / 4);
    if (line % 4 < 3) return word(of + 64 * (line % 4)) & 0xfcfcfcfcu;
    return (word(of) << 6 & 0xc0c0c0c0u) | (word(of + 64) << 4 & 0x30303030u) |
           (word(of + 128) << 2 & 0x0c0c0c0cu);
  }

  std::size_t bits_, padded_d_, lines_;
};

}  // namespace kf::codecs
