#pragma once
// The inverted file: rows by cell, in segments, and which of them a query meets. What stands for a
// row is its codec's affair.
//
// What a search is made of:
//
//     ListSearch (list_search)     the k best, or all within a radius; a second look at a shortlist
//       ├─ Lists (here)            which rows a query meets: probe the cells, then visits
//       │    ├─ Coarse (coarse)         centroids; of a multi-index each half's (multi_sequence)
//       │    └─ Segment (here)          rows sorted by cell, never changed
//       │         └─ Directory (directory)    where a cell's rows begin
//       └─ Codec (codec)           what is kept of a row: one file of codecs/, one line of codecs.def
//            └─ Way (way)          how queries pass through a list: a filter, a scorer, scan/search.h
//
// How queries walk:
//
//     search ─► Codec::search ─► go_through    each query through its lists, or each list past its
//       │                          │           queries: by Codec::by_list
//       │                          └─ Way::one, Way::group ─► collect: a Collector each
//       └─ rescore ◄─ candidates: the second look, by the canonical distance to Segment::fine

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "lists/coarse.h"
#include "lists/directory.h"
#include "scan/base.h"
#include "scan/stored.h"

namespace kf::lists {

using scan::infinity;
using scan::Metric;
using scan::Stored;

class Codec;

// What a codec reads of a segment's rows.
struct CodecRows {
  virtual ~CodecRows() = default;
};

// Rows sorted by cell, never changed; the caller keeps the arrays.
struct Segment {
  std::size_t n = 0;
  std::shared_ptr<const Directory> directory;
  const std::int64_t* ids = nullptr;
  const std::uint8_t* alive = nullptr;  // (n,) or null for all
  const Codec* codec = nullptr;         // whose rows they are
  std::shared_ptr<const CodecRows> rows;
  Stored fine;  // for the second look
};

// Rows of one segment that a query meets.
struct Visit {
  std::uint32_t segment, cell;
  // What residuals' distances start from: the squared distance to the centroid, or the negated
  // product with it; zero for codes that know no cell.
  float value;
  std::size_t begin, end;
};

struct ListQuery {
  const float* queries;   // (n, d): as the codec knows them
  const float* original;  // (n, fine d): as the second look does
  std::size_t n;
  std::size_t nprobe;  // cells to visit, at most
  std::size_t budget;  // multi-index: stop after the cell with which so many rows have been met; 0
                       // for no limit
  std::size_t threads;
  const std::uint8_t* const* admitted;  // a mask of the rows of each segment, or null
  // Where the budget counts rows: of an index whose rows are divided, all of them; null for ours.
  const Directory* counted = nullptr;
};

struct ListStats {
  std::atomic<std::uint64_t> visited{0}, rows{0}, scored{0};

  void count(std::uint64_t lists, std::uint64_t met, std::uint64_t taken) {
    visited += lists;
    rows += met;
    scored += taken;
  }
};

class Lists {
 public:
  Lists(Metric metric, const Coarse& coarse, std::vector<Segment> segments);

  Metric metric() const { return metric_; }
  const Coarse& coarse() const { return coarse_; }
  const std::vector<Segment>& segments() const { return segments_; }
  std::size_t rows() const { return rows_; }

  // The cells that queries visit, nearest first: (n, nprobe); -1 and +inf past the end.
  void probe(const ListQuery& query, std::int64_t* cells, float* values) const;
  // The rows that query q meets, given what probe found for all.
  void visits(const ListQuery& query, std::size_t q, const std::int64_t* cells, const float* values,
              std::vector<Visit>& out) const;

 private:
  void multi_cells(const ListQuery& query, std::size_t q, std::vector<std::uint32_t>& cells,
                   std::vector<float>& values) const;
  std::size_t rows_in(std::uint32_t cell) const;

  Metric metric_;
  Coarse coarse_;
  std::vector<Segment> segments_;
  std::size_t rows_ = 0;
  // Multi-index: each half's centroids by dimension, and their squared norms.
  Buffer<float> transposed_, norms_;
};

}  // namespace kf::lists
