#include "tree/kd_forest.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/buffer.h"
#include "core/threads.h"
#include "kernels/table.h"

namespace kf::tree {
namespace {

constexpr std::size_t sample_size = 64;

// A number for (seed, tree, node): splitmix64.
std::uint64_t draw(std::uint64_t seed, std::size_t tree, std::size_t node) {
  std::uint64_t z = seed + 0x9e3779b97f4a7c15u * (tree * 0x100000001u + node + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// One coordinate of many rows.
void coordinates(const scan::Stored& rows, std::size_t dimension, const std::uint32_t* order,
                 std::size_t n, std::pair<float, std::uint32_t>* out) {
  constexpr std::size_t ahead = 24;
  const auto gather = [&](const auto* data, std::size_t stride, const auto& value) {
    for (std::size_t i = 0; i < n; ++i) {
      if (i + ahead < n) __builtin_prefetch(data + order[i + ahead] * stride + dimension);
      out[i] = {value(data[order[i] * stride + dimension]), order[i]};
    }
  };
  switch (rows.format) {
    case scan::Stored::Format::f32:
      return gather(static_cast<const float*>(rows.data), rows.d, [](float v) { return v; });
    case scan::Stored::Format::f16: {
      const auto convert = kernels().halves_to_floats;
      return gather(static_cast<const std::uint16_t*>(rows.data), rows.d, [&](std::uint16_t half) {
        float v;
        convert(&half, 1, &v);
        return v;
      });
    }
    default: {
      const float scale = rows.scale, centre = rows.centre[dimension];
      return gather(static_cast<const std::uint8_t*>(rows.data), rows.padded_d,
                    [&](int code) { return scale * static_cast<float>(code - 128) + centre; });
    }
  }
}

// The dimension to split: one of those of largest variance in a sample.
std::size_t choose(const scan::Stored& rows, const std::uint32_t* order, std::size_t n,
                   std::size_t among, std::uint64_t number, double* sums, float* scratch) {
  const KernelTable& table = kernels();
  const std::size_t d = rows.d, count = std::min(n, sample_size);
  double *mean = sums, *square = sums + d;
  std::fill(sums, sums + 2 * d, 0.0);
  for (std::size_t i = 0; i < count; ++i) rows.prefetch(order[i * n / count]);
  for (std::size_t i = 0; i < count; ++i) {
    const float* x = rows.row(table, order[i * n / count], scratch);
    for (std::size_t j = 0; j < d; ++j) {
      const double v = static_cast<double>(x[j]);
      mean[j] += v;
      square[j] += v * v;
    }
  }
  std::size_t best[16];
  std::size_t found = 0;
  const std::size_t most = std::min(among, std::min<std::size_t>(d, 16));
  for (std::size_t j = 0; j < d; ++j) {
    square[j] -= mean[j] * mean[j] / static_cast<double>(count);
    std::size_t at = found;
    while (at > 0 && square[best[at - 1]] < square[j]) --at;
    if (at == most) continue;
    if (found < most) ++found;
    for (std::size_t i = found - 1; i > at; --i) best[i] = best[i - 1];
    best[at] = j;
  }
  return best[number % found];
}

}  // namespace

std::size_t levels_for(std::size_t n, std::size_t leaf) {
  std::size_t levels = 0;
  while (((n + (std::size_t{1} << levels) - 1) >> levels) > leaf) ++levels;
  return levels;
}

void build_forest(const scan::Stored& rows, std::size_t n, std::size_t trees, std::size_t levels,
                  std::size_t among, std::uint64_t seed, Split* splits, std::uint32_t* order) {
  struct Scratch;
  Forest forest{n, trees, levels, splits, order};
  for (std::size_t t = 0; t < trees; ++t)
    for (std::size_t i = 0; i < n; ++i) order[t * n + i] = static_cast<std::uint32_t>(i);
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t width = std::size_t{1} << level;
    parallel_for(
        trees * width, std::max<std::size_t>(1, width / 64), [&](std::size_t from, std::size_t to) {
          double* sums = thread_scratch<double, Scratch>(2 * rows.d);
          float* scratch = thread_scratch<float, Scratch>(rows.scratch());
          for (std::size_t task = from; task < to; ++task) {
            poll_interrupt();
            const std::size_t t = task / width, j = task % width, node = width - 1 + j;
            const std::size_t begin = j * n >> level, end = (j + 1) * n >> level,
                              middle = (2 * j + 1) * n >> (level + 1);
            std::uint32_t* own = order + t * n;
            Split& split = splits[t * forest.nodes() + node];
            split = {0, 0};
            if (begin == end) continue;
            const std::size_t dimension =
                choose(rows, own + begin, end - begin, among, draw(seed, t, node), sums, scratch);
            auto* keys = thread_scratch<std::pair<float, std::uint32_t>, Scratch>(end - begin);
            coordinates(rows, dimension, own + begin, end - begin, keys);
            const std::size_t half = std::min(middle - begin, end - begin - 1);
            std::nth_element(keys, keys + half, keys + (end - begin));
            for (std::size_t i = begin; i < end; ++i) own[i] = keys[i - begin].second;
            split = {static_cast<std::int32_t>(dimension), keys[half].first};
          }
        });
  }
}

namespace {

class ForestProposer : public scan::Proposer {
 public:
  explicit ForestProposer(const std::vector<Forest>& segments) : segments_(segments) {}

  void begin(const float* query, const float*) override {
    query_ = query;
    branches_.clear();
    queue_.clear();
    for (std::uint32_t s = 0; s < segments_.size(); ++s)
      for (std::uint32_t t = 0; t < segments_[s].trees; ++t) push(0.0f, {s, t, 0, 0});
  }

  bool next(scan::Bucket& bucket) override {
    if (queue_.empty()) return false;
    const std::uint64_t key = pop();
    const Branch branch = branches_[static_cast<std::uint32_t>(key)];
    const auto bits = static_cast<std::uint32_t>(key >> 32);
    const float bound = std::bit_cast<float>(bits);
    const Forest& forest = segments_[branch.segment];
    const Split* splits = forest.splits + branch.tree * forest.nodes();
    std::size_t node = branch.node;
    for (std::size_t level = branch.level; level < forest.levels; ++level) {
      const Split split = splits[node];
      const float difference = query_[split.dimension] - split.value;
      const std::size_t left = 2 * node + 1;
      const bool right = difference >= 0;
      push(bound + difference * difference,
           {branch.segment, branch.tree, static_cast<std::uint32_t>(left + !right),
            static_cast<std::uint32_t>(level + 1)});
      node = left + right;
    }
    const std::size_t leaf = node - forest.nodes();
    const std::size_t begin = forest.begin_of(leaf);
    bucket = {branch.segment, forest.order + branch.tree * forest.n + begin,
              forest.begin_of(leaf + 1) - begin};
    return true;
  }

 private:
  struct Branch {
    std::uint32_t segment, tree, node, level;
  };

  // Bounds are at least zero: their bits order as they do. Of equal bounds the earlier branch.
  void push(float bound, const Branch& branch) {
    std::uint64_t key = std::uint64_t{std::bit_cast<std::uint32_t>(bound)} << 32 | branches_.size();
    branches_.push_back(branch);
    std::size_t hole = queue_.size();
    queue_.push_back(key);
    for (; hole > 0; hole = (hole - 1) / 2) {
      const std::size_t parent = (hole - 1) / 2;
      if (queue_[parent] <= key) break;
      queue_[hole] = queue_[parent];
    }
    queue_[hole] = key;
  }

  std::uint64_t pop() {
    const std::uint64_t top = queue_.front(), last = queue_.back();
    queue_.pop_back();
    const std::size_t n = queue_.size();
    if (n == 0) return top;
    std::size_t hole = 0;
    for (std::size_t child; (child = 2 * hole + 1) < n; hole = child) {
      child += child + 1 < n && queue_[child + 1] < queue_[child];
      if (queue_[child] >= last) break;
      queue_[hole] = queue_[child];
    }
    queue_[hole] = last;
    return top;
  }

  const std::vector<Forest>& segments_;
  const float* query_ = nullptr;
  std::vector<Branch> branches_;
  std::vector<std::uint64_t> queue_;
};

}  // namespace

std::unique_ptr<scan::Proposer> Forests::proposer() const {
  return std::make_unique<ForestProposer>(segments_);
}

}  // namespace kf::tree
