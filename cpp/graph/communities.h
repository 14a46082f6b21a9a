#pragma once
// Groups of nodes: what hangs together at all, and what hangs together closely.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/csr.h"

namespace kf::graph {

// The connected component of each node, along edges of at least `least` weight. Components are
// numbered by their smallest nodes.
std::vector<std::int64_t> components(const Csr& graph, float least);

// The community of each node by the Leiden algorithm: nodes move to where modularity gains most,
// every community is refined into well connected parts, the parts become the nodes of the next
// round (Traag, Waltman & van Eck, Scientific Reports 2019, algorithm A.2, with the best merge
// instead of a random one). Communities are connected, and numbered by their smallest nodes; nodes
// without edges are alone. One thread: the seed alone decides the order of visits.
std::vector<std::int64_t> communities(const Csr& graph, double resolution, std::uint64_t seed);

// The share of the weight within groups less what is expected at random (Newman & Girvan 2004, with
// the resolution of Reichardt & Bornholdt 2006). Labels lie in [0, n).
double modularity(const Csr& graph, const std::int64_t* labels, double resolution);

}  // namespace kf::graph
