#pragma once
// What a scan keeps beside rows that its caller owns, and how it grows while it is searched:
// readers take the last whole state and wait for nobody; one append at a time makes the next.

#include <cstddef>
#include <memory>
#include <optional>

#include "core/published.h"
#include "core/shared_rows.h"
#include "scan/shadow.h"

namespace kf::scan {

class Growing {
 public:
  struct State {
    std::optional<Shadow> shadow;  // 8-bit copies
    SharedRows<float> bias;        // float32 filter: -||x||^2 / 2 (l2) or 0
    std::size_t n = 0;
    double largest_norm = 0;  // ||x||
  };

  Growing(std::size_t d, Metric metric, bool shadow);

  std::size_t dimension() const { return d_; }
  Metric metric() const { return metric_; }
  std::shared_ptr<const State> now() const { return state_.get(); }
  // What is wholly appended.
  std::size_t size() const { return now()->n; }

  // Behind all rows, or behind the first `at`: what stood there is replaced. All or nothing: where
  // it fails, everything is as before.
  void append(const float* x, std::size_t n, std::optional<std::size_t> at = std::nullopt);

 protected:
  std::size_t d_;
  Metric metric_;

 private:
  std::shared_ptr<State> empty() const;

  bool shadow_;
  Published<State> state_;
  Turn turn_;
};

}  // namespace kf::scan
