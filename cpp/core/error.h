#pragma once
// The engine's one exception for bad input; it becomes Python's ValueError.

#include <stdexcept>

namespace kf {

class InvalidArgument : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

}  // namespace kf
