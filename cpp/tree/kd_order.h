#pragma once
// Which points share a bucket: median splits along the widest dimension.

#include <cstddef>
#include <cstdint>

namespace kf::tree {

// Writes the n rows of data (n, d) into `order` such that every run of `bucket` 16^h positions that
// begins at a multiple of its length is a node. The answer depends on no number of threads.
template <class T>
void kd_order(const T* data, std::size_t n, std::size_t d, std::size_t bucket,
              std::uint32_t* order);

extern template void kd_order(const float*, std::size_t, std::size_t, std::size_t, std::uint32_t*);
extern template void kd_order(const double*, std::size_t, std::size_t, std::size_t, std::uint32_t*);

}  // namespace kf::tree
