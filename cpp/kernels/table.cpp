// One table of this level's kernels.

#define KF_TABLE
#include "kernels/table.h"

namespace kf::KF_LEVEL {

#undef KF_KERNEL
#define KF_KERNEL(ret, name, ...) ret name(__VA_ARGS__);
#include "kernels/list.def"

extern const KernelTable table;
#undef KF_KERNEL
#define KF_KERNEL(ret, name, ...) &name,
const KernelTable table = {
#include "kernels/list.def"
};

}  // namespace kf::KF_LEVEL
