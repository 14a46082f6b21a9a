#include "lists/lists.h"

#include <algorithm>
#include <cstring>

#include "core/threads.h"
#include "kernels/vectors.h"
#include "lists/multi_sequence.h"
#include "scan/exact.h"

namespace kf::lists {

const float* Coarse::centroid(std::size_t cell, float* scratch) const {
  if (!centroids) {
    std::fill(scratch, scratch + d, 0.0f);
    return scratch;
  }
  if (!multi) return centroids + cell * d;
  const std::size_t half = d / 2;
  std::memcpy(scratch, centroids + cell / cells * half, half * sizeof(float));
  std::memcpy(scratch + half, centroids + (cells + cell % cells) * half, half * sizeof(float));
  return scratch;
}

Lists::Lists(Metric metric, const Coarse& coarse, std::vector<Segment> segments)
    : metric_(metric), coarse_(coarse), segments_(std::move(segments)) {
  for (const Segment& segment : segments_) rows_ += segment.n;
  if (!coarse_.multi) return;
  const std::size_t half = coarse_.d / 2, k = coarse_.cells;
  transposed_.resize(2 * half * k);
  norms_.resize(2 * k);
  for (std::size_t side = 0; side < 2; ++side)
    for (std::size_t c = 0; c < k; ++c) {
      const float* x = coarse_.centroids + (side * k + c) * half;
      float norm = 0;
      for (std::size_t j = 0; j < half; ++j) {
        transposed_[(side * half + j) * k + c] = x[j];
        norm += x[j] * x[j];
      }
      norms_[side * k + c] = norm;
    }
}

std::size_t Lists::rows_in(std::uint32_t cell) const {
  std::size_t n = 0;
  for (const Segment& segment : segments_) n += segment.directory->rows(cell).size();
  return n;
}

// Cells of the multi-index by ascending sum of the halves' distances, until enough cells or rows
// are met.
void Lists::multi_cells(const ListQuery& of, std::size_t number, std::vector<std::uint32_t>& cells,
                        std::vector<float>& values) const {
  struct Scratch {
    Ordered sides[2];
    MultiSequence sequence;
    std::vector<float> distances, scaled;
  };
  thread_local Scratch scratch;
  const float* query = of.queries + number * coarse_.d;
  const std::size_t half = coarse_.d / 2, k = coarse_.cells;
  const bool l2 = metric_ == Metric::l2;
  scratch.distances.resize(k);
  scratch.scaled.resize(half);
  for (std::size_t side = 0; side < 2; ++side) {
    float norm = 0;
    for (std::size_t j = 0; j < half; ++j) {
      const float q = query[side * half + j];
      norm += q * q;
      scratch.scaled[j] = l2 ? -2 * q : -q;
    }
    for (std::size_t c = 0; c < k; ++c) scratch.distances[c] = l2 ? norms_[side * k + c] + norm : 0;
    kernels<VectorKernels>().multiply(scratch.scaled.data(), 1, half,
                                      transposed_.data() + side * half * k, k,
                                      scratch.distances.data());
    scratch.sides[side].start(scratch.distances.data(), k);
  }
  cells.clear();
  values.clear();
  scratch.sequence.start(scratch.sides[0], scratch.sides[1]);
  std::size_t met = 0;
  for (MultiSequence::Pair pair; cells.size() < of.nprobe && scratch.sequence.next(pair);) {
    const auto cell =
        static_cast<std::uint32_t>(scratch.sides[0].at(pair.i) * k + scratch.sides[1].at(pair.j));
    cells.push_back(cell);
    values.push_back(pair.sum);
    if (of.budget == 0) continue;
    met += of.counted ? of.counted->rows(cell).size() : rows_in(cell);
    if (met >= of.budget) break;
  }
}

void Lists::probe(const ListQuery& query, std::int64_t* cells, float* values) const {
  const std::size_t nprobe = query.nprobe;
  if (coarse_.multi) {
    parallel_for(
        query.n, 8,
        [&](std::size_t begin, std::size_t end) {
          std::vector<std::uint32_t> found;
          std::vector<float> distances;
          for (std::size_t q = begin; q < end; ++q) {
            poll_interrupt();
            multi_cells(query, q, found, distances);
            for (std::size_t i = 0; i < nprobe; ++i) {
              const bool there = i < found.size();
              cells[q * nprobe + i] = there ? static_cast<std::int64_t>(found[i]) : -1;
              values[q * nprobe + i] = there ? distances[i] : infinity;
            }
          }
        },
        query.threads);
  } else if (coarse_.scan) {
    const scan::Base base{coarse_.centroids, nullptr, nullptr, coarse_.cells};
    coarse_.scan->search(base, query.queries, query.n, nprobe, scan::Filter::automatic,
                         query.threads, values, cells);
  } else {
    for (std::size_t i = 0; i < query.n * nprobe; ++i) {
      cells[i] = i % nprobe == 0 ? 0 : -1;
      values[i] = i % nprobe == 0 ? 0 : infinity;
    }
  }
}

void Lists::visits(const ListQuery& query, std::size_t q, const std::int64_t* cells,
                   const float* values, std::vector<Visit>& out) const {
  const std::int64_t* own = cells + q * query.nprobe;
  std::size_t count = 0;
  while (count < query.nprobe && own[count] >= 0) ++count;
  // Cells first, their rows a little later: the look-ups overlap.
  constexpr std::size_t ahead = 16;
  for (std::size_t i = 0; i < count + ahead; ++i) {
    if (i < count)
      for (const Segment& segment : segments_)
        segment.directory->prefetch(static_cast<std::size_t>(own[i]));
    if (i < ahead) continue;
    const auto cell = static_cast<std::uint32_t>(own[i - ahead]);
    for (std::uint32_t s = 0; s < segments_.size(); ++s) {
      const auto rows = segments_[s].directory->rows(cell);
      if (rows.begin < rows.end)
        out.push_back({s, cell, values[q * query.nprobe + i - ahead], rows.begin, rows.end});
    }
  }
}

}  // namespace kf::lists
