#pragma once
// Growable arrays aligned to a cache line: unaligned 64-byte loads cost half the bandwidth of L2.

#include <cstddef>
#include <new>
#include <vector>

namespace kf {

template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t alignment{64};
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), alignment)); }
  void deallocate(T* p, std::size_t) { ::operator delete(static_cast<void*>(p), alignment); }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
};

template <class T>
using Buffer = std::vector<T, AlignedAllocator<T>>;

// Room for n items, kept by the thread from call to call: neither cleared nor returned to the
// system. One buffer for each Tag; a second call with the same Tag may move it.
template <class T, class Tag>
T* thread_scratch(std::size_t n) {
  thread_local Buffer<T> buffer;
  if (buffer.size() < n) buffer.resize(n);
  return buffer.data();
}

}  // namespace kf
