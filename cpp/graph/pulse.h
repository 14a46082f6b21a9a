#pragma once
// Asks for interrupts between short steps, but not at each: asking takes the interpreter's lock.

#include <chrono>

#include "core/threads.h"

namespace kf::graph {

class Pulse {
 public:
  void operator()() {
    const auto now = std::chrono::steady_clock::now();
    if (now - asked_ < std::chrono::milliseconds(50)) return;
    asked_ = now;
    poll_interrupt();
  }

 private:
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
};

}  // namespace kf::graph
