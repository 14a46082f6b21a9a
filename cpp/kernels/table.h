#pragma once
// The kernels' common declaration: one table of function pointers per level, generated from
// list.def. Kernel files include this, <cstddef>, <cstdint>, simd/vec.h and intrinsics; nothing of
// the standard library's templates, which the linker could merge into code for older processors.

#include <cstddef>
#include <cstdint>

#ifndef KF_LEVEL
#define KF_LEVEL none
#endif

namespace kf {

// Correspondences from (ax, ay) to (bx, by), n of each, and the logarithm of their ratio of feature
// scales.
struct TransferSet {
  const float *ax, *ay, *bx, *by, *log_scale;
  float scale_slack;  // largest difference of a correspondence's logarithm from the map's
  std::size_t n;
};

// Product codes that lie row by row: m subquantizers of 8 or 4 bits, then perhaps bytes that belong
// to something else.
struct ProductRows {
  const std::uint8_t* codes;  // (n, width)
  std::size_t n, width, m, bits;
};

// Codebooks rounded to bytes, for the 8-bit filter: pieces of `piece` dimensions, a multiple of 4.
struct ByteCodebooks {
  const std::uint8_t* codebooks;  // (m, k, piece)
  const std::int32_t* norms;  // (m, k): squared norms in code units, or null where the bias is 0
  std::size_t m, bits, piece, width, padded_d;
};

struct KernelTable {
#define KF_KERNEL(ret, name, ...) ret (*name)(__VA_ARGS__);
#include "kernels/list.def"
#undef KF_KERNEL
};

// The table of the level in use. Take it once, outside loops.
const KernelTable& kernels();

#define KF_DECLARE_LEVEL(level)   \
  namespace level {               \
  extern const KernelTable table; \
  }
KF_DECLARE_LEVEL(baseline)
KF_DECLARE_LEVEL(avx2)
KF_DECLARE_LEVEL(avx512)
KF_DECLARE_LEVEL(avx512icl)
KF_DECLARE_LEVEL(avx512spr)
#undef KF_DECLARE_LEVEL

#ifdef KF_LEVEL_RANK
namespace KF_LEVEL {
#define KF_KERNEL(ret, name, ...) ret name(__VA_ARGS__);
#include "kernels/list.def"
#undef KF_KERNEL
}  // namespace KF_LEVEL
#endif

}  // namespace kf
