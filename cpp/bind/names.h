#pragma once
// What Python calls metrics and filters.

#include <string>

#include "bind/arrays.h"
#include "scan/exact.h"

namespace kf::bind {

inline scan::Metric metric_named(const std::string& name) {
  require(name == "l2" || name == "ip", "metric: expected l2 or ip");
  return name == "l2" ? scan::Metric::l2 : scan::Metric::inner_product;
}

inline scan::Filter filter_named(const std::string& name, bool heads = false) {
  if (heads && name == "head") return scan::Filter::head;
  if (name == "auto") return scan::Filter::automatic;
  if (name == "u8") return scan::Filter::u8;
  if (name == "f32") return scan::Filter::f32;
  if (name == "none") return scan::Filter::none;
  throw InvalidArgument(std::string("filter: expected one of auto, u8, f32, none") +
                        (heads ? ", head" : "") + ", got '" + name + "'");
}

}  // namespace kf::bind
