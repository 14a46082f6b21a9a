#pragma once
// What a family of kernels is declared with: a header that holds its types and, as a struct of function pointers, its
// list: <family>.def with a line KF_KERNEL(return type, name, arguments...) for each. Kernel files include this, their
// family, <cstddef>, <cstdint>, simd/vec.h and intrinsics; nothing of the standard library's templates, which the
// linker could merge into code for older processors.

#include <cstddef>
#include <cstdint>

// Kernel files are told their level. They see types alone: a new line in a list leaves them as they are.
#if !defined(KF_LEVEL) || defined(KF_TABLE)
#define KF_LISTS
#define KF_KERNEL(ret, name, ...) ret (*name)(__VA_ARGS__);
#endif
#ifndef KF_LEVEL
#define KF_LEVEL none
#endif

namespace kf {

struct KernelTable;

// The kernels of a family, or all of them, of the level in use. Take them once, outside loops.
template <class Family = KernelTable>
const Family& kernels();

}  // namespace kf
