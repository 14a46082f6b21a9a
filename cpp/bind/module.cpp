// The module's table of contents: one submodule per room.

#include "bind/registry.h"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "Kinfold's compiled engine. Private: use the functions of the package's rooms.";
  kf::bind::register_config(m);
  kf::bind::register_kernels(
      m.def_submodule("kernels", "Single kernels, for tests and benchmarks."));
  pybind11::module_ scan = m.def_submodule("scan", "Exhaustive scans.");
  kf::bind::register_scan(scan);
  kf::bind::register_hamming(scan);
  kf::bind::register_regions(scan);
  kf::bind::register_second_look(scan);
  kf::bind::register_lists(m.def_submodule("lists", "Scans of lists of codes."));
  kf::bind::register_candidates(
      m.def_submodule("candidates", "Search among rows that a structure proposes."));
  kf::bind::register_neighbours(m.def_submodule("neighbours", "Neighbour lists of a set."));
  pybind11::module_ words =
      m.def_submodule("words", "Inverted files of photos: bags of words and aggregates.");
  kf::bind::register_postings(words);
  kf::bind::register_aggregate(words);
  kf::bind::register_by_word(words);
  kf::bind::register_tree(m.def_submodule("tree", "Trees over points of few dimensions."));
  kf::bind::register_quantize(m.def_submodule("quantize", "Clustering and codes."));
  kf::bind::register_graph(m.def_submodule("graph", "Sparse neighbour graphs."));
  kf::bind::register_manifold(m.def_submodule("manifold", "Geodesics and symmetric matrices."));
  kf::bind::register_geometry(m.def_submodule("geometry", "Spatial verification."));
}
