#pragma once
// Vectors as an index keeps them: float32, float16, or bytes around a centre. What they stand for
// is a float32 vector; that is what distances are taken to.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/named.h"
#include "core/prefetch.h"
#include "kernels/vectors.h"

namespace kf::scan {

struct Stored {
  enum class Format {
    f32,
    f16,
    bytes,   // row by row: (n, padded_d)
    blocks,  // as the 8-bit filter reads them: (n / 16, padded_d / 4, 16, 4)
  };
  Format format = Format::f32;
  const void* data = nullptr;
  std::size_t d = 0, padded_d = 0;
  float scale = 0;
  const float* steps = nullptr;  // one for each dimension, in place of scale
  const float* centre = nullptr;

  // The vector of a row: where it lies, or decoded into `scratch` (d rounded up to 4).
  const float* row(const VectorKernels& table, std::size_t i, float* scratch) const {
    switch (format) {
      case Format::f32:
        return static_cast<const float*>(data) + i * d;
      case Format::f16:
        table.halves_to_floats(static_cast<const std::uint16_t*>(data) + i * d, d, scratch);
        return scratch;
      case Format::bytes:
        decode(table, static_cast<const std::uint8_t*>(data) + i * padded_d, scratch);
        return scratch;
      case Format::blocks:
        break;
    }
    const auto* from = static_cast<const std::uint8_t*>(data) + i / 16 * 16 * padded_d + i % 16 * 4;
    auto* bytes = reinterpret_cast<std::uint8_t*>(scratch + (d + 3) / 4 * 4);
    for (std::size_t j = 0; j < d; j += 4) std::memcpy(bytes + j, from + 16 * j, 4);
    decode(table, bytes, scratch);
    return scratch;
  }
  void decode(const VectorKernels& table, const std::uint8_t* bytes, float* out) const {
    if (!steps) return table.bytes_to_floats(bytes, d, scale, centre, out);
    // Products are exact in float64: rounded once, alike at every level.
    for (std::size_t j = 0; j < d; ++j)
      out[j] = static_cast<float>(static_cast<double>(static_cast<int>(bytes[j]) - 128) *
                                      static_cast<double>(steps[j]) +
                                  static_cast<double>(centre[j]));
  }
  // Floats that row() may write.
  std::size_t scratch() const { return (d + 3) / 4 * 5; }

  void prefetch(std::size_t i) const {
    const std::size_t size = format == Format::f32     ? 4 * d
                             : format == Format::f16   ? 2 * d
                             : format == Format::bytes ? padded_d
                                                       : 0;
    prefetch_row(static_cast<const char*>(data) + i * size, size);
  }
};

// Vectors (n, d) of float32 or float16 by name.
inline Stored stored_vectors(const Named& arrays, const std::string& name, std::size_t n,
                             std::size_t d) {
  Stored out;
  out.d = out.padded_d = d;
  out.format = arrays.array(name).type == Type::f16 ? Stored::Format::f16 : Stored::Format::f32;
  out.data = out.format == Stored::Format::f16
                 ? static_cast<const void*>(arrays.take<Half>(name, {n, d}))
                 : arrays.take<float>(name, {n, d});
  return out;
}

}  // namespace kf::scan
