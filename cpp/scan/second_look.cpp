#include "scan/second_look.h"

#include "core/buffer.h"
#include "core/threads.h"
#include "scan/distance.h"

namespace kf::scan {

void second_look(Metric metric, const Stored& stored, const SecondLook& look, float* distances) {
  const Distance distance(metric, stored.d);
  constexpr std::int64_t ahead = 6;
  parallel_for(
      look.n, 4,
      [&](std::size_t from, std::size_t to) {
        poll_interrupt();
        float* scratch = thread_scratch<float, SecondLook>(stored.scratch());
        for (std::size_t q = from; q < to; ++q)
          for (std::int64_t i = look.starts[q]; i < look.starts[q + 1]; ++i) {
            if (i + ahead < look.starts[look.n])
              stored.prefetch(static_cast<std::size_t>(look.rows[i + ahead]));
            const auto row = static_cast<std::size_t>(look.rows[i]);
            distances[i] = distance(look.queries + q * stored.d, stored.row(row, scratch));
          }
      },
      look.threads);
}

}  // namespace kf::scan
