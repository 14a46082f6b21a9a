#pragma once
// What a scan keeps beside rows that its caller owns, and how it grows while it is searched:
// readers take the last whole state and wait for nobody; one append at a time makes the next.

#include <cstddef>
#include <memory>
#include <optional>

#include "core/published.h"
#include "core/shared_rows.h"
#include "scan/head.h"
#include "scan/shadow.h"

namespace kf::scan {

class Growing {
 public:
  struct State {
    std::optional<Shadow> shadow;  // 8-bit copies
    std::optional<Head> head;      // where it pays
    std::size_t judged = 0;        // rows there were when that was decided
    SharedRows<float> bias;        // float32 filter: -||x||^2 / 2 (l2) or 0
    std::size_t n = 0;
    double largest_norm = 0;  // ||x||
  };

  // heads: whether rows are looked at along a few directions first.
  Growing(std::size_t d, Metric metric, bool shadow, bool heads = false);

  std::size_t dimension() const { return d_; }
  Metric metric() const { return metric_; }
  std::shared_ptr<const State> now() const { return state_.get(); }
  // What is wholly appended.
  std::size_t size() const { return now()->n; }

  // Behind all rows, or behind the first `at`: what stood there is replaced. All or nothing: where
  // it fails, everything is as before. `earlier`: the rows behind which these are put, or null.
  void append(const float* x, std::size_t n, std::optional<std::size_t> at = std::nullopt,
              const float* earlier = nullptr);

 protected:
  std::size_t d_;
  Metric metric_;

 private:
  std::shared_ptr<State> empty() const;
  void append_to_head(State& next, const float* x, std::size_t n, std::size_t before,
                      const float* earlier) const;

  bool shadow_, heads_;
  Published<State> state_;
  Turn turn_;
};

}  // namespace kf::scan
