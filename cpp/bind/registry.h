#pragma once
// One function per room; module.cpp calls them all.

#include <pybind11/pybind11.h>

namespace kf::bind {

void register_config(pybind11::module_& m);
void register_kernels(pybind11::module_ m);
void register_scan(pybind11::module_ m);
void register_lists(pybind11::module_ m);
void register_candidates(pybind11::module_ m);
void register_hamming(pybind11::module_ m);
void register_regions(pybind11::module_ m);
void register_second_look(pybind11::module_ m);
void register_neighbours(pybind11::module_ m);
void register_postings(pybind11::module_ m);
void register_aggregate(pybind11::module_ m);
void register_by_word(pybind11::module_ m);
void register_tree(pybind11::module_ m);
void register_quantize(pybind11::module_ m);
void register_graph(pybind11::module_ m);
void register_manifold(pybind11::module_ m);
void register_geometry(pybind11::module_ m);

}  // namespace kf::bind
