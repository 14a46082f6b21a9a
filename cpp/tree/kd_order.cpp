// Splits move integers of 64 bits, a coordinate above a row number: no two are equal, so that
// points that are all the same split like any others. Selection is by sampled pivots (Floyd &
// Rivest 1975) and partitions without branches. Large parts read coordinates where they lie; small
// ones copy them first, so that the rest happens in cache.

#include "tree/kd_order.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "core/buffer.h"
#include "core/threads.h"
#include "kernels/tree.h"

namespace kf::tree {
namespace {

using Key = std::uint64_t;

// Parts of so many points copy their coordinates for the splits below: into the second cache, then
// into the first.
constexpr std::size_t copied_points[] = {1 << 15, 1 << 11, 0};
// Points that are looked at for the widest dimension.
constexpr std::size_t looked_at = 64;
// Keys ahead of the one whose coordinate is read.
constexpr std::size_t ahead = 24;
// The partition's kernel stores whole registers.
constexpr std::size_t margin = 8;

// Floats as integers of the same order.
std::uint32_t ordered(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
}

// Puts the `rank` smallest of n distinct numbers first.
void select(const TreeKernels& table, Key* keys, std::size_t n, std::size_t rank, Key* spare) {
  // Samples that mislead again and again must not cost quadratic time.
  for (int round = 0; round < 40 && n > 24 && rank > 0 && rank < n; ++round) {
    // Two pivots on both sides of where the rank should lie; a wrong guess costs a round.
    Key sample[256];
    const std::size_t size = std::clamp<std::size_t>(n / 16, 5, 256), step = n / size;
    for (std::size_t i = 0; i < size; ++i) sample[i] = keys[i * step + step / 2];
    std::sort(sample, sample + size);
    const auto expected =
        static_cast<double>(rank) * static_cast<double>(size) / static_cast<double>(n);
    const double slack = size < 16 ? 0 : 0.8 * std::sqrt(static_cast<double>(size));
    const auto at = [&](double place) {
      return sample[static_cast<std::size_t>(
          std::clamp(place, 0.0, static_cast<double>(size - 1)))];
    };
    const std::size_t below = table.kd_partition(keys, n, at(expected + slack), spare);
    if (below <= rank) {
      // The pivot itself is among the rest: at worst it alone leaves.
      if (below == 0) {
        std::iter_swap(keys, std::min_element(keys, keys + n));
        ++keys, --n, --rank;
      } else {
        keys += below, n -= below, rank -= below;
      }
      continue;
    }
    n = below;
    if (slack == 0) continue;
    const std::size_t lower = table.kd_partition(keys, n, at(expected - slack), spare);
    if (lower <= rank)
      keys += lower, n -= lower, rank -= lower;
    else
      n = lower;
  }
  if (rank > 0 && rank < n) std::nth_element(keys, keys + rank, keys + n);
}

// A run of positions that becomes `children` nodes of `span` points, the last perhaps of fewer.
struct Part {
  std::size_t begin, end, span, children;
};

template <class T>
class Splitter {
 public:
  // Rows of `data` by number.
  Splitter(const T* data, std::size_t d) : data_(data), d_(d), least_(d), most_(d) {}

  // Puts the points of the first `rank` keys below the others, along the widest dimension. Keys
  // hold rows in their lower half.
  void split(Key* keys, std::size_t n, std::size_t rank, Key* spare) {
    const std::size_t step = std::max<std::size_t>(1, n / looked_at);
    const T* first = row(keys[0]);
    std::copy_n(first, d_, least_.begin());
    std::copy_n(first, d_, most_.begin());
    for (std::size_t i = step; i < n; i += step) {
      const T* x = row(keys[i]);
      for (std::size_t j = 0; j < d_; ++j) {
        least_[j] = std::min(least_[j], x[j]);
        most_[j] = std::max(most_[j], x[j]);
      }
    }
    std::size_t widest = 0;
    for (std::size_t j = 1; j < d_; ++j)
      if (most_[j] - least_[j] > most_[widest] - least_[widest]) widest = j;
    const T origin = near_median(keys, n, step, widest);
    for (std::size_t i = 0; i < n; ++i) {
      if (i + ahead < n) __builtin_prefetch(row(keys[i + ahead]) + widest);
      const Key number = keys[i] & 0xffffffffu;
      keys[i] =
          Key{ordered(static_cast<float>(data_[number * d_ + widest] - origin))} << 32 | number;
    }
    select(table_, keys, n, rank, spare);
  }

 private:
  const T* row(Key key) const { return data_ + (key & 0xffffffffu) * d_; }

  // Doubles are compared as floats, which are finest around zero: this is where the split will be.
  T near_median(const Key* keys, std::size_t n, std::size_t step, std::size_t dimension) {
    if constexpr (sizeof(T) == sizeof(float)) return 0;
    values_.clear();
    for (std::size_t i = 0; i < n; i += step) values_.push_back(row(keys[i])[dimension]);
    const auto middle = values_.begin() + static_cast<std::ptrdiff_t>(values_.size() / 2);
    std::nth_element(values_.begin(), middle, values_.end());
    return *middle;
  }

  const TreeKernels& table_ = kernels<TreeKernels>();
  const T* data_;
  std::size_t d_;
  std::vector<T> least_, most_, values_;
};

// The two halves of a part, or the parts of the next level below.
struct Halves {
  std::size_t middle = 0;  // 0: nothing to split
  Part left, right;
};

// A part of one child becomes that child's own children; a leaf is left alone.
bool descend(Part& part, std::size_t bucket) {
  while (part.children == 1) {
    if (part.span == bucket) return false;
    part.span /= 16;
    part.children = (part.end - part.begin + part.span - 1) / part.span;
  }
  return true;
}

Halves halves(const Part& part) {
  const std::size_t left = part.children / 2, middle = part.begin + left * part.span;
  return {middle,
          {part.begin, middle, part.span, left},
          {middle, part.end, part.span, part.children - left}};
}

template <class T>
void split_all(Splitter<T>& splitter, Key* keys, Part part, std::size_t bucket, Key* spare,
               std::size_t stop, std::vector<Part>* stopped) {
  if (!descend(part, bucket)) return;
  if (part.end - part.begin <= stop) {
    stopped->push_back(part);
    return;
  }
  const Halves both = halves(part);
  splitter.split(keys + part.begin, part.end - part.begin, both.middle - part.begin, spare);
  split_all(splitter, keys, both.left, bucket, spare, stop, stopped);
  split_all(splitter, keys, both.right, bucket, spare, stop, stopped);
}

// The splits of a part over a copy of its points, and again for the smaller parts within.
template <std::size_t stage, class T>
void split_copied(const T* data, std::size_t d, Key* keys, const Part& part, std::size_t bucket) {
  const std::size_t n = part.end - part.begin;
  struct Rows;
  struct Numbers;
  struct Local;
  T* rows = thread_scratch<T, Rows>(n * d);
  auto* numbers = thread_scratch<std::uint32_t, Numbers>(n);
  Key* local = thread_scratch<Key, Local>(2 * n + margin);
  for (std::size_t i = 0; i < n; ++i) {
    if (i + ahead < n) __builtin_prefetch(data + (keys[part.begin + i + ahead] & 0xffffffffu) * d);
    numbers[i] = static_cast<std::uint32_t>(keys[part.begin + i]);
    for (std::size_t j = 0; j < d; ++j) rows[i * d + j] = data[std::size_t{numbers[i]} * d + j];
    local[i] = i;
  }
  Splitter<T> splitter(rows, d);
  std::vector<Part> smaller;
  split_all(splitter, local, {0, n, part.span, part.children}, bucket, local + n,
            copied_points[stage + 1], &smaller);
  if constexpr (copied_points[stage + 1] > 0)
    for (const Part& some : smaller) split_copied<stage + 1>(rows, d, local, some, bucket);
  for (std::size_t i = 0; i < n; ++i) keys[part.begin + i] = numbers[local[i] & 0xffffffffu];
}

}  // namespace

template <class T>
void kd_order(const T* data, std::size_t n, std::size_t d, std::size_t bucket,
              std::uint32_t* order) {
  if (n == 0) return;
  Buffer<Key> keys(n);
  for (std::size_t i = 0; i < n; ++i) keys[i] = i;
  std::size_t span = bucket;
  while (span < n) span *= 16;
  // The top: parts of one level side by side, until there is work for every thread.
  std::vector<Part> parts{{0, n, span, 1}}, small;
  while (!parts.empty()) {
    std::vector<Part> split;
    for (Part part : parts) {
      if (!descend(part, bucket)) continue;
      (part.end - part.begin > copied_points[0] ? split : small).push_back(part);
    }
    parallel_for(split.size(), 1, [&](std::size_t begin, std::size_t end) {
      struct Spare;
      for (std::size_t i = begin; i < end; ++i) {
        const Part& part = split[i];
        const std::size_t size = part.end - part.begin;
        Splitter<T> splitter(data, d);
        poll_interrupt();
        splitter.split(keys.data() + part.begin, size, halves(part).middle - part.begin,
                       thread_scratch<Key, Spare>(size + margin));
      }
    });
    parts.clear();
    for (const Part& part : split) {
      const Halves both = halves(part);
      parts.push_back(both.left);
      parts.push_back(both.right);
    }
  }
  parallel_for(small.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (small[i].end - small[i].begin > copied_points[1])
        split_copied<0>(data, d, keys.data(), small[i], bucket);
      else
        split_copied<1>(data, d, keys.data(), small[i], bucket);
    }
  });
  for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(keys[i]);
}

template void kd_order(const float*, std::size_t, std::size_t, std::size_t, std::uint32_t*);
template void kd_order(const double*, std::size_t, std::size_t, std::size_t, std::uint32_t*);

}  // namespace kf::tree
