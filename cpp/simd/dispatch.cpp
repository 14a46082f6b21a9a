#include "simd/dispatch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include "core/error.h"
#include "kernels/table.h"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace kf {

#define KF_LEVEL_ENTRY(name, ...) \
  namespace name {                \
  extern const KernelTable table; \
  }
#include "simd/levels.def"
#undef KF_LEVEL_ENTRY

namespace {

#if defined(__x86_64__)
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}

std::uint64_t enabled_state() {
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

// Linux hands out AMX's 8 KiB tile state on request only, once per process.
bool request_tile_permission() {
#if defined(__linux__)
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
#endif

std::vector<std::string> detect() {
  std::vector<std::string> names;
#if defined(__x86_64__)
  const auto bit = [](unsigned word, int i) { return ((word >> i) & 1u) != 0; };
  const Registers one = cpuid(1, 0);
  if (!bit(one.c, 27)) return names;  // the operating system saves no extended state
  const std::uint64_t state = enabled_state();
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = ymm && (state & 0xe0) == 0xe0;
  const Registers seven = cpuid(7, 0), seven1 = cpuid(7, 1), extended = cpuid(0x80000001, 0);
  const bool tiles =
      zmm && (state & 0x60000) == 0x60000 && bit(seven.d, 24) && request_tile_permission();
  const struct {
    const char* name;
    bool there;
  } features[] = {
      {"popcnt", bit(one.c, 23)},
      {"lzcnt", bit(extended.c, 5)},
      {"bmi2", bit(seven.b, 8)},
      {"f16c", ymm && bit(one.c, 29)},
      {"fma", ymm && bit(one.c, 12)},
      {"avx2", ymm && bit(seven.b, 5)},
      {"avxvnni", ymm && bit(seven1.a, 4)},
      {"avx512f", zmm && bit(seven.b, 16)},
      {"avx512bw", zmm && bit(seven.b, 30)},
      {"avx512vl", zmm && bit(seven.b, 31)},
      {"avx512dq", zmm && bit(seven.b, 17)},
      {"avx512cd", zmm && bit(seven.b, 28)},
      {"avx512vbmi", zmm && bit(seven.c, 1)},
      {"avx512vbmi2", zmm && bit(seven.c, 6)},
      {"avx512vnni", zmm && bit(seven.c, 11)},
      {"avx512bitalg", zmm && bit(seven.c, 12)},
      {"avx512vpopcntdq", zmm && bit(seven.c, 14)},
      {"avx512bf16", zmm && bit(seven1.a, 5)},
      {"avx512fp16", zmm && bit(seven.d, 23)},
      {"amx_tile", tiles},
      {"amx_int8", tiles && bit(seven.d, 25)},
      {"amx_bf16", tiles && bit(seven.d, 22)},
  };
  for (const auto& feature : features)
    if (feature.there) names.emplace_back(feature.name);
#elif defined(__APPLE__) && defined(__aarch64__)
  names.emplace_back("asimddp");  // every one of them
#elif defined(__aarch64__) && defined(__linux__)
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) names.emplace_back("asimddp");
#endif
  return names;
}

// CMake says of each level whether the compiler could build it: KF_BUILT_<level> is 1 or 0.
#define KF_TABLE_1(level) &level::table
#define KF_TABLE_0(level) nullptr
#define KF_CONCAT_(a, b) a##b
#define KF_CONCAT(a, b) KF_CONCAT_(a, b)

struct Level {
  std::string name;
  const KernelTable* table;
};

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_features(const std::string& names) {
  std::istringstream words(names);
  return std::all_of(std::istream_iterator<std::string>(words), {},
                     [](const std::string& name) { return contains(cpu_features(), name); });
}

std::vector<Level> usable_levels() {
  std::vector<std::string> possible{""};  // what the processor can run, built or not
  std::vector<Level> levels;
#define KF_LEVEL_ENTRY(name, needs, processor, features, flags)             \
  if (contains(possible, #needs) && has_features(features)) {               \
    possible.push_back(#name);                                              \
    const KernelTable* built = KF_CONCAT(KF_TABLE_, KF_BUILT_##name)(name); \
    if (built) levels.push_back({#name, built});                            \
  }
#include "simd/levels.def"
#undef KF_LEVEL_ENTRY
  return levels;
}

const std::vector<Level>& levels() {
  static const std::vector<Level> found = usable_levels();
  return found;
}

const Level& find_level(const std::string& name, const std::string& argument) {
  for (const Level& level : levels())
    if (level.name == name) return level;
  std::string known;
  for (const Level& level : levels()) known += (known.empty() ? "" : ", ") + level.name;
  throw InvalidArgument(argument + ": expected one that this machine has (" + known + "), got '" +
                        name + "'");
}

std::atomic<const Level*>& current() {
  static std::atomic<const Level*> level = [] {
    const char* wish = std::getenv("KINFOLD_SIMD");
    return wish && *wish ? &find_level(wish, "KINFOLD_SIMD") : &levels().back();
  }();
  return level;
}

}  // namespace

const std::vector<std::string>& cpu_features() {
  static const std::vector<std::string> features = detect();
  return features;
}

const std::vector<std::string>& available_levels() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Level& level : levels()) out.push_back(level.name);
    return out;
  }();
  return names;
}

const std::string& current_level() { return current().load()->name; }

void set_level(const std::string& name) { current().store(&find_level(name, "level")); }

template <class Family>
const Family& kernels() {
  return *current().load(std::memory_order_relaxed)->table;
}
template const KernelTable& kernels<KernelTable>();
template const VectorKernels& kernels<VectorKernels>();
template const FilterKernels& kernels<FilterKernels>();
template const PairKernels& kernels<PairKernels>();
template const ProductKernels& kernels<ProductKernels>();
template const NarrowKernels& kernels<NarrowKernels>();
template const GeometryKernels& kernels<GeometryKernels>();
template const HammingKernels& kernels<HammingKernels>();
template const TreeKernels& kernels<TreeKernels>();
template const WordKernels& kernels<WordKernels>();
template const GraphKernels& kernels<GraphKernels>();

}  // namespace kf
