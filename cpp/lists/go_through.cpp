#include "lists/go_through.h"

namespace kf::lists {

Gathered::Gathered(const Lists& lists, const ListQuery& query, const Probed& probed,
                   std::size_t from, std::size_t to) {
  struct Entry {
    std::uint32_t cell, query;
    float value;
  };
  std::vector<Entry> entries;
  entries.reserve(query.n * (to - from));
  for (std::uint32_t q = 0; q < query.n; ++q)
    for (std::size_t i = from; i < to; ++i)
      if (const std::int64_t cell = probed.cells[q * query.nprobe + i]; cell >= 0)
        entries.push_back(
            {static_cast<std::uint32_t>(cell), q, probed.values[q * query.nprobe + i]});
  // A stable counting sort by cell.
  std::vector<std::uint32_t> starts(lists.coarse().n_cells() + 1);
  for (const Entry& entry : entries) ++starts[entry.cell + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::uint32_t> next(starts.begin(), starts.end() - 1);
  which.resize(entries.size());
  values.resize(entries.size());
  for (const Entry& entry : entries) {
    const std::uint32_t at = next[entry.cell]++;
    which[at] = entry.query;
    values[at] = entry.value;
  }
  constexpr std::uint32_t most = scan::most_group;
  constexpr std::size_t span = 65536;
  for (std::uint32_t cell = 0; cell + 1 < starts.size(); ++cell) {
    if (starts[cell] == starts[cell + 1]) continue;
    for (std::uint32_t s = 0; s < lists.segments().size(); ++s) {
      const auto rows = lists.segments()[s].directory->rows(cell);
      for (std::uint32_t first = starts[cell]; first < starts[cell + 1]; first += most)
        for (std::size_t at = rows.begin; at < rows.end; at += span)
          tasks.push_back({{s, cell, 0, at, std::min(rows.end, at + span)},
                           first,
                           std::min(most, starts[cell + 1] - first)});
    }
  }
}

}  // namespace kf::lists
