#include "core/threads.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/published.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace kf {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto interrupt_period = std::chrono::milliseconds(50);
constexpr std::size_t most_threads = 1024;

std::size_t affinity() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

std::size_t default_threads() {
  const char* wish = std::getenv("KINFOLD_THREADS");
  if (!wish || !*wish) return affinity();
  char* end = nullptr;
  const long n = std::strtol(wish, &end, 10);
  if (*end != '\0' || n < 1 || n > static_cast<long>(most_threads))
    throw InvalidArgument(
        std::string("KINFOLD_THREADS: expected a whole number from 1 to 1024, got '") + wish + "'");
  return static_cast<std::size_t>(n);
}

std::atomic<std::size_t> chosen_threads{0};
std::atomic<void (*)()> interrupt_check{nullptr};

// One call of parallel_for.
struct Job {
  std::size_t n, block;
  const std::function<void(std::size_t, std::size_t)>* body;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> stop{false};
  std::size_t helpers_wanted = 0;  // guarded by the pool's mutex
  std::size_t helpers_inside = 0;  // guarded by the pool's mutex
  std::exception_ptr error;        // guarded by the pool's mutex
};

// What the thread is working on, so that a long chunk can ask whether to go on.
struct Context {
  const Job* job = nullptr;
  bool worker = false;
  Clock::time_point asked{};
};
thread_local Context context;

struct Stopped {};  // unwinds a chunk whose job has failed elsewhere; never leaves parallel_for

void check_interrupt() {
  if (auto* check = interrupt_check.load()) check();
}

class Pool {
 public:
  // A pool lives as long as the process: at exit its threads may still be asleep in it.
  static Pool& instance() { return *pool_.load(); }
  // The child has no threads: it starts anew.
  static void renew() { pool_.store(new Pool); }

  void run(Job& job, std::size_t helpers) {
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back(&job);
      job.helpers_wanted = helpers;
      hire(helpers);
    }
    wake_.notify_all();
    drain(job);
    std::unique_lock lock(mutex_);
    job.helpers_wanted = 0;
    jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), &job), jobs_.end());
    while (job.helpers_inside > 0) {
      if (done_.wait_for(lock, interrupt_period) == std::cv_status::timeout && !job.stop) {
        lock.unlock();
        try {
          check_interrupt();
        } catch (...) {
          fail(job);
        }
        lock.lock();
      }
    }
    if (job.error) std::rethrow_exception(job.error);
  }

 private:
  // Those that the system refuses are done without: the caller works in any case.
  void hire(std::size_t helpers) {
    try {
      while (workers_ < helpers) {
        std::thread(&Pool::work, this).detach();
        ++workers_;
      }
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
  }

  void work() {
    context.worker = true;
    std::unique_lock lock(mutex_);
    for (;;) {
      Job* job = nullptr;
      wake_.wait(lock, [&] {
        for (Job* candidate : jobs_)
          if (candidate->helpers_wanted > 0) {
            job = candidate;
            return true;
          }
        return false;
      });
      --job->helpers_wanted;
      ++job->helpers_inside;
      lock.unlock();
      drain(*job);
      lock.lock();
      if (--job->helpers_inside == 0) done_.notify_all();
    }
  }

  void drain(Job& job) {
    const Job* outer = context.job;
    context.job = &job;
    try {
      while (!job.stop.load(std::memory_order_relaxed)) {
        const std::size_t begin = job.next.fetch_add(job.block);
        if (begin >= job.n) break;
        (*job.body)(begin, std::min(begin + job.block, job.n));
        poll_interrupt();
      }
    } catch (const Stopped&) {
    } catch (...) {
      fail(job);
    }
    context.job = outer;
  }

  void fail(Job& job) {
    std::lock_guard lock(mutex_);
    if (!job.error) job.error = std::current_exception();
    job.stop = true;
  }

  static std::atomic<Pool*> pool_;

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<Job*> jobs_;
  std::size_t workers_ = 0;
};

std::atomic<Pool*> Pool::pool_{new Pool};

std::atomic<unsigned> fork_count{0};

// Asked for before any call can come: nothing is left half done by a fork meanwhile.
[[maybe_unused]] const int fork_handlers =
    pthread_atfork([] { moment().lock(); }, [] { moment().unlock(); },
                   [] {
                     ++fork_count;
                     Pool::renew();
                     moment().unlock();
                   });

}  // namespace

std::mutex& moment() {
  static constinit std::mutex mutex;
  return mutex;
}

unsigned forks() { return fork_count.load(); }

void set_threads(std::size_t n) { chosen_threads = std::min(n, most_threads); }

std::size_t threads() {
  const std::size_t n = chosen_threads.load();
  if (n > 0) return n;
  static const std::size_t by_default = default_threads();
  return by_default;
}

void poll_interrupt() {
  if (context.job && context.job->stop.load(std::memory_order_relaxed)) throw Stopped{};
  if (context.worker) return;  // the caller's thread asks for all
  const auto now = Clock::now();
  if (now - context.asked < interrupt_period) return;
  context.asked = now;
  check_interrupt();
}

void set_interrupt_check(void (*check)()) { interrupt_check = check; }

void parallel_for(std::size_t n, std::size_t block,
                  const std::function<void(std::size_t, std::size_t)>& body, std::size_t limit) {
  if (n == 0) return;
  block = std::max<std::size_t>(block, 1);
  const std::size_t chunks = (n + block - 1) / block;
  const std::size_t use = std::min(limit > 0 ? limit : threads(), chunks);
  Job job{.n = n, .block = block, .body = &body, .next = 0, .stop = false, .error = nullptr};
  if (use > 1) {
    Pool::instance().run(job, use - 1);
    return;
  }
  for (std::size_t begin = 0; begin < n; begin += block) {
    body(begin, std::min(begin + block, n));
    poll_interrupt();
  }
}

}  // namespace kf
