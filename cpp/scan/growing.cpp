#include "scan/growing.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "scan/float_filter.h"

namespace kf::scan {

// 255 * 128 * d must fit 32 bits with the bias.
Growing::Growing(std::size_t d, Metric metric, bool shadow, bool heads)
    : d_(d),
      metric_(metric),
      shadow_(shadow && d <= 32768),
      heads_(heads && shadow_ && d >= Head::least_dimension),
      state_(empty()) {}

std::shared_ptr<Growing::State> Growing::empty() const {
  auto state = std::make_shared<State>();
  if (shadow_) state->shadow.emplace(d_, metric_);
  return state;
}

void Growing::append_to_head(State& next, const float* x, std::size_t n, std::size_t before,
                             const float* earlier) const {
  // Decided anew whenever there are eight times as many rows: each is projected a few times at most.
  constexpr std::size_t growth = 8;
  const std::size_t total = before + n;
  if (next.head) next.head->shorten(before);
  if (total >= std::max(Head::least_rows, growth * next.judged) && (before == 0 || earlier)) {
    next.judged = total;
    next.head = Head::where_it_pays({earlier, before, x, n}, d_, metric_, next.largest_norm);
    if (next.head && before > 0) next.head->append(earlier, before);
  }
  if (next.head) next.head->append(x, n);
}

void Growing::append(const float* x, std::size_t n, std::optional<std::size_t> at,
                     const float* earlier) {
  const auto turn = turn_.take();
  const auto now = state_.get();
  const std::size_t before = at.value_or(now->n);
  if (before > now->n) throw InvalidArgument("at: more rows than were appended");
  auto next = before > 0 ? std::make_shared<State>(*now) : empty();
  next->bias.shorten(before);
  next->largest_norm =
      std::max(next->largest_norm, float_biases(x, n, d_, metric_, next->bias.extend(n)));
  if (next->shadow) {
    next->shadow->shorten(before);
    next->shadow->append(x, n);
  }
  if (heads_) append_to_head(*next, x, n, before, earlier);
  next->n = before + n;
  state_.set(std::move(next));
}

}  // namespace kf::scan
