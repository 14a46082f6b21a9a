#pragma once
// How readers go on beside a writer: they take the last whole state, which never changes, and the
// writer puts the next one in its place. Both are safe around fork: a child finds the last whole
// state and a free turn, whatever another thread of its parent was at.

#include <memory>
#include <mutex>
#include <utility>

namespace kf {

// For a few instructions at a time; fork waits for it.
std::mutex& moment();
// How often this process and those before it were forked.
unsigned forks();

template <class T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> first) : now_(std::move(first)) {}

  std::shared_ptr<const T> get() const {
    const std::lock_guard guard(moment());
    return now_;
  }
  void set(std::shared_ptr<const T> next) {
    const std::lock_guard guard(moment());
    now_.swap(next);  // what was there dies without the lock, in the caller
  }

 private:
  std::shared_ptr<const T> now_;
};

// One writer at a time, for as long as it takes.
class Turn {
 public:
  std::unique_lock<std::mutex> take() {
    std::mutex* mutex = nullptr;
    {
      const std::lock_guard guard(moment());
      if (born_ != forks()) {
        // Its owner may be a thread that this process does not have: it can be neither released
        // nor destroyed.
        (void)mutex_.release();
        mutex_ = std::make_unique<std::mutex>();
        born_ = forks();
      }
      mutex = mutex_.get();
    }
    return std::unique_lock(*mutex);
  }

 private:
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  unsigned born_ = forks();
};

}  // namespace kf
