#include "bind/stored.h"

#include <algorithm>

namespace kf::bind {

scan::Stored stored_in(const py::object& array, std::size_t n, std::size_t d,
                       const py::object& centre, const py::object& steps,
                       std::vector<py::object>& keep) {
  scan::Stored stored;
  stored.d = d;
  const auto as_array = py::cast<py::array>(array);
  require(as_array.ndim() == 2 && rows(as_array) == n && cols(as_array) >= d,
          "vectors: expected (n, d)");
  require((as_array.flags() & py::array::c_style) != 0, "vectors: expected a C-contiguous array");
  keep.push_back(array);
  stored.data = as_array.data();
  stored.padded_d = cols(as_array);
  const char type = as_array.dtype().kind();
  const auto size = as_array.itemsize();
  if (type == 'f' && (size == 4 || size == 2)) {
    stored.format = size == 4 ? scan::Stored::Format::f32 : scan::Stored::Format::f16;
    require(stored.padded_d == d, "vectors: expected (n, d)");
  } else {
    require(type == 'u' && size == 1, "vectors: expected float32, float16 or uint8");
    stored.format = scan::Stored::Format::bytes;
    stored.centre = data_of<float>(centre, "centre", 1, d, keep);
    const float* each = data_of<float>(steps, "steps", 1, d, keep);
    require(stored.centre && each && d > 0, "centre: expected with uint8, and steps");
    stored.scale = each[0];
    if (std::any_of(each, each + d, [&](float step) { return step != each[0]; }))
      stored.steps = each;
  }
  return stored;
}

std::vector<const std::uint8_t*> masks_of(const py::object& admitted,
                                          const std::vector<std::size_t>& rows,
                                          std::vector<py::object>& keep) {
  std::vector<const std::uint8_t*> masks;
  if (admitted.is_none()) return masks;
  const auto list = py::cast<py::list>(admitted);
  require(list.size() == rows.size(), "admitted: expected a mask for each segment");
  for (std::size_t i = 0; i < list.size(); ++i)
    masks.push_back(data_of<std::uint8_t>(list[i], "admitted", 1, rows[i], keep));
  return masks;
}

void turn_back(scan::Metric metric, float* distances, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) distances[i] = turned_back(metric, distances[i]);
}

void turn_back(scan::Metric metric, std::vector<std::vector<Neighbour>>& lists) {
  for (auto& list : lists)
    for (Neighbour& item : list) item.distance = turned_back(metric, item.distance);
}

}  // namespace kf::bind
