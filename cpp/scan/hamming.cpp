#include "scan/hamming.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "core/buffer.h"
#include "core/threads.h"
#include "kernels/hamming.h"
#include "scan/distance.h"

namespace kf::scan {
namespace {

// Codes that stay in the first-level cache while the queries of a group pass over them.
constexpr std::size_t chunk_bytes = 24 << 10;
constexpr std::size_t group = 32;

}  // namespace

struct HammingScan::Found {
  std::int32_t distance;
  std::uint32_t segment;
  std::uint64_t row;
};

// What one query has met so far.
struct HammingScan::Collector {
  Collector(std::size_t wanted, std::size_t bits, bool rising, std::int32_t radius)
      : k(wanted), limit(radius), ascending(rising), counts(bits + 1) {}

  // The largest distance that may still matter.
  std::int32_t most() const { return full() && ascending ? limit - 1 : limit; }
  bool full() const { return total >= k; }

  void take(std::int32_t distance, std::uint32_t segment, std::uint64_t row) {
    if (distance > most()) return;
    found.push_back({distance, segment, row});
    ++total;
    ++counts[static_cast<std::size_t>(distance)];
    while (limit > 0 && total - counts[static_cast<std::size_t>(limit)] >= k)
      total -= counts[static_cast<std::size_t>(limit--)];
    if (found.size() >= trim_at) {
      std::erase_if(found, [&](const Found& f) { return f.distance > limit; });
      trim_at = std::max(trim_at, 2 * found.size());
    }
  }

  std::size_t k;
  std::int32_t limit;
  bool ascending;
  std::size_t total = 0, trim_at = 4096;
  std::vector<std::size_t> counts;  // of each distance up to the limit
  std::vector<Found> found;
};

HammingScan::HammingScan(Metric metric, std::size_t words, std::vector<HammingSegment> segments)
    : metric_(metric), words_(words), segments_(std::move(segments)) {
  std::int64_t last = std::numeric_limits<std::int64_t>::min();
  for (const HammingSegment& s : segments_) {
    blocks_ += (s.n + 7) / 8;
    for (std::size_t i = 0; i < s.n && ascending_; ++i) {
      ascending_ = s.ids[i] > last;
      last = s.ids[i];
    }
  }
}

// The blocks [begin, end), counted over all segments.
void HammingScan::scan(const HammingQuery& query, std::size_t q, std::size_t begin, std::size_t end,
                       Collector& into) const {
  struct Scratch;
  const HammingKernels& table = kernels<HammingKernels>();
  std::size_t first = 0;
  for (std::uint32_t s = 0; s < segments_.size(); ++s) {
    const HammingSegment& segment = segments_[s];
    const std::size_t blocks = (segment.n + 7) / 8;
    const std::size_t from = std::max(begin, first), to = std::min(end, first + blocks);
    if (from < to) {
      const std::uint8_t* admitted = query.admitted ? query.admitted[s] : nullptr;
      auto* rows = thread_scratch<std::uint32_t, Scratch>(8 * (to - from));
      auto* distances = thread_scratch<std::int32_t, Scratch>(8 * (to - from));
      const std::size_t found = table.hamming_within(
          query.codes + q * words_, segment.codes + (from - first) * words_ * 8, to - from, words_,
          into.most(), rows, distances);
      for (std::size_t i = 0; i < found; ++i) {
        const std::size_t row = 8 * (from - first) + rows[i];
        if (row >= segment.n || (segment.alive && !segment.alive[row]) ||
            (admitted && !admitted[row]))
          continue;
        into.take(distances[i], s, row);
      }
    }
    first += blocks;
  }
}

// The k best of what the parts of the codes gave.
std::vector<HammingScan::Found> HammingScan::nearest(std::size_t k,
                                                     std::vector<Collector>& parts) const {
  std::vector<Found> all = std::move(parts[0].found);
  for (std::size_t p = 1; p < parts.size(); ++p)
    all.insert(all.end(), parts[p].found.begin(), parts[p].found.end());
  const auto before = [&](const Found& a, const Found& b) {
    if (a.distance != b.distance) return a.distance < b.distance;
    return segments_[a.segment].ids[a.row] < segments_[b.segment].ids[b.row];
  };
  const std::size_t kept = std::min(k, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(),
                    before);
  all.resize(kept);
  return all;
}

std::size_t HammingScan::search(const HammingQuery& query, std::size_t k, std::size_t shortlist,
                                float* distances, std::int64_t* ids) const {
  const bool look = !segments_.empty() && segments_[0].fine.d != 0;
  const std::size_t wanted = look ? std::max(k, shortlist) : k;
  const std::size_t workers = query.threads ? query.threads : threads();
  // Few queries: the codes are shared out; many: each worker passes over all codes with a group.
  const std::size_t parts = query.n < 2 * workers && blocks_ > 4096 ? workers : 1;
  const std::size_t each = (blocks_ + parts - 1) / parts;
  const std::size_t chunk = std::max<std::size_t>(chunk_bytes / (64 * words_), 8);
  std::vector<std::vector<Collector>> collectors(query.n);
  const auto bits = static_cast<std::int32_t>(64 * words_);
  for (auto& of : collectors)
    of.assign(parts, Collector(wanted, static_cast<std::size_t>(bits), ascending_, bits));
  const std::size_t groups = (query.n + group - 1) / group;
  parallel_for(
      groups * parts, 1,
      [&](std::size_t from, std::size_t to) {
        for (std::size_t task = from; task < to; ++task) {
          const std::size_t part = task % parts, q0 = task / parts * group,
                            q1 = std::min(query.n, q0 + group);
          const std::size_t end = std::min(blocks_, (part + 1) * each);
          // Chunks grow: the bound tightens as the logarithm of what was met.
          for (std::size_t at = part * each, n = 8; at < end; at += n, n = std::min(chunk, 2 * n)) {
            poll_interrupt();
            n = std::min(n, end - at);
            for (std::size_t q = q0; q < q1; ++q) scan(query, q, at, at + n, collectors[q][part]);
          }
        }
      },
      query.threads);
  std::atomic<std::size_t> scored{0};
  const Distance distance(metric_, look ? segments_[0].fine.d : 0);
  parallel_for(
      query.n, 8,
      [&](std::size_t from, std::size_t to) {
        struct Scratch;
        for (std::size_t q = from; q < to; ++q) {
          const std::vector<Found> best = nearest(wanted, collectors[q]);
          TopK top(k);
          for (std::size_t i = 0; i < best.size(); ++i) {
            const HammingSegment& s = segments_[best[i].segment];
            float value = static_cast<float>(best[i].distance);
            if (look) {
              if (i + 4 < best.size())
                segments_[best[i + 4].segment].fine.prefetch(best[i + 4].row);
              const float* vector =
                  s.fine.row(best[i].row, thread_scratch<float, Scratch>(s.fine.scratch()));
              value = distance(query.vectors + q * s.fine.d, vector);
            }
            top.push({value, s.ids[best[i].row]});
          }
          if (look) scored += best.size();
          top.write(distances + q * k, ids + q * k);
        }
      },
      query.threads);
  return scored;
}

std::vector<std::vector<Neighbour>> HammingScan::range(const HammingQuery& query,
                                                       std::int32_t radius) const {
  std::vector<std::vector<Neighbour>> results(query.n);
  const auto bits = static_cast<std::int32_t>(64 * words_);
  const std::size_t chunk = std::max<std::size_t>(chunk_bytes / (64 * words_), 8);
  parallel_for(
      query.n, 1,
      [&](std::size_t from, std::size_t to) {
        for (std::size_t q = from; q < to && radius >= 0; ++q) {
          std::vector<Collector> one(
              1, Collector(std::numeric_limits<std::size_t>::max(), static_cast<std::size_t>(bits),
                           false, std::min(radius, bits)));
          for (std::size_t at = 0; at < blocks_; at += chunk) {
            poll_interrupt();
            scan(query, q, at, std::min(blocks_, at + chunk), one[0]);
          }
          for (const Found& f : nearest(one[0].found.size(), one))
            results[q].push_back({static_cast<float>(f.distance), segments_[f.segment].ids[f.row]});
        }
      },
      query.threads);
  return results;
}

}  // namespace kf::scan
