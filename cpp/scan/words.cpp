#include "scan/words.h"

#include <algorithm>
#include <cmath>

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

}  // namespace kf::scan
