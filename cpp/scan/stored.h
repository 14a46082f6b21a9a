#pragma once
// Vectors as an index keeps them: float32, float16, or bytes around a centre. What they stand for
// is a float32 vector; that is what distances are taken to.

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/named.h"
#include "core/prefetch.h"

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
  const float* row(std::size_t i, float* scratch) const {
    return format == Format::f32 ? static_cast<const float*>(data) + i * d : decoded(i, scratch);
  }
  // The vector of bytes.
  void decode(const std::uint8_t* bytes, float* out) const;
  // Floats that row() may write.
  std::size_t scratch() const { return (d + 3) / 4 * 5; }
  // The largest norm of n rows, with what float32 may have hidden.
  double largest_norm(std::size_t n) const;

  void prefetch(std::size_t i) const {
    const std::size_t size = format == Format::f32     ? 4 * d
                             : format == Format::f16   ? 2 * d
                             : format == Format::bytes ? padded_d
                                                       : 0;
    prefetch_row(static_cast<const char*>(data) + i * size, size);
  }

 private:
  const float* decoded(std::size_t i, float* scratch) const;
};

// Vectors (n, d) of float32 or float16 by name.
Stored stored_vectors(const Named& arrays, const std::string& name, std::size_t n, std::size_t d);

}  // namespace kf::scan
