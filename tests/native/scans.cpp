// Drives the scans that grow while they are searched, without Python, so that it can also run under
// ThreadSanitizer. Prints the first check that fails and exits with 1.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/threads.h"
#include "scan/exact.h"
#include "scan/regions.h"

namespace {

// How many allocations of this thread still succeed; negative: all.
thread_local long allowance = -1;

void* allocate(std::size_t n, std::size_t alignment) {
  if (allowance == 0) throw std::bad_alloc();
  if (allowance > 0) --allowance;
  void* p = std::aligned_alloc(alignment, (std::max<std::size_t>(n, 1) + alignment - 1) / alignment * alignment);
  if (!p) throw std::bad_alloc();
  return p;
}

void check(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

constexpr std::size_t d = 20, most = 3000, k = 5;

std::vector<float> numbers(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(random);
  return x;
}

using kf::scan::Filter;
using kf::scan::Metric;

// What a scan answers over the first n rows.
struct Exact {
  static constexpr const char* name = "exact";
  kf::scan::ExactScan scan;
  explicit Exact(Metric metric) : scan(d, metric, true) {}

  std::vector<float> answer(const std::vector<float>& x, std::size_t n, std::size_t from, Filter filter,
                            std::size_t threads) const {
    constexpr std::size_t queries = 3;
    std::vector<float> distances(queries * k);
    std::vector<std::int64_t> ids(queries * k);
    scan.search({x.data(), nullptr, nullptr, n}, x.data() + from * d, queries, k, filter, threads, distances.data(),
                ids.data());
    for (const std::int64_t id : ids) distances.push_back(static_cast<float>(id));
    return distances;
  }
  void same(const std::vector<float>& x, std::size_t n, std::size_t from, std::size_t threads) const {
    const auto expected = answer(x, n, from, Filter::none, 1);
    for (const Filter filter : {Filter::automatic, Filter::u8, Filter::f32})
      check(answer(x, n, from, filter, threads) == expected, "exact: a filter changes no answer");
    const auto within = scan.range({x.data(), nullptr, nullptr, n}, x.data() + from * d, 1, expected[k - 1],
                                   Filter::u8, threads);
    check(within[0].size() >= k && within[0][k - 1].distance == expected[k - 1], "exact: within a radius");
  }
};

// Items of two regions each.
struct Regions {
  static constexpr const char* name = "regions";
  kf::scan::RegionScan scan;
  std::vector<std::int64_t> starts;
  explicit Regions(Metric) : scan(d, true) {
    for (std::size_t i = 0; i <= most / 2; ++i) starts.push_back(static_cast<std::int64_t>(2 * i));
  }

  void same(const std::vector<float>& x, std::size_t n, std::size_t from, std::size_t threads) const {
    const std::size_t items = n / 2, count = std::min(k, items);
    const kf::scan::Items all{x.data(), starts.data(), items};
    for (const auto match : {kf::scan::Match::mean, kf::scan::Match::best}) {
      std::vector<float> scores(items), similarities(k);
      std::vector<std::int64_t> found(k);
      scan.scores(all, x.data() + from * d, 2, match, nullptr, items, threads, scores.data());
      scan.search(all, x.data() + from * d, 2, match, k, threads, similarities.data(), found.data());
      std::sort(scores.begin(), scores.end(), std::greater<>());
      check(std::equal(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(count), similarities.begin()),
            "regions: the best are the best of all");
    }
  }
};

// Readers see the last whole state, whatever the writer is at.
template <class Scan>
void check_readers(Metric metric) {
  const auto x = numbers(most * d, 1);
  Scan one(metric);
  one.scan.append(x.data(), 40);
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (std::size_t r = 0; r < 3; ++r)
    readers.emplace_back([&, r] {
      std::size_t last = 0;
      for (std::size_t round = 0; !done || round < 3; ++round) {
        const std::size_t n = one.scan.size() / 2 * 2;
        check(n >= last && n <= most, "a scan only grows");
        last = n;
        one.same(x, n, (7 * round + r) % (n - 3), 1 + r % 2);
      }
    });
  std::size_t n = 40;
  for (std::size_t step = 1; n < most; step = step % 97 + 13) {
    const std::size_t more = std::min(step, most - n);
    one.scan.append(x.data() + n * d, more);
    n += more;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  one.same(x, most, 0, 2);
}

// Several that append: each row is there once.
template <class Scan>
void check_writers(Metric metric) {
  const auto x = numbers(d, 2);
  std::vector<float> copies;
  for (std::size_t i = 0; i < most; ++i) copies.insert(copies.end(), x.begin(), x.end());
  Scan one(metric);
  std::vector<std::thread> writers;
  for (std::size_t w = 0; w < 3; ++w)
    writers.emplace_back([&] {
      for (std::size_t i = 0; i < 20; ++i) one.scan.append(copies.data(), 50);
    });
  for (std::thread& writer : writers) writer.join();
  check(one.scan.size() == most, "what several append is all there");
  one.same(copies, most, 0, 2);
}

// Rows behind the first `at` replace what stood there.
template <class Scan>
void check_replacing(Metric metric) {
  const auto x = numbers(most * d, 3), other = numbers(most * d, 4);
  for (const std::size_t at : {0u, 2u, 32u, 34u, 100u, 640u}) {
    Scan one(metric);
    one.scan.append(x.data(), 34);
    one.scan.append(other.data(), 700);
    one.scan.append(x.data() + std::min<std::size_t>(at, 34) * d, 0, std::min<std::size_t>(at, 34));
    const std::size_t left = one.scan.size();
    one.scan.append(x.data() + left * d, 900 - left);
    check(one.scan.size() == 900, "as many rows as were appended");
    one.same(x, 900, 0, 2);
  }
  Scan one(metric);
  bool refused = false;
  try {
    one.scan.append(x.data(), 1, 1);
  } catch (const kf::InvalidArgument&) {
    refused = true;
  }
  check(refused && one.scan.size() == 0, "rows behind the end are refused");
}

// What fails half way leaves everything as it was: memory runs out, or the user asks to stop.
template <class Scan>
void check_failing(Metric metric) {
  const auto x = numbers(most * d, 5);
  Scan one(metric);
  one.scan.append(x.data(), 70);
  std::size_t n = 70, failures = 0;
  for (long allowed = 0; n < 1000; ++allowed) {
    allowance = allowed;
    bool failed = false;
    try {
      one.scan.append(x.data() + n * d, 310);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    allowance = -1;
    if (failed) {
      ++failures;
    } else {
      n += 310;
      allowed = -1;
    }
    check(one.scan.size() == n, "without memory nothing is appended");
    one.same(x, n, n - 4, 2);
  }
  check(failures > 5, "memory ran out now and then");
  kf::set_interrupt_check([] { throw std::runtime_error("interrupt"); });
  std::thread([&] {  // a thread that has not asked yet
    bool stopped = false;
    try {
      one.scan.append(x.data() + n * d, most - n);
    } catch (const std::runtime_error&) {
      stopped = true;
    }
    check(stopped && one.scan.size() == n, "stopped, nothing is appended");
  }).join();
  kf::set_interrupt_check(nullptr);
  one.same(x, n, n - 4, 2);
  one.scan.append(x.data() + n * d, most - n);
  one.same(x, most, most - 4, 2);
}

// A child that is forked while another thread appends searches the last whole state, and appends.
template <class Scan>
void check_fork(Metric metric) {
  const auto x = numbers(most * d, 6);
  Scan one(metric);
  one.scan.append(x.data(), 50);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) one.scan.append(x.data() + 50 * d, most - 50, 50);
  });
  for (int trial = 0; trial < 12; ++trial) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3 + trial));
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);  // hanging ends here
      one.same(x, 50, 1, 2);
      one.scan.append(x.data() + 50 * d, 500, 50);
      one.same(x, 550, 60, 2);
      _exit(0);
    }
    int status = -1;
    check(waitpid(child, &status, 0) == child && status == 0, "a forked child searches and appends");
  }
  done = true;
  writer.join();
}

template <class Scan>
void check_all(Metric metric, bool fork_too) {
  std::fprintf(stderr, "%s\n", Scan::name);
  check_readers<Scan>(metric);
  check_writers<Scan>(metric);
  check_replacing<Scan>(metric);
  check_failing<Scan>(metric);
  if (fork_too) check_fork<Scan>(metric);
}

}  // namespace

__attribute__((noinline)) void* operator new(std::size_t n) { return allocate(n, alignof(std::max_align_t)); }
__attribute__((noinline)) void* operator new(std::size_t n, std::align_val_t a) { return allocate(n, static_cast<std::size_t>(a)); }
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, std::size_t) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

int main(int count, char** arguments) {
  // ThreadSanitizer refuses to start threads in a child of a process with threads.
  const bool fork_too = count == 1 || std::string(arguments[1]) != "nofork";
  check_all<Exact>(Metric::l2, fork_too);
  check_all<Exact>(Metric::inner_product, fork_too);
  check_all<Regions>(Metric::inner_product, fork_too);
  std::puts("ok");
  return 0;
}
