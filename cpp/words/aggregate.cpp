#include "words/aggregate.h"

#include <cmath>
#include <cstring>

#include "core/prefetch.h"
#include "core/threads.h"
#include "kernels/vectors.h"
#include "kernels/words.h"
#include "words/word_order.h"

namespace kf::words {
namespace {

// One photo's words with their parts; returns how many there are.
std::size_t aggregate_one(const Assigned& given, std::size_t photo, PartShape shape,
                          std::uint32_t* words, std::uint8_t* parts) {
  struct Keys;
  struct Sum;
  struct Rows;
  const WordKernels& table = kernels<WordKernels>();
  const auto inner_product = kernels<VectorKernels>().inner_product;
  const std::size_t d = given.d;
  const auto first = static_cast<std::size_t>(given.starts[photo]);
  const std::size_t rows = static_cast<std::size_t>(given.starts[photo + 1]) - first;
  const std::size_t n = rows * given.m;
  auto* keys = thread_scratch<std::uint64_t, Keys>(2 * n);
  for (std::size_t i = 0; i < n; ++i)
    keys[i] = static_cast<std::uint64_t>(given.word[first * given.m + i]) << 32 | i / given.m;
  keys = sort_by_word(keys, keys + n, n, given.words);
  auto* sum = thread_scratch<float, Sum>(d);
  auto** members = thread_scratch<const float*, Rows>(n);
  constexpr std::size_t ahead = 4;
  std::size_t found = 0;
  for (std::size_t i = 0; i < n;) {
    const std::size_t word = keys[i] >> 32;
    if (i + ahead < n) prefetch(given.codebook + (keys[i + ahead] >> 32) * d, 4 * d);
    std::size_t count = 0;
    for (; i < n && keys[i] >> 32 == word; ++i)
      members[count++] = given.x + (first + (keys[i] & 0xffffffffu)) * d;
    table.residual_sum(members, count, given.codebook + word * d, d, sum);
    if (shape.width) {
      const float* limit = given.limits ? given.limits + word * d : nullptr;
      table.sign_bits(sum, limit, d, reinterpret_cast<std::uint64_t*>(parts) + found * shape.width);
    } else {
      const float norm = std::sqrt(inner_product(sum, sum, d));
      if (!(norm > 0)) continue;
      float* out = reinterpret_cast<float*>(parts) + found * d;
      for (std::size_t j = 0; j < d; ++j) out[j] = sum[j] / norm;
    }
    words[found++] = static_cast<std::uint32_t>(word);
  }
  return found;
}

}  // namespace

Aggregates aggregate(const Assigned& given, PartShape shape, std::size_t threads) {
  Aggregates out;
  out.starts.assign(given.photos + 1, 0);
  const std::size_t most = static_cast<std::size_t>(given.starts[given.photos]) * given.m;
  out.word.resize(most);
  out.parts.resize(most * shape.bytes());
  const auto room = [&](std::size_t photo) {
    return static_cast<std::size_t>(given.starts[photo]) * given.m;
  };
  parallel_for(
      given.photos, 1,
      [&](std::size_t from, std::size_t to) {
        for (std::size_t p = from; p < to; ++p)
          out.starts[p + 1] =
              static_cast<std::int64_t>(aggregate_one(given, p, shape, out.word.data() + room(p),
                                                      out.parts.data() + room(p) * shape.bytes()));
      },
      threads);
  for (std::size_t p = 0; p < given.photos; ++p) {
    const auto count = static_cast<std::size_t>(out.starts[p + 1]);
    const auto to = static_cast<std::size_t>(out.starts[p]);
    std::memmove(out.word.data() + to, out.word.data() + room(p), 4 * count);
    std::memmove(out.parts.data() + to * shape.bytes(), out.parts.data() + room(p) * shape.bytes(),
                 count * shape.bytes());
    out.starts[p + 1] += out.starts[p];
  }
  const auto kept = static_cast<std::size_t>(out.starts[given.photos]);
  out.word.resize(kept);
  out.parts.resize(kept * shape.bytes());
  return out;
}

}  // namespace kf::words
