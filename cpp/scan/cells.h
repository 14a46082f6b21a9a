#pragma once
// Search through lists: a coarse partition says which cells to visit, a codec which of their rows
// may matter, the canonical distance ranks those; perhaps a second, finer look re-scores the
// shortlist. The answer is the best of all rows of the visited cells by that distance, whatever the
// filter, the batch or the threads.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "scan/byte_codes.h"
#include "scan/directory.h"
#include "scan/exact.h"
#include "scan/multi_sequence.h"
#include "scan/product.h"
#include "scan/stored.h"

namespace kf::scan {

// Which cells there are. Without centroids there is one.
struct Coarse {
  const ExactScan* scan = nullptr;   // over the centroids, where a query has one nearest list
  const float* centroids = nullptr;  // (cells, d); of a multi-index (2, cells, d / 2), each half's
  std::size_t cells = 1;             // of a multi-index: of each half
  bool multi = false;
  std::size_t d = 0;

  std::size_t n_cells() const { return multi ? cells * cells : cells; }
  // The centroid of a cell: where it lies, or put together in `scratch` (d).
  const float* centroid(std::size_t cell, float* scratch) const;
};

// Rows sorted by cell, never changed; the caller keeps the arrays.
struct Segment {
  std::size_t n = 0;
  std::shared_ptr<const Directory> directory;
  const std::int64_t* ids = nullptr;
  const std::uint8_t* alive = nullptr;  // (n,) or null for all
  ProductRowsOf product;
  Stored stored;  // what stored vectors are ranked by
  Bytes bytes;    // their 8-bit copies
  double largest_norm = 0;
  Stored fine;  // for the second look
};

// Stored vectors with 8-bit copies that were made alike for all segments.
struct RawCodec {
  Metric metric;
  std::size_t d;
  ByteCodes coder;
};

// What rows are searched by: one of the three.
struct Codec {
  const ProductCodec* product = nullptr;
  const RawCodec* raw = nullptr;
  // Multi-index: local codes of each half, in the axes of its own cell (Multi-LOPQ); rows, not
  // blocks.
  const ProductCodec* halves[2] = {nullptr, nullptr};
};

struct CellQuery {
  const float* queries;   // (n, d): as the codec knows them
  const float* original;  // (n, fine d): as the second look does
  std::size_t n;
  std::size_t nprobe;  // cells to visit, at most
  std::size_t budget;  // multi-index: stop after the cell with which so many rows have been met; 0
                       // for no limit
  std::size_t threads;
  const std::uint8_t* const* admitted;  // a mask of the rows of each segment, or null
};

struct CellStats {
  std::atomic<std::uint64_t> visited{0}, rows{0}, scored{0};
};

class CellScan {
 public:
  CellScan(Metric metric, Coarse coarse, Codec codec, std::vector<Segment> segments);

  // The k nearest; with a second look the k best of the `shortlist` nearest, or of more where
  // copies fill it. +inf and -1 past the end.
  void search(const CellQuery& query, std::size_t k, std::size_t shortlist, float* distances,
              std::int64_t* ids, CellStats& stats) const;
  // All rows of the visited cells within the radius, ascending.
  std::vector<std::vector<Neighbour>> range(const CellQuery& query, float radius,
                                            CellStats& stats) const;
  // The cells that queries visit, nearest first: (n, nprobe); -1 and +inf past the end.
  void probe(const CellQuery& query, std::int64_t* cells, float* values) const;

 private:
  // Rows of one segment that a query meets.
  struct Visit {
    std::uint32_t segment, cell;
    // What residuals' distances start from: the squared distance to the centroid, or the negated
    // product with it; zero for codes that know no cell.
    float value;
    std::size_t begin, end;
  };
  template <class Collector>
  class Session;
  template <class Collector>
  void run(const CellQuery& query, std::vector<Collector>& results, CellStats& stats) const;
  void search_some(const CellQuery& query, std::span<const std::size_t> which, std::size_t k,
                   std::size_t shortlist, float* distances, std::int64_t* ids,
                   CellStats& stats) const;
  void rescore(const CellQuery& query, std::size_t q, const std::vector<Candidate>& items,
               std::size_t k, float* distances, std::int64_t* ids) const;
  void visits(const CellQuery& query, std::size_t q, const std::int64_t* cells, const float* values,
              std::vector<Visit>& out) const;
  void multi_cells(const float* query, std::size_t nprobe, std::size_t budget,
                   std::vector<std::uint32_t>& cells, std::vector<float>& values) const;
  bool fine() const { return !segments_.empty() && segments_[0].fine.data; }

  Metric metric_;
  Coarse coarse_;
  const ProductCodec* product_;
  const RawCodec* raw_;
  const ProductCodec* halves_[2];
  std::vector<Segment> segments_;
  std::size_t rows_ = 0;
  // Multi-index: each half's centroids by dimension, and their squared norms.
  Buffer<float> transposed_, norms_;
};

}  // namespace kf::scan
