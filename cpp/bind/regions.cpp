// Matching of regions over arrays that Python owns.

#include "scan/regions.h"

#include <string>

#include "bind/arrays.h"
#include "bind/registry.h"
#include "core/checked.h"

namespace kf::bind {
namespace {

scan::Match match_named(const std::string& name) {
  if (name == "mean") return scan::Match::mean;
  if (name == "best") return scan::Match::best;
  throw InvalidArgument("match: expected mean or best, got '" + name + "'");
}

// Keeps the arrays alive while their pointers are in use.
struct RegionInputs {
  Array<float> vectors, query;
  Array<std::int64_t> starts;
  scan::Items items;

  RegionInputs(const scan::RegionScan& scan, const py::object& base, const py::object& first,
               const py::object& asked)
      : vectors(expect<float>(base, "vectors", 2)),
        query(expect<float>(asked, "query", 2)),
        starts(expect<std::int64_t>(first, "starts", 1)),
        items{} {
    require(cols(vectors) == scan.dimension() && cols(query) == scan.dimension(),
            "query: wrong dimension");
    require(rows(query) > 0, "query: expected at least one vector");
    require(rows(vectors) <= scan.size(), "vectors: more than were appended");
    require_starts(starts, rows(vectors));
    items = {vectors.data(), starts.data(), rows(starts) - 1};
    for (std::size_t i = 0; i < items.n; ++i)
      require(starts.data()[i] < starts.data()[i + 1], "starts: expected a vector for each item");
  }
};

}  // namespace

void register_regions(py::module_ m) {
  py::class_<scan::RegionScan, scan::Growing>(
      m, "RegionScan", "Filters of regional matching over vectors that the caller keeps.")
      .def(py::init([](std::size_t d, bool shadow) {
             require(d > 0, "dim: expected at least 1");
             return new scan::RegionScan(d, shadow);
           }),
           py::arg("dim"), py::arg("shadow") = true)
      .def(
          "scores",
          [](const scan::RegionScan& self, const py::object& vectors, const py::object& starts,
             const py::object& query, const std::string& match, const py::object& chosen,
             std::size_t threads) {
            const RegionInputs in(self, vectors, starts, query);
            const scan::Match how = match_named(match);
            const std::int64_t* numbers = nullptr;
            std::size_t count = in.items.n;
            if (!chosen.is_none()) {
              const auto array = expect<std::int64_t>(chosen, "chosen", 1);
              numbers = array.data();
              count = rows(array);
              for (std::size_t i = 0; i < count; ++i)
                require(numbers[i] >= (i ? numbers[i - 1] + 1 : 0) &&
                            numbers[i] < static_cast<std::int64_t>(in.items.n),
                        "chosen: expected rising numbers of items");
            }
            auto out = array_of<float>(count);
            float* scores = out.mutable_data();
            {
              py::gil_scoped_release release;
              self.scores(in.items, in.query.data(), rows(in.query), how, numbers, count, threads,
                          scores);
            }
            return out;
          },
          py::arg("vectors"), py::arg("starts"), py::arg("query"), py::arg("match") = "mean",
          py::arg("chosen") = py::none(), py::arg("threads") = 0)
      .def(
          "search",
          [](const scan::RegionScan& self, const py::object& vectors, const py::object& starts,
             const py::object& query, std::size_t k, const std::string& match,
             std::size_t threads) {
            const RegionInputs in(self, vectors, starts, query);
            const scan::Match how = match_named(match);
            require(k > 0, "k: expected at least 1");
            checked_mul(k, sizeof(std::int64_t));
            auto similarities = array_of<float>(k);
            auto found = array_of<std::int64_t>(k);
            float* s = similarities.mutable_data();
            std::int64_t* f = found.mutable_data();
            {
              py::gil_scoped_release release;
              self.search(in.items, in.query.data(), rows(in.query), how, k, threads, s, f);
            }
            return py::make_tuple(similarities, found);
          },
          py::arg("vectors"), py::arg("starts"), py::arg("query"), py::arg("k"),
          py::arg("match") = "mean", py::arg("threads") = 0);
}

}  // namespace kf::bind
