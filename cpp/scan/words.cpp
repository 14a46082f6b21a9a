#include "scan/words.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/buffer.h"
#include "core/threads.h"
#include "kernels/table.h"

namespace kf::scan {
namespace {

constexpr std::size_t block = 1024;

}  // namespace

void score_words(const WordLists& lists, const WordQuery& query, const Selectivity& by,
                 float* scores) {
  struct Scratch;
  const KernelTable& table = kernels();
  auto* distances = thread_scratch<std::int32_t, Scratch>(block);
  for (std::size_t i = 0; i < query.n; ++i) {
    if (i % 256 == 0) poll_interrupt();
    const auto word = static_cast<std::size_t>(query.word[i]);
    const auto end = static_cast<std::size_t>(lists.starts[word + 1]);
    const float weight = query.weight[i];
    for (auto at = static_cast<std::size_t>(lists.starts[word]); at < end; at += block) {
      const std::size_t n = std::min(block, end - at);
      const std::uint32_t* photo = lists.photo + at;
      const float* value = lists.value ? lists.value + at : nullptr;
      if (lists.codes) {
        table.hamming_rows(query.codes + i * lists.width, lists.codes + at * lists.width, n,
                           lists.width, distances);
        for (std::size_t j = 0; j < n; ++j) {
          const float of = weight * by.table[distances[j]];
          scores[photo[j]] += value ? of * value[j] : of;
        }
      } else if (lists.vectors) {
        for (std::size_t j = 0; j < n; ++j) {
          const float u = table.inner_product(query.vectors + i * lists.d,
                                              lists.vectors + (at + j) * lists.d, lists.d);
          if (!(u > by.tau)) continue;
          const float of = weight * std::copysign(std::pow(std::abs(u), by.alpha), u);
          scores[photo[j]] += value ? of * value[j] : of;
        }
      } else {
        for (std::size_t j = 0; j < n; ++j) {
          const float own = value ? value[j] : 1.0f;
          scores[photo[j]] += by.minimum ? std::min(weight, own) : weight * own;
        }
      }
    }
  }
}

Aggregates aggregate_residuals(const float* x, std::size_t n, std::size_t d,
                               const std::int64_t* words, std::size_t m, const float* codebook) {
  std::vector<std::pair<std::int64_t, std::uint32_t>> entries(n * m);
  for (std::size_t i = 0; i < n * m; ++i)
    entries[i] = {words[i], static_cast<std::uint32_t>(i / m)};
  std::sort(entries.begin(), entries.end());
  Aggregates found;
  found.sums.reserve(entries.size() * d);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + 8 < entries.size())
      __builtin_prefetch(codebook + static_cast<std::size_t>(entries[i + 8].first) * d);
    const auto [word, row] = entries[i];
    if (found.words.empty() || found.words.back() != word) {
      found.words.push_back(word);
      found.sums.resize(found.sums.size() + d, 0.0f);
    }
    float* sum = found.sums.data() + found.sums.size() - d;
    const float *own = x + row * d, *centre = codebook + static_cast<std::size_t>(word) * d;
    for (std::size_t j = 0; j < d; ++j) sum[j] += own[j] - centre[j];
  }
  return found;
}

}  // namespace kf::scan
