#pragma once
// Sorting keys by their digits.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace kf {

// Sorts n keys by their bits [first, end), `Digit` of them at a time, equal ones as they came. Returns
// where the result lies, keys or spare (n of each). Bits from `end` on up to whole digits count too.
template <unsigned Digit = 8>
std::uint64_t* radix_sort(std::uint64_t* keys, std::uint64_t* spare, std::size_t n, unsigned first,
                          unsigned end) {
  for (unsigned shift = first; shift < end; shift += Digit) {
    const auto digit = [&](std::uint64_t key) { return key >> shift & ((1u << Digit) - 1); };
    std::array<std::size_t, std::size_t{1} << Digit> place{};
    for (std::size_t i = 0; i < n; ++i) ++place[digit(keys[i])];
    if (n == 0 || place[digit(keys[0])] == n) continue;  // all share it
    std::size_t sum = 0;
    for (std::size_t& count : place) sum += std::exchange(count, sum);
    for (std::size_t i = 0; i < n; ++i) spare[place[digit(keys[i])]++] = keys[i];
    std::swap(keys, spare);
  }
  return keys;
}

}  // namespace kf
