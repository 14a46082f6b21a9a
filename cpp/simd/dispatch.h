#pragma once
// Which instruction-set levels this build has, which the processor allows, and which one is in use.

#include <string>
#include <vector>

namespace kf {

struct CpuFeatures {
  bool avx2 = false, fma = false, f16c = false, bmi2 = false, popcnt = false, lzcnt = false;
  bool avx512f = false, avx512bw = false, avx512vl = false, avx512dq = false, avx512cd = false;
  bool avx512vbmi = false, avx512vbmi2 = false, avx512vnni = false, avx512bitalg = false;
  bool avx512vpopcntdq = false, avx512bf16 = false, avx512fp16 = false;
  bool amx_tile = false, amx_int8 = false, amx_bf16 = false;
};

// Read once from CPUID and XGETBV; AMX counts only where the kernel grants the tile state.
const CpuFeatures& cpu_features();
std::vector<std::string> cpu_feature_names();

// Levels that can run here, ascending. The last is the default.
const std::vector<std::string>& available_levels();
const std::string& current_level();
// Throws InvalidArgument for an unknown level or one that this machine lacks.
void set_level(const std::string& name);

}  // namespace kf
