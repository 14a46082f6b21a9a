// Levels, threads, interrupts.

#include <pybind11/stl.h>

#include "bind/registry.h"
#include "core/error.h"
#include "core/threads.h"
#include "simd/dispatch.h"

#if defined(__clang__)
#define KF_COMPILER "Clang " __clang_version__
#else
#define KF_COMPILER "GCC " __VERSION__
#endif

namespace kf::bind {

namespace py = pybind11;

void register_config(py::module_& m) {
  set_interrupt_check([] {
    py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  });
  m.attr("compiler") = KF_COMPILER;
  m.def("levels", &available_levels, "Instruction-set levels that can run here, ascending.");
  m.def("level", [] { return current_level(); }, "The level in use.");
  m.def("set_level", &set_level, py::arg("level"),
        "Force a level; ValueError if this machine lacks it.");
  m.def("cpu_features", &cpu_features, "Processor features that matter here.");
  m.def("threads", &threads, "Threads that a call may use, the caller included.");
  m.def(
      "set_threads",
      [](py::ssize_t n) {
        if (n < 0)
          throw InvalidArgument("threads: expected 0 (default) or a positive number, got " +
                                std::to_string(n));
        set_threads(static_cast<std::size_t>(n));
      },
      py::arg("threads"), "Set the number of threads; 0 restores the default.");
  current_level();  // a wrong KINFOLD_SIMD is reported at import, not in the middle of work
  threads();
}

}  // namespace kf::bind
