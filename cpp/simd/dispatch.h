#pragma once
// Which instruction-set levels this build has, which the processor allows, and which one is in use.

#include <string>
#include <vector>

namespace kf {

// Features of the processor that matter here, read once; AMX counts only where the kernel grants the tile state.
const std::vector<std::string>& cpu_features();

// Levels that can run here, ascending. The last is the default.
const std::vector<std::string>& available_levels();
const std::string& current_level();
// Throws InvalidArgument for an unknown level or one that this machine lacks.
void set_level(const std::string& name);

}  // namespace kf
