#include "graph/sliced.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "core/threads.h"
#include "graph/order.h"

namespace kf::graph {
namespace {

// Vectors of fewer nodes lie in the first cache in any order.
constexpr std::size_t ordered_from = 8192;
// Rounds to nearest, ties to even; weights are in [0, 1] but for a damaged graph, which may become
// infinite.
std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (!(value > 0)) return 0;
  if (value >= 65520.0f) return 0x7bff;
  if (value < 0x1p-14f) {  // subnormal: whole multiples of 2^-24
    const float scaled = value * 0x1p24f;
    auto whole = static_cast<std::uint32_t>(scaled);
    const float rest = scaled - static_cast<float>(whole);
    whole += rest > 0.5f || (rest == 0.5f && (whole & 1u));
    return static_cast<std::uint16_t>(whole);
  }
  return static_cast<std::uint16_t>((bits - 0x38000000u + 0xfffu + ((bits >> 13) & 1u)) >> 13);
}

// Rows of similar length share a slice: sorted by length within each window.
std::vector<std::int32_t> row_order(const Csr& graph) {
  std::vector<std::int32_t> order;
  if (graph.n >= ordered_from) {
    order = local_order(graph);
  } else {
    order.resize(graph.n);
    std::iota(order.begin(), order.end(), 0);
  }
  const auto length = [&](std::int32_t i) { return graph.starts[i + 1] - graph.starts[i]; };
  for (std::size_t at = 0; at < graph.n; at += Sliced::window)
    std::stable_sort(
        order.begin() + static_cast<std::ptrdiff_t>(at),
        order.begin() + static_cast<std::ptrdiff_t>(std::min(at + Sliced::window, graph.n)),
        [&](std::int32_t a, std::int32_t b) { return length(a) > length(b); });
  return order;
}

}  // namespace

// The entries of one row in one block of columns.
struct Sliced::Run {
  std::size_t block;
  std::uint16_t row;  // within its window
  std::uint32_t length;
};

// By block, in each the longest first. A matrix of one block keeps its empty rows, too.
std::vector<Sliced::Run> Sliced::runs(const Csr& graph, std::size_t w) const {
  const std::size_t first = w * window, last = std::min(first + window, rows_);
  std::vector<Run> found;
  std::vector<std::uint32_t> lengths(blocks_);
  for (std::size_t at = first; at < last; ++at) {
    std::fill(lengths.begin(), lengths.end(), 0);
    if (at < graph.n)
      for (auto e = graph.starts[order_[at]]; e < graph.starts[order_[at] + 1]; ++e)
        ++lengths[static_cast<std::size_t>(place_[static_cast<std::size_t>(graph.neighbours[e])]) /
                  block_columns];
    for (std::size_t b = 0; b < blocks_; ++b)
      if (lengths[b] > 0 || blocks_ == 1)
        found.push_back({b, static_cast<std::uint16_t>(at - first), lengths[b]});
  }
  if (blocks_ > 1)
    std::stable_sort(found.begin(), found.end(), [](const Run& a, const Run& b) {
      return a.block != b.block ? a.block < b.block : a.length > b.length;
    });
  return found;
}

Sliced::Sliced(const Csr& graph, Storage storage)
    : storage_(storage),
      rows_((graph.n + lanes - 1) / lanes * lanes),
      blocks_(std::max<std::size_t>(1, (graph.n + block_columns - 1) / block_columns)),
      order_(row_order(graph)),
      place_(graph.n) {
  for (std::size_t at = 0; at < graph.n; ++at)
    place_[static_cast<std::size_t>(order_[at])] = static_cast<std::int32_t>(at);
  // Slices and steps of each block and window, then where they begin.
  std::vector<std::size_t> steps(blocks_ * windows() + 1, 0);
  first_.assign(steps.size(), 0);
  parallel_for(windows(), 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t w = begin; w < end; ++w) {
      const std::vector<Run> all = runs(graph, w);
      for (std::size_t at = 0, lane = 0; at < all.size(); ++at, ++lane) {
        if (at > 0 && all[at].block != all[at - 1].block) lane = 0;
        if (lane % lanes != 0) continue;
        const std::size_t part = all[at].block * windows() + w + 1;
        ++first_[part];
        steps[part] += all[at].length;
      }
    }
  });
  for (std::size_t at = 1; at < steps.size(); ++at) {
    first_[at] += first_[at - 1];
    steps[at] += steps[at - 1];
  }
  const std::size_t slices = first_.back(), entries = steps.back() * lanes;
  starts_.assign(slices + 1, static_cast<std::int64_t>(entries));
  for (std::size_t at = 0; at + 1 < steps.size(); ++at)
    if (first_[at] < first_[at + 1])
      starts_[first_[at]] = static_cast<std::int64_t>(steps[at] * lanes);
  bases_.assign(slices, 0);
  broad_.assign(slices, 0);
  if (blocks_ > 1) row_of_.assign(slices * lanes, 0);
  columns_.assign(entries, 0);
  if (graph.n > 0x10000) above_.assign(steps.back(), 0);
  if (storage == Storage::floats)
    floats_.assign(entries, 0.0f);
  else
    halves_.assign(entries, 0);
  parallel_for(windows(), 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t w = begin; w < end; ++w) fill(graph, w);
  });
  order_ = {};
}

void Sliced::fill(const Csr& graph, std::size_t w) {
  using Entry = std::pair<std::int32_t, float>;
  const std::size_t height = std::min(window, rows_ - w * window);
  // All rows, each by rising column; `next` is where the blocks to come begin.
  std::vector<Entry> all;
  std::vector<std::size_t> next;
  for (std::size_t at = w * window; at < w * window + height; ++at) {
    next.push_back(all.size());
    if (at >= graph.n) continue;
    for (auto e = graph.starts[order_[at]]; e < graph.starts[order_[at] + 1]; ++e)
      all.emplace_back(place_[static_cast<std::size_t>(graph.neighbours[e])], graph.weights[e]);
    std::stable_sort(all.begin() + static_cast<std::ptrdiff_t>(next.back()), all.end(),
                     [](const Entry& a, const Entry& b) { return a.first < b.first; });
  }
  const std::vector<Run> rows = runs(graph, w);
  std::size_t slice = 0, start = 0;
  for (std::size_t at = 0, count; at < rows.size(); at += count, ++slice) {
    const std::size_t block = rows[at].block;
    if (at == 0 || block != rows[at - 1].block) {
      slice = slices(block, w).first;
      start = static_cast<std::size_t>(starts_[slice]);
    }
    starts_[slice] = static_cast<std::int64_t>(start);
    std::int32_t least = std::numeric_limits<std::int32_t>::max(), most = 0;
    for (count = 0; count < lanes && at + count < rows.size() && rows[at + count].block == block;
         ++count) {
      const Run& run = rows[at + count];
      if (run.length == 0) continue;
      least = std::min(least, all[next[run.row]].first);
      most = std::max(most, all[next[run.row] + run.length - 1].first);
    }
    bases_[slice] = std::min(least, most);
    broad_[slice] = most - bases_[slice] > 0xffff;
    for (std::size_t lane = 0; lane < count; ++lane) {
      const Run& run = rows[at + lane];
      for (std::size_t step = 0; step < run.length; ++step) {
        const auto& [column, weight] = all[next[run.row] + step];
        const auto offset = static_cast<std::uint32_t>(column - bases_[slice]);
        const std::size_t e = start + step * lanes + lane;
        columns_[e] = static_cast<std::uint16_t>(offset);
        if (broad_[slice]) above_[e / lanes] |= offset >> 16 << 2 * lane;
        if (storage_ == Storage::floats)
          floats_[e] = weight;
        else
          halves_[e] = to_half(weight);
      }
      next[run.row] += run.length;
    }
    if (blocks_ > 1) {
      // Lanes without a row add nothing to some other one.
      std::uint16_t* own = &row_of_[slice * lanes];
      for (std::size_t lane = 0; lane < count; ++lane) own[lane] = rows[at + lane].row;
      std::uint16_t other = 0;
      for (std::size_t lane = count; lane < lanes; ++other)
        if (std::find(own, own + lane, other) == own + lane) own[lane++] = other;
    }
    start += rows[at].length * lanes;
  }
}

std::size_t Sliced::bytes() const {
  return (columns_.size() + halves_.size() + row_of_.size()) * sizeof(std::uint16_t) +
         above_.size() * sizeof(std::uint32_t) + floats_.size() * sizeof(float);
}

SlicedView Sliced::view() const {
  const bool halves = storage_ == Storage::halves;
  return {starts_.data(), bases_.data(),
          broad_.data(),  columns_.data(),
          above_.data(),  halves ? static_cast<const void*>(halves_.data()) : floats_.data(),
          halves,         blocks_ > 1 ? row_of_.data() : nullptr};
}

}  // namespace kf::graph
