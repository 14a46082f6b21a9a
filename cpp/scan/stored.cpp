#include "scan/stored.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/vectors.h"
#include "scan/base.h"

namespace kf::scan {

void Stored::decode(const std::uint8_t* bytes, float* out) const {
  if (!steps) return kernels<VectorKernels>().bytes_to_floats(bytes, d, scale, centre, out);
  // Products are exact in float64: rounded once, alike at every level.
  for (std::size_t j = 0; j < d; ++j)
    out[j] = static_cast<float>(static_cast<double>(static_cast<int>(bytes[j]) - 128) *
                                    static_cast<double>(steps[j]) +
                                static_cast<double>(centre[j]));
}

const float* Stored::decoded(std::size_t i, float* scratch) const {
  if (format == Format::f16) {
    kernels<VectorKernels>().halves_to_floats(static_cast<const std::uint16_t*>(data) + i * d, d,
                                              scratch);
    return scratch;
  }
  const auto* codes = static_cast<const std::uint8_t*>(data);
  if (format == Format::bytes) {
    decode(codes + i * padded_d, scratch);
    return scratch;
  }
  const std::uint8_t* from = codes + i / 16 * 16 * padded_d + i % 16 * 4;
  auto* bytes = reinterpret_cast<std::uint8_t*>(scratch + (d + 3) / 4 * 4);
  for (std::size_t j = 0; j < d; j += 4) std::memcpy(bytes + j, from + 16 * j, 4);
  decode(bytes, scratch);
  return scratch;
}

double Stored::largest_norm(std::size_t n) const {
  const auto product = kernels<VectorKernels>().inner_product;
  std::vector<float> room(scratch());
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float* x = row(i, room.data());
    largest = std::max(largest, static_cast<double>(product(x, x, d)));
  }
  return std::sqrt(largest * (1 + canonical_error(d)));
}

Stored stored_vectors(const Named& arrays, const std::string& name, std::size_t n, std::size_t d) {
  Stored out;
  out.d = out.padded_d = d;
  out.format = arrays.array(name).type == Type::f16 ? Stored::Format::f16 : Stored::Format::f32;
  out.data = out.format == Stored::Format::f16
                 ? static_cast<const void*>(arrays.take<Half>(name, {n, d}))
                 : arrays.take<float>(name, {n, d});
  return out;
}

}  // namespace kf::scan
