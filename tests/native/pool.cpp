// Drives the thread pool without Python, so that it can also run under ThreadSanitizer, which the
// interpreter cannot. Prints the first check that fails and exits with 1.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/threads.h"

namespace {

void check(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

// Each position once, by position.
void check_covers(std::size_t n, std::size_t block, std::size_t limit) {
  std::vector<int> visits(n, 0);
  kf::parallel_for(
      n, block,
      [&](std::size_t begin, std::size_t end) {
        check(begin < end && end <= n && end - begin <= std::max<std::size_t>(block, 1), "bounds of a chunk");
        for (std::size_t i = begin; i < end; ++i) ++visits[i];
      },
      limit);
  for (const int visit : visits) check(visit == 1, "every position is visited once");
}

void check_exceptions(std::size_t limit) {
  std::atomic<std::size_t> done{0};
  try {
    kf::parallel_for(
        100000, 1,
        [&](std::size_t begin, std::size_t) {
          if (begin == 10) throw std::runtime_error("ten");
          std::this_thread::sleep_for(std::chrono::microseconds(20));
          ++done;
        },
        limit);
    check(false, "an exception of the body is rethrown");
  } catch (const std::runtime_error& error) {
    check(error.what() == std::string("ten"), "the exception is the body's own");
  }
  check(done < 50000, "an exception stops the rest");
  check_covers(1000, 7, limit);  // the pool still works
}

std::atomic<int> asked{0};

void check_interrupts() {
  kf::set_interrupt_check([] {
    if (++asked == 2) throw std::runtime_error("interrupt");
  });
  for (const std::size_t limit : {1u, 3u}) {
    asked = 0;
    bool stopped = false;
    try {
      kf::parallel_for(
          1000, 1, [](std::size_t, std::size_t) { std::this_thread::sleep_for(std::chrono::milliseconds(10)); }, limit);
    } catch (const std::runtime_error&) {
      stopped = true;
    }
    check(stopped, "an interrupt stops the work");
  }
  kf::set_interrupt_check(nullptr);
}

void check_many_callers() {
  std::vector<std::thread> callers;
  for (std::size_t c = 0; c < 6; ++c)
    callers.emplace_back([c] {
      for (int round = 0; round < 50; ++round) check_covers(500 + 37 * c, 1 + c, 3);
    });
  for (std::thread& caller : callers) caller.join();
}

void check_nesting() {
  std::atomic<std::size_t> sum{0};
  kf::parallel_for(
      8, 1,
      [&](std::size_t, std::size_t) {
        kf::parallel_for(100, 10, [&](std::size_t begin, std::size_t end) { sum += end - begin; }, 3);
      },
      3);
  check(sum == 800, "a body may itself be parallel");
}

void check_fork() {
  check_covers(1000, 10, 4);
  const pid_t child = fork();
  if (child == 0) {
    check_covers(1000, 10, 4);
    _exit(0);
  }
  int status = -1;
  check(waitpid(child, &status, 0) == child && status == 0, "a forked child has a pool of its own");
  check_covers(1000, 10, 4);
}

// Threads that the system refuses are fewer threads, not an error.
void check_refused() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const pid_t child = fork();
  if (child == 0) {
    // No room for one more stack.
    std::size_t pages = 0;
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    if (!file || std::fscanf(file, "%zu", &pages) != 1) _exit(0);
    std::fclose(file);
    const rlimit room{pages * 4096 + (1 << 20), pages * 4096 + (1 << 20)};
    check(setrlimit(RLIMIT_AS, &room) == 0, "the limit is set");
    bool refused = false;
    try {
      for (int i = 0; i < 100; ++i) std::thread([] { sleep(1); }).detach();
    } catch (const std::system_error&) {
      refused = true;
    }
    check(refused, "the system refuses threads");
    for (int round = 0; round < 3; ++round) check_covers(1000, 10, 200);
    check_exceptions(200);
    _exit(0);
  }
  int status = -1;
  check(waitpid(child, &status, 0) == child && status == 0, "refused threads are done without");
#endif
}

}  // namespace

int main(int count, char** arguments) {
  for (const std::size_t limit : {0u, 1u, 2u, 7u})
    for (const std::size_t n : {0u, 1u, 6u, 7u, 8u, 1000u})
      for (const std::size_t block : {0u, 1u, 7u, 2000u}) check_covers(n, block, limit);
  check_exceptions(1);
  check_exceptions(4);
  check_interrupts();
  check_many_callers();
  check_nesting();
  // ThreadSanitizer refuses to start threads in a child of a process with threads.
  if (count == 1 || std::string(arguments[1]) != "nofork") {
    check_fork();
    check_refused();
  }
  std::puts("ok");
  return 0;
}
