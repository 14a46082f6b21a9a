#pragma once
// A growing array of which several versions are read at once. A copy is another version and costs
// nothing; the latest one grows in place, behind what any other reads, as long as there is room.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>

#include "core/buffer.h"

namespace kf {

template <class T>
class SharedRows {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  std::size_t size() const { return n_; }
  const T* data() const { return room_ ? room_->items : nullptr; }

  // Returns where `more` items are to be written, behind the present ones. One version is grown by
  // one thread at a time; an older one than the latest moves out first.
  T* extend(std::size_t more) {
    const std::size_t total = n_ + more;
    if (!room_ || room_->used != n_ || room_->capacity < total) {
      auto larger = std::make_shared<Room>(n_ == 0 ? total : std::max(total, 2 * n_));
      if (n_ > 0) std::copy_n(room_->items, n_, larger->items);
      room_ = std::move(larger);
    }
    T* out = room_->items + n_;
    n_ = room_->used = total;
    return out;
  }

  // The first n items alone, n at most size().
  void shorten(std::size_t n) { n_ = n; }

  void clear() {
    if (room_ && room_.use_count() == 1)
      room_->used = 0;
    else
      room_.reset();
    n_ = 0;
  }

 private:
  struct Room {
    AlignedAllocator<T> allocator;
    std::size_t capacity, used = 0;
    T* items;
    explicit Room(std::size_t n) : capacity(n), items(allocator.allocate(n)) {}
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    ~Room() { allocator.deallocate(items, capacity); }
  };

  std::shared_ptr<Room> room_;
  std::size_t n_ = 0;
};

}  // namespace kf
