#pragma once
// The library's own pool. No OpenMP: it hangs after fork, and a second runtime beside torch's costs
// time.

#include <cstddef>
#include <functional>

namespace kf {

// Threads that parallel_for may use, the caller included. 0 restores the default: KINFOLD_THREADS,
// else the processors that this process may run on.
void set_threads(std::size_t n);
std::size_t threads();

// Calls body(begin, end) over [0, n) in chunks of `block`, on up to `limit` threads (0: threads()).
// Chunks are handed out by a counter; write results by position and they do not depend on the
// number of threads. The first exception stops the rest and is rethrown here. Small work runs
// inline. The calling thread asks for interrupts between its chunks; a chunk longer than about 100
// ms calls poll_interrupt itself.
void parallel_for(std::size_t n, std::size_t block,
                  const std::function<void(std::size_t, std::size_t)>& body, std::size_t limit = 0);

// Long loops call this now and then, inside parallel_for or outside: it throws when the user has
// asked to stop or when another chunk of the same parallel_for has failed. Cheap enough for every
// millisecond.
void poll_interrupt();
// Set by the binding layer. Must throw to stop the work; called on the caller's thread only.
void set_interrupt_check(void (*check)());

}  // namespace kf
