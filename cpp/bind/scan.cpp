#include "bind/arrays.h"
#include "bind/registry.h"

namespace kf::bind {

void register_scan(py::module_ m) { (void)m; }

}  // namespace kf::bind
