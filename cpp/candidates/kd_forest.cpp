#include "candidates/kd_forest.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/buffer.h"
#include "core/random.h"
#include "core/threads.h"
#include "kernels/vectors.h"

namespace kf::candidates {
namespace {

constexpr std::size_t sample_size = 64;

// A number for (seed, tree, node).
std::uint64_t draw(std::uint64_t seed, std::size_t tree, std::size_t node) {
  return mixed(seed + 0x9e3779b97f4a7c15u * (tree * 0x100000001u + node + 1));
}

// One coordinate of many rows.
void coordinates(const Stored& rows, std::size_t dimension, const std::uint32_t* order,
                 std::size_t n, std::pair<float, std::uint32_t>* out) {
  constexpr std::size_t ahead = 24;
  const auto gather = [&](const auto* data, std::size_t stride, const auto& value) {
    for (std::size_t i = 0; i < n; ++i) {
      if (i + ahead < n) __builtin_prefetch(data + order[i + ahead] * stride + dimension);
      out[i] = {value(data[order[i] * stride + dimension]), order[i]};
    }
  };
  switch (rows.format) {
    case Stored::Format::f32:
      return gather(static_cast<const float*>(rows.data), rows.d, [](float v) { return v; });
    case Stored::Format::f16: {
      const auto convert = kernels<VectorKernels>().halves_to_floats;
      return gather(static_cast<const std::uint16_t*>(rows.data), rows.d, [&](std::uint16_t half) {
        float v;
        convert(&half, 1, &v);
        return v;
      });
    }
    default: {
      const float scale = rows.steps ? rows.steps[dimension] : rows.scale,
                  centre = rows.centre[dimension];
      return gather(static_cast<const std::uint8_t*>(rows.data), rows.padded_d,
                    [&](int code) { return scale * static_cast<float>(code - 128) + centre; });
    }
  }
}

// Builds one tree.
class Builder {
 public:
  Builder(const Stored& rows, std::size_t n, const ForestOptions& options, std::size_t tree,
          std::uint32_t* order)
      : rows_(rows),
        leaf_(options.leaf),
        among_(std::min(options.among, rows.d)),
        split_(options.split),
        seed_(options.seed),
        tree_(tree),
        order_(order),
        sums_(2 * rows.d),
        scratch_(rows.scratch()),
        keys_(n) {
    std::iota(order, order + n, 0u);
    if (n > 0) grow(0, n);
  }

  std::vector<Node> take() { return std::move(nodes_); }

 private:
  // Depth first; what remains to be done lies on a stack of our own, for trees may be deep.
  void grow(std::size_t first, std::size_t last) {
    struct Task {
      std::size_t begin, end;
      std::size_t parent;  // whose right child this is, or none
    };
    constexpr std::size_t none = ~std::size_t{0};
    std::vector<Task> tasks{{first, last, none}};
    while (!tasks.empty()) {
      const Task task = tasks.back();
      tasks.pop_back();
      if (task.end - task.begin > 4096) poll_interrupt();
      const std::size_t node = nodes_.size();
      if (task.parent != none) nodes_[task.parent].link = static_cast<std::int32_t>(node);
      nodes_.push_back({});
      std::size_t middle = task.begin;
      if (task.end - task.begin > leaf_) middle = split(task.begin, task.end, node);
      if (middle == task.begin) {
        nodes_[node] = {-1, static_cast<std::int32_t>(task.end),
                        std::bit_cast<float>(static_cast<std::int32_t>(task.begin)), 0};
        continue;
      }
      tasks.push_back({middle, task.end, node});
      tasks.push_back({task.begin, middle, none});
    }
  }

  // Returns where the right half begins: `begin` where all rows are alike.
  std::size_t split(std::size_t begin, std::size_t end, std::size_t node) {
    std::size_t candidates[16];
    const std::size_t found = widest(begin, end, candidates);
    const std::size_t n = end - begin,
                      drawn = draw(seed_, tree_, node) % std::max<std::size_t>(found, 1);
    for (std::size_t i = 0; i < found; ++i) {
      const std::size_t dimension = candidates[(drawn + i) % found];
      coordinates(rows_, dimension, order_ + begin, n, keys_.data());
      const std::size_t left = split_ == Split::mean ? at_mean(n) : at_median(n);
      if (left == 0 || left == n) continue;
      float low = keys_[0].first, high = keys_[left].first;
      for (std::size_t j = 0; j < left; ++j) low = std::max(low, keys_[j].first);
      for (std::size_t j = left; j < n; ++j) high = std::min(high, keys_[j].first);
      for (std::size_t j = 0; j < n; ++j) order_[begin + j] = keys_[j].second;
      nodes_[node] = {static_cast<std::int32_t>(dimension), 0, low, high};
      return begin + left;
    }
    return begin;
  }

  // Rows below the mean first; how many there are.
  std::size_t at_mean(std::size_t n) {
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += static_cast<double>(keys_[j].first);
    const auto mean = static_cast<float>(sum / static_cast<double>(n));
    const std::size_t left = part(n, mean);
    if (std::min(left, n - left) >= n / 16) return left;
    // A few rows far away: the middle one parts better.
    const std::size_t other = part(n, middle(n));
    if (other == 0 || std::min(other, n - other) < std::min(left, n - left)) return part(n, mean);
    return other;
  }

  // Half of the rows first, or, for equal coordinates stay together, as nearly so as may be.
  std::size_t at_median(std::size_t n) {
    const float value = middle(n), above = std::nextafter(value, infinity);
    const std::size_t below = part(n, value), within = part(n, above);
    const bool nearer = within == n || n / 2 - below <= within - n / 2;
    return below > 0 && nearer ? part(n, value) : within;
  }

  float middle(std::size_t n) {
    const auto at = keys_.begin() + static_cast<std::ptrdiff_t>(n / 2);
    std::nth_element(keys_.begin(), at, keys_.begin() + static_cast<std::ptrdiff_t>(n));
    return at->first;
  }

  // Rows below a value first; how many there are.
  std::size_t part(std::size_t n, float value) {
    const auto end = keys_.begin() + static_cast<std::ptrdiff_t>(n);
    return static_cast<std::size_t>(
        std::stable_partition(keys_.begin(), end, [&](const auto& k) { return k.first < value; }) -
        keys_.begin());
  }

  // The dimensions of largest variance in a sample, those without any left out.
  std::size_t widest(std::size_t begin, std::size_t end, std::size_t* best) {
    const std::size_t d = rows_.d, n = end - begin, count = std::min(n, sample_size);
    double *mean = sums_.data(), *square = mean + d;
    std::fill(sums_.begin(), sums_.end(), 0.0);
    const std::uint32_t* order = order_ + begin;
    for (std::size_t i = 0; i < count; ++i) rows_.prefetch(order[i * n / count]);
    for (std::size_t i = 0; i < count; ++i) {
      const float* x = rows_.row(order[i * n / count], scratch_.data());
      for (std::size_t j = 0; j < d; ++j) {
        const double v = static_cast<double>(x[j]);
        mean[j] += v;
        square[j] += v * v;
      }
    }
    std::size_t found = 0;
    for (std::size_t j = 0; j < d; ++j) {
      square[j] -= mean[j] * mean[j] / static_cast<double>(count);
      if (!(square[j] > 0)) continue;
      std::size_t at = found;
      while (at > 0 && square[best[at - 1]] < square[j]) --at;
      if (at == among_) continue;
      if (found < among_) ++found;
      for (std::size_t i = found - 1; i > at; --i) best[i] = best[i - 1];
      best[at] = j;
    }
    return found;
  }

  const Stored& rows_;
  std::size_t leaf_, among_;
  Split split_;
  std::uint64_t seed_;
  std::size_t tree_;
  std::uint32_t* order_;
  std::vector<double> sums_;
  Buffer<float> scratch_;
  std::vector<std::pair<float, std::uint32_t>> keys_;
  std::vector<Node> nodes_;
};

}  // namespace

std::vector<std::vector<Node>> build_forest(const Stored& rows, std::size_t n,
                                            const ForestOptions& options, std::uint32_t* order) {
  std::vector<std::vector<Node>> nodes(options.trees);
  parallel_for(options.trees, 1, [&](std::size_t from, std::size_t to) {
    for (std::size_t t = from; t < to; ++t)
      nodes[t] = Builder(rows, n, options, t, order + t * n).take();
  });
  return nodes;
}

namespace {

class ForestProposer : public Proposer {
 public:
  explicit ForestProposer(const std::vector<Forest>& segments) : segments_(segments) {}

  void begin(const float* query, const float*) override {
    query_ = query;
    branches_.clear();
    queue_.clear();
    ready_ = reached_ = 0;
    for (std::uint32_t s = 0; s < segments_.size(); ++s)
      for (std::uint32_t t = 0; t < segments_[s].trees; ++t)
        push(0.0f, {s, t, segments_[s].nodes + segments_[s].roots[t]});
  }

  bool next(Bucket& bucket) override {
    if (ready_ == reached_ && !descend()) return false;
    bucket = leaves_[ready_++];
    return true;
  }

 private:
  struct Branch {
    std::uint32_t segment, tree;
    const Node* node;
  };
  struct Walk {
    Branch branch;
    const Node* root;
    float bound;
  };
  static constexpr std::size_t together = 8;

  // Follows the nearest branches down to their leaves side by side: while one waits for its node,
  // the others go on.
  bool descend() {
    Walk walks[together];
    std::size_t active = 0;
    ready_ = reached_ = 0;
    for (; active < together && !queue_.empty(); ++active) {
      const std::uint64_t key = pop();
      const Branch branch = branches_[static_cast<std::uint32_t>(key)];
      const Forest& forest = segments_[branch.segment];
      __builtin_prefetch(branch.node);
      walks[active] = {branch, forest.nodes + forest.roots[branch.tree],
                       std::bit_cast<float>(static_cast<std::uint32_t>(key >> 32))};
    }
    while (active > 0)
      for (std::size_t i = 0; i < active;) {
        Walk& walk = walks[i];
        const Node* node = walk.branch.node;
        if (node->dimension < 0) {
          const Forest& forest = segments_[walk.branch.segment];
          const std::uint32_t* rows = forest.order + walk.branch.tree * forest.n + node->begin();
          __builtin_prefetch(rows);
          __builtin_prefetch(forest.order + walk.branch.tree * forest.n + node->link - 1);
          leaves_[reached_++] = {walk.branch.segment, rows,
                                 static_cast<std::size_t>(node->link - node->begin())};
          walk = walks[--active];
          continue;
        }
        const float at = query_[node->dimension];
        const Node* right = walk.root + node->link;
        // The nearer half first; the other is at least as far away as its nearest row.
        const float below = at - node->low, above = node->high - at;
        const bool left = below < above;
        const float beyond = std::max(left ? above : below, 0.0f);
        push(walk.bound + beyond * beyond,
             {walk.branch.segment, walk.branch.tree, left ? right : node + 1});
        walk.branch.node = left ? node + 1 : right;
        __builtin_prefetch(walk.branch.node);
        ++i;
      }
    return reached_ > 0;
  }

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
  Bucket leaves_[together];
  std::size_t ready_ = 0, reached_ = 0;
};

}  // namespace

std::unique_ptr<Proposer> Forests::proposer() const {
  return std::make_unique<ForestProposer>(segments_);
}

}  // namespace kf::candidates
