#include "scan/search.h"

#include <functional>

#include "kernels/filters.h"

namespace kf::scan {

std::int32_t kth_largest(const std::int32_t* sums, std::size_t n, std::size_t k) {
  struct Scratch;
  const std::size_t groups = (2 * k + 63) / 64 * 64;
  auto* values = thread_scratch<std::int32_t, Scratch>(n);
  std::size_t count = n;
  if (n >= 4 * groups) {
    // The k-th largest of the groups' maxima is at most what is sought: few numbers reach it.
    kernels<FilterKernels>().group_max(sums, n, groups, values);
    std::nth_element(values, values + k - 1, values + groups, std::greater<>());
    auto* where = thread_scratch<std::uint32_t, Scratch>(n);
    count = at_least(sums, n, values[k - 1], where);
    for (std::size_t i = 0; i < count; ++i) values[i] = sums[where[i]];
  } else {
    std::copy(sums, sums + n, values);
  }
  std::nth_element(values, values + k - 1, values + count, std::greater<>());
  return values[k - 1];
}

std::size_t at_least(const std::int32_t* sums, std::size_t n, std::int32_t least,
                     std::uint32_t* where) {
  return kernels<FilterKernels>().at_least(sums, n, least, where);
}

}  // namespace kf::scan
