// One table of this level's kernels.

#define KF_TABLE
#include "kernels/table.h"

namespace kf::KF_LEVEL {

extern const KernelTable table;
const KernelTable table = {
#define KF_KERNEL(ret, name, ...) &name,
#include "kernels/list.def"
#undef KF_KERNEL
};

}  // namespace kf::KF_LEVEL
