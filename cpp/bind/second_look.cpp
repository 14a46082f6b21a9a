// Distances to named rows of stored vectors that Python owns.

#include "scan/second_look.h"

#include "bind/registry.h"
#include "bind/stored.h"
#include "core/checked.h"

namespace kf::bind {

void register_second_look(py::module_ m) {
  m.def(
      "second_look",
      [](const std::string& metric, const py::object& queries, const py::object& vectors,
         const py::object& centre, const py::object& steps, const py::object& starts,
         const py::object& named, std::size_t threads) {
        const auto asked = expect<float>(queries, "queries", 2);
        const auto held = py::cast<py::array>(vectors);
        require(held.ndim() == 2, "vectors: expected (n, d)");
        std::vector<py::object> keep;
        const scan::Stored stored =
            stored_in(vectors, rows(held), cols(asked), centre, steps, keep);
        const auto of = expect<std::int64_t>(named, "rows", 1);
        const auto bounds = expect<std::int64_t>(starts, "starts", 1);
        require_starts(bounds, rows(of));
        require(rows(bounds) == rows(asked) + 1, "starts: expected one more than queries");
        for (std::size_t i = 0; i < rows(of); ++i)
          require(of.data()[i] >= 0 && static_cast<std::size_t>(of.data()[i]) < rows(held),
                  "rows: expected rows of the vectors");
        const scan::Metric chosen = metric_named(metric);
        auto distances = array_of<float>(rows(of));
        float* out = distances.mutable_data();
        const scan::SecondLook look{asked.data(), rows(asked), bounds.data(), of.data(), threads};
        {
          py::gil_scoped_release release;
          scan::second_look(chosen, stored, look, out);
          turn_back(chosen, out, rows(of));
        }
        return distances;
      },
      py::arg("metric"), py::arg("queries"), py::arg("vectors"), py::arg("centre"),
      py::arg("steps"), py::arg("starts"), py::arg("rows"), py::arg("threads") = 0,
      "The distance of each query to the rows that are named for it, one after the other.");
}

}  // namespace kf::bind
