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
// Rows of similar length share a slice: sorted by length among so many, which stay together.
constexpr std::size_t window = 256;

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

std::vector<std::int32_t> row_order(const Csr& graph) {
  std::vector<std::int32_t> order;
  if (graph.n >= ordered_from) {
    order = local_order(graph);
  } else {
    order.resize(graph.n);
    std::iota(order.begin(), order.end(), 0);
  }
  const auto length = [&](std::int32_t i) { return graph.starts[i + 1] - graph.starts[i]; };
  for (std::size_t at = 0; at < graph.n; at += window)
    std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(at),
                     order.begin() + static_cast<std::ptrdiff_t>(std::min(at + window, graph.n)),
                     [&](std::int32_t a, std::int32_t b) { return length(a) > length(b); });
  return order;
}

}  // namespace

Sliced::Sliced(const Csr& graph, Storage storage) : storage_(storage) {
  const std::vector<std::int32_t> order = row_order(graph);
  place_.resize(graph.n);
  for (std::size_t at = 0; at < graph.n; ++at)
    place_[static_cast<std::size_t>(order[at])] = static_cast<std::int32_t>(at);
  const std::size_t slices = (graph.n + lanes - 1) / lanes;
  starts_.assign(slices + 1, 0);
  places_.assign(slices + 1, 0);
  bases_.assign(slices, 0);
  for (std::size_t s = 0; s < slices; ++s) {
    std::int64_t longest = 0;
    std::int32_t least = std::numeric_limits<std::int32_t>::max(), most = 0;
    for (std::size_t at = s * lanes; at < std::min((s + 1) * lanes, graph.n); ++at) {
      const std::int32_t i = order[at];
      longest = std::max(longest, graph.starts[i + 1] - graph.starts[i]);
      for (auto e = graph.starts[i]; e < graph.starts[i + 1]; ++e) {
        const std::int32_t column = place_[static_cast<std::size_t>(graph.neighbours[e])];
        least = std::min(least, column);
        most = std::max(most, column);
      }
    }
    bases_[s] = std::min(least, most);
    const auto entries = longest * static_cast<std::int64_t>(lanes);
    starts_[s + 1] = starts_[s] + entries;
    places_[s + 1] = places_[s] + (most - bases_[s] > 0xffff ? 2 : 1) * entries;
  }
  columns_.assign(static_cast<std::size_t>(places_.back()), 0);
  if (storage == Storage::floats)
    floats_.assign(entries(), 0.0f);
  else
    halves_.assign(entries(), 0);
  fill(graph, order);
}

void Sliced::fill(const Csr& graph, const std::vector<std::int32_t>& order) {
  const std::size_t slices = bases_.size();
  parallel_for(slices, 1024, [&](std::size_t begin, std::size_t end) {
    std::vector<std::pair<std::int32_t, float>> row;
    for (std::size_t s = begin; s < end; ++s) {
      const bool wide = places_[s + 1] - places_[s] != starts_[s + 1] - starts_[s];
      std::uint16_t* narrow = columns_.data() + places_[s];
      auto* broad = reinterpret_cast<std::int32_t*>(narrow);
      for (std::size_t lane = 0; lane < lanes && s * lanes + lane < graph.n; ++lane) {
        const std::int32_t i = order[s * lanes + lane];
        row.clear();
        for (auto e = graph.starts[i]; e < graph.starts[i + 1]; ++e)
          row.emplace_back(place_[static_cast<std::size_t>(graph.neighbours[e])] - bases_[s],
                           graph.weights[e]);
        std::stable_sort(row.begin(), row.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        for (std::size_t step = 0; step < row.size(); ++step) {
          const std::size_t e = step * lanes + lane;
          if (wide)
            broad[e] = row[step].first;
          else
            narrow[e] = static_cast<std::uint16_t>(row[step].first);
          const std::size_t at = static_cast<std::size_t>(starts_[s]) + e;
          if (storage_ == Storage::floats)
            floats_[at] = row[step].second;
          else
            halves_[at] = to_half(row[step].second);
        }
      }
    }
  });
}

std::size_t Sliced::bytes() const {
  return columns_.size() * sizeof(std::uint16_t) + floats_.size() * sizeof(float) +
         halves_.size() * sizeof(std::uint16_t);
}

SlicedView Sliced::view() const {
  const bool halves = storage_ == Storage::halves;
  return {starts_.data(),
          places_.data(),
          bases_.data(),
          columns_.data(),
          halves ? static_cast<const void*>(halves_.data()) : floats_.data(),
          halves};
}

}  // namespace kf::graph
