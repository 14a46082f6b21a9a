// Single kernels, family by family.

#include "bind/registry.h"

namespace kf::bind {

void register_vectors_kernels(pybind11::module_& m);
void register_tree_kernels(pybind11::module_& m);
void register_filters_kernels(pybind11::module_& m);
void register_pairs_kernels(pybind11::module_& m);
void register_product_kernels(pybind11::module_& m);
void register_narrow_kernels(pybind11::module_& m);
void register_hamming_kernels(pybind11::module_& m);
void register_words_kernels(pybind11::module_& m);

void register_kernels(pybind11::module_ m) {
  register_vectors_kernels(m);
  register_tree_kernels(m);
  register_filters_kernels(m);
  register_pairs_kernels(m);
  register_product_kernels(m);
  register_narrow_kernels(m);
  register_hamming_kernels(m);
  register_words_kernels(m);
}

}  // namespace kf::bind
