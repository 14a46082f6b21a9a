#pragma once
// A lock for a few instructions at a time, taken so seldom that nobody waits long.

#include <atomic>

namespace kf {

class SpinLock {
 public:
  void lock() {
    while (busy_.test_and_set(std::memory_order_acquire)) {
    }
  }
  void unlock() { busy_.clear(std::memory_order_release); }

 private:
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace kf
