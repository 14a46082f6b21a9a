#include "words/postings.h"

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "core/threads.h"
#include "words/posting_blocks.h"

namespace kf::words {
namespace {

// Counts beyond are kept as this: no photo has so many descriptors.
constexpr std::uint32_t most_counted = 1u << widest;

void pack(const std::uint32_t* values, std::size_t n, unsigned bits,
          std::vector<std::uint8_t>& out) {
  std::uint64_t waiting = 0;
  unsigned held = 0;
  for (std::size_t i = 0; i < n; ++i) {
    waiting |= static_cast<std::uint64_t>(values[i]) << held;
    for (held += bits; held >= 8; held -= 8, waiting >>= 8)
      out.push_back(static_cast<std::uint8_t>(waiting));
  }
  if (held) out.push_back(static_cast<std::uint8_t>(waiting));
}

}  // namespace

void PackedPostings::append(std::uint32_t word, const std::uint32_t* photos,
                            const std::uint32_t* counts, const std::uint64_t* own, std::size_t n) {
  std::uint32_t gaps[posting_block], more[posting_block], last = 0;
  for (std::size_t at = 0; at < n; at += posting_block) {
    const std::size_t m = std::min(posting_block, n - at);
    std::uint32_t gap = 0, extra = 0;
    for (std::size_t j = 0; j < m; ++j) {
      gaps[j] = photos[at + j] - last;
      last = photos[at + j];
      more[j] = std::min(counts[at + j], most_counted) - 1;
      gap |= gaps[j];
      extra |= more[j];
    }
    const auto gap_bits = static_cast<unsigned>(std::bit_width(gap));
    const auto count_bits = static_cast<unsigned>(std::bit_width(extra));
    bytes.push_back(static_cast<std::uint8_t>(gap_bits));
    bytes.push_back(static_cast<std::uint8_t>(count_bits));
    pack(gaps, m, gap_bits, bytes);
    pack(more, m, count_bits, bytes);
  }
  if (own) signatures.insert(signatures.end(), own, own + n);
  if (bytes.size() > UINT32_MAX || starts.back() + n > UINT32_MAX)
    throw InvalidArgument("postings: too many for one segment");
  words.push_back(word);
  starts.push_back(static_cast<std::uint32_t>(starts.back() + n));
  offsets.push_back(static_cast<std::uint32_t>(bytes.size()));
}

void PackedPostings::finish(bool with_signatures) {
  bytes.resize(bytes.size() + posting_pad);
  if (with_signatures) signatures.resize(signatures.size() + signature_pad);
}

void count_holders(const Postings& lists, const std::uint8_t* alive, std::int64_t* held) {
  for (std::size_t list = 0; list < lists.lists; ++list) {
    if (list % 4096 == 0) poll_interrupt();
    std::int64_t count = 0;
    if (!alive && !lists.signatures) {
      count = lists.starts[list + 1] - lists.starts[list];
    } else {
      std::uint32_t last = dropped;
      for (Blocks blocks(lists, list); blocks.next();) {
        const std::uint32_t* ids = blocks.ids();
        for (std::size_t j = 0; j < blocks.n(); ++j) {
          if (ids[j] != last && ids[j] < lists.rows && (!alive || alive[ids[j]])) ++count;
          last = ids[j];
        }
      }
    }
    held[lists.words[list]] += count;
  }
}

PackedPostings merge_postings(const std::vector<Postings>& parts,
                              const std::vector<const std::uint32_t*>& row) {
  PackedPostings out;
  const bool signatures = !parts.empty() && parts[0].signatures;
  std::vector<std::size_t> at(parts.size(), 0);
  std::vector<std::uint32_t> photos, counts;
  std::vector<std::uint64_t> own;
  std::vector<std::size_t> order;
  for (std::size_t merged = 0;; ++merged) {
    if (merged % 4096 == 0) poll_interrupt();
    std::uint32_t word = dropped;
    for (std::size_t p = 0; p < parts.size(); ++p)
      if (at[p] < parts[p].lists) word = std::min(word, parts[p].words[at[p]]);
    if (word == dropped) break;
    photos.clear(), counts.clear(), own.clear();
    for (std::size_t p = 0; p < parts.size(); ++p) {
      if (at[p] == parts[p].lists || parts[p].words[at[p]] != word) continue;
      for (Blocks blocks(parts[p], at[p]); blocks.next();) {
        const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
        for (std::size_t j = 0; j < blocks.n(); ++j) {
          if (ids[j] >= parts[p].rows || row[p][ids[j]] == dropped) continue;
          photos.push_back(row[p][ids[j]]);
          counts.push_back(more ? more[j] + 1 : 1);
          if (signatures) own.push_back(parts[p].signatures[blocks.first() + j]);
        }
      }
      ++at[p];
    }
    if (photos.empty()) continue;
    if (!std::is_sorted(photos.begin(), photos.end())) {
      order.resize(photos.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return photos[a] < photos[b]; });
      const auto sorted = [&](auto& values) {
        auto copy = values;
        for (std::size_t i = 0; i < order.size(); ++i) values[i] = copy[order[i]];
      };
      sorted(photos), sorted(counts);
      if (signatures) sorted(own);
    }
    out.append(word, photos.data(), counts.data(), signatures ? own.data() : nullptr,
               photos.size());
  }
  out.finish(signatures);
  return out;
}

void check(const Postings& lists) {
  parallel_for(lists.lists, 1024, [&](std::size_t from, std::size_t to) {
    for (std::size_t list = from; list < to; ++list) {
      // The photo at hand, how many postings it has, and how many it says.
      std::uint32_t photo = 0, count = 0, said = 0;
      std::size_t unpacked = 0;
      for (Blocks blocks(lists, list); blocks.next(); unpacked += blocks.n()) {
        const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
        for (std::size_t j = 0; j < blocks.n(); ++j) {
          const std::uint32_t own = more ? more[j] + 1 : 1;
          const bool same = count > 0 && ids[j] == photo;
          if (ids[j] >= lists.rows || (count > 0 && ids[j] < photo) ||
              (same && !lists.signatures) ||
              (lists.signatures && (same ? own != said : count != said)))
            throw InvalidArgument("bytes: expected ascending photos, each as often as it says");
          photo = ids[j], said = own;
          count = same ? count + 1 : 1;
        }
      }
      if (unpacked != lists.starts[list + 1] - lists.starts[list] ||
          (lists.signatures && count != said))
        throw InvalidArgument("bytes: expected as many postings as there are");
    }
  });
}

UnpackedPostings unpack_postings(const Postings& lists) {
  UnpackedPostings out;
  for (std::size_t list = 0; list < lists.lists; ++list) {
    if (list % 4096 == 0) poll_interrupt();
    for (Blocks blocks(lists, list); blocks.next();) {
      const std::uint32_t *ids = blocks.ids(), *more = blocks.more();
      out.photos.insert(out.photos.end(), ids, ids + blocks.n());
      out.words.insert(out.words.end(), blocks.n(), lists.words[list]);
      for (std::size_t j = 0; j < blocks.n(); ++j) out.counts.push_back(more ? more[j] + 1 : 1);
      if (lists.signatures)
        out.signatures.insert(out.signatures.end(), lists.signatures + blocks.first(),
                              lists.signatures + blocks.first() + blocks.n());
    }
  }
  return out;
}

}  // namespace kf::words
