#pragma once
// Arrays that are read here and there: in large pages where the system lends them, since a page
// table of small ones is longer than a core remembers.

#include <cstddef>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace kf {

template <class T>
struct HugeAllocator {
  using value_type = T;
  static constexpr std::size_t page = std::size_t{1} << 21;
  HugeAllocator() = default;
  template <class U>
  HugeAllocator(const HugeAllocator<U>&) {}
  static std::align_val_t alignment(std::size_t n) {
    return std::align_val_t{n * sizeof(T) < page ? 64 : page};
  }
  T* allocate(std::size_t n) {
    void* p = ::operator new(n * sizeof(T), alignment(n));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (n * sizeof(T) >= page) ::madvise(p, n * sizeof(T) / page * page, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(p);
  }
  void deallocate(T* p, std::size_t n) { ::operator delete(p, alignment(n)); }
  template <class U>
  bool operator==(const HugeAllocator<U>&) const {
    return true;
  }
};

template <class T>
using HugeBuffer = std::vector<T, HugeAllocator<T>>;

}  // namespace kf
