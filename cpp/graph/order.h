#pragma once
// An order of a graph's nodes in which neighbours lie near one another.

#include <cstdint>
#include <vector>

#include "graph/csr.h"

namespace kf::graph {

// The nodes by reverse Cuthill-McKee (Cuthill & McKee 1969): breadth first from a node of least
// degree, neighbours by rising degree, then turned round. Components follow one another whole. The
// same for the same graph always; linear in the entries but for the sorting of each row.
std::vector<std::int32_t> local_order(const Csr& graph);

}  // namespace kf::graph
