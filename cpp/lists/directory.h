#pragma once
// Where the rows of a cell lie, for any number of cells: a bit for each cell that has rows, and for
// each 64 cells how many bits are set before. A hundred thousand empty cells cost 12 KiB, and to
// find one empty costs one look.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/error.h"

namespace kf::lists {

class Directory {
 public:
  // cells: those with rows, ascending; starts: (lists + 1), the rows of cells[i] are [starts[i],
  // starts[i + 1]).
  Directory(const std::uint32_t* cells, const std::int64_t* starts, std::size_t lists,
            std::size_t n_cells, std::size_t rows)
      : starts_(starts) {
    words_.resize((n_cells + 63) / 64);
    for (std::size_t i = 0; i < lists; ++i) {
      if (cells[i] >= n_cells || (i > 0 && cells[i] <= cells[i - 1]))
        throw InvalidArgument("cells: expected ascending cell numbers below the number of cells");
      if (starts[i] < 0 || starts[i] > starts[i + 1])
        throw InvalidArgument(
            "starts: expected list starts that rise from 0 to the number of rows");
      words_[cells[i] / 64].bits |= std::uint64_t{1} << cells[i] % 64;
    }
    if (starts[0] != 0 || starts[lists] != static_cast<std::int64_t>(rows))
      throw InvalidArgument("starts: expected list starts that rise from 0 to the number of rows");
    std::uint32_t before = 0;
    for (Word& word : words_) {
      word.before = before;
      before += static_cast<std::uint32_t>(std::popcount(word.bits));
    }
  }

  struct Rows {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
  };
  Rows rows(std::size_t cell) const {
    const std::ptrdiff_t list = list_of(cell);
    if (list < 0) return {0, 0};
    return {static_cast<std::size_t>(starts_[list]), static_cast<std::size_t>(starts_[list + 1])};
  }
  // Asks for what rows() will read of a cell.
  void prefetch(std::size_t cell) const {
    if (const std::ptrdiff_t list = list_of(cell); list >= 0) __builtin_prefetch(starts_ + list);
  }

 private:
  // The place of a cell among those with rows; -1 where it has none.
  std::ptrdiff_t list_of(std::size_t cell) const {
    const Word& word = words_[cell / 64];
    const std::uint64_t bit = std::uint64_t{1} << cell % 64;
    if (!(word.bits & bit)) return -1;
    return static_cast<std::ptrdiff_t>(word.before) + std::popcount(word.bits & (bit - 1));
  }
  struct Word {
    std::uint64_t bits = 0;
    std::uint32_t before = 0;
  };
  std::vector<Word> words_;
  const std::int64_t* starts_;
};

}  // namespace kf::lists
