#include "simd/dispatch.h"

#include <atomic>
#include <cstdlib>

#include "core/error.h"
#include "kernels/table.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace kf {
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

CpuFeatures detect() {
  CpuFeatures f;
#if defined(__x86_64__)
  const auto bit = [](unsigned word, int i) { return ((word >> i) & 1u) != 0; };
  const Registers one = cpuid(1, 0);
  if (!bit(one.c, 27)) return f;  // the operating system saves no extended state
  const std::uint64_t state = enabled_state();
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = ymm && (state & 0xe0) == 0xe0;
  const bool tiles = zmm && (state & 0x60000) == 0x60000;
  const Registers seven = cpuid(7, 0), seven1 = cpuid(7, 1), extended = cpuid(0x80000001, 0);
  f.popcnt = bit(one.c, 23);
  f.lzcnt = bit(extended.c, 5);
  f.bmi2 = bit(seven.b, 8);
  f.fma = ymm && bit(one.c, 12);
  f.f16c = ymm && bit(one.c, 29);
  f.avx2 = ymm && bit(seven.b, 5);
  f.avx512f = zmm && bit(seven.b, 16);
  f.avx512dq = zmm && bit(seven.b, 17);
  f.avx512cd = zmm && bit(seven.b, 28);
  f.avx512bw = zmm && bit(seven.b, 30);
  f.avx512vl = zmm && bit(seven.b, 31);
  f.avx512vbmi = zmm && bit(seven.c, 1);
  f.avx512vbmi2 = zmm && bit(seven.c, 6);
  f.avx512vnni = zmm && bit(seven.c, 11);
  f.avx512bitalg = zmm && bit(seven.c, 12);
  f.avx512vpopcntdq = zmm && bit(seven.c, 14);
  f.avx512fp16 = zmm && bit(seven.d, 23);
  f.avx512bf16 = zmm && bit(seven1.a, 5);
  f.amx_bf16 = tiles && bit(seven.d, 22);
  f.amx_tile = tiles && bit(seven.d, 24);
  f.amx_int8 = tiles && bit(seven.d, 25);
  if (f.amx_tile && !request_tile_permission()) f.amx_tile = f.amx_int8 = f.amx_bf16 = false;
#endif
  return f;
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

std::vector<Level> usable_levels() {
  const CpuFeatures& cpu = cpu_features();
  (void)cpu;
  std::vector<Level> levels;
  bool usable = true;  // a level needs all levels below it
#define KF_LEVEL_ENTRY(name, test)                                              \
  if (const KernelTable* built = KF_CONCAT(KF_TABLE_, KF_BUILT_##name)(name)) { \
    usable = usable && (test);                                                  \
    if (usable) levels.push_back({#name, built});                               \
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

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

std::vector<std::string> cpu_feature_names() {
  const CpuFeatures& f = cpu_features();
  std::vector<std::string> names;
#define KF_NAME(feature) \
  if (f.feature) names.emplace_back(#feature);
  KF_NAME(popcnt)
  KF_NAME(lzcnt) KF_NAME(bmi2) KF_NAME(f16c) KF_NAME(fma) KF_NAME(avx2) KF_NAME(avx512f)
      KF_NAME(avx512bw) KF_NAME(avx512vl) KF_NAME(avx512dq) KF_NAME(avx512cd) KF_NAME(avx512vbmi)
          KF_NAME(avx512vbmi2) KF_NAME(avx512vnni) KF_NAME(avx512bitalg) KF_NAME(avx512vpopcntdq)
              KF_NAME(avx512bf16) KF_NAME(avx512fp16) KF_NAME(amx_tile) KF_NAME(amx_int8)
                  KF_NAME(amx_bf16)
#undef KF_NAME
                      return names;
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

const KernelTable& kernels() { return *current().load(std::memory_order_relaxed)->table; }

}  // namespace kf
