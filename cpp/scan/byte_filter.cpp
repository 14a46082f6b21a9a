#include "scan/byte_filter.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/buffer.h"
#include "kernels/filters.h"

namespace kf::scan {
namespace {

// Rounded down with room for the rounding of the terms; truncation may round up by less than one.
ByteFilter::Threshold whole(double least) {
  const double safe = least - (least < 0 ? -least : least) * 1e-12 - 2;
  const double low = safe > -2147483648.0 ? safe : -2147483648.0;
  return static_cast<ByteFilter::Threshold>(low < 2147483646.0 ? low : 2147483646.0);
}

}  // namespace

std::int16_t* ByteFilter::scratch() const {
  return thread_scratch<std::int16_t, ByteFilter>(padded() * bytes_.padded_d);
}

double ByteFilter::margin(std::size_t q, double times) const {
  return all_.residual[q] * bytes_.radius + all_.norm[q] * residual_ +
         times * canonical_ * (all_.norm[q] + all_.residual[q]) * largest_norm_;
}

// No branches, no calls: two queries at a time even where doubles come in pairs.
void ByteFilter::thresholds(const float* bounds, Threshold* out) const {
  const double* constant = all_.constant.data() + first_;
  const double* inverse = all_.inverse.data() + first_;
  const double* residual = all_.residual.data() + first_;
  const double* norm = all_.norm.data() + first_;
  if (metric_ == Metric::l2) {
    const double hidden = vanished(d_);
    if (bytes_.weighted) {
      for (std::size_t i = 0; i < nq_; ++i) {
        const double bound = static_cast<double>(bounds[i]);
        const double reach =
            std::sqrt((bound > 0 ? bound : 0) * (1 + canonical_) + hidden) + residual_;
        out[i] =
            whole(constant[i] - (reach * reach / 2 + residual[i] * bytes_.radius) * inverse[i]);
      }
      return;
    }
    for (std::size_t i = 0; i < nq_; ++i) {
      // ||q^ - x^|| <= ||q - x|| + residuals, squared, in code units.
      const double bound = static_cast<double>(bounds[i]);
      const double reach = (std::sqrt((bound > 0 ? bound : 0) * (1 + canonical_) + hidden) +
                            residual[i] + residual_) *
                           inverse[i];
      out[i] = whole(constant[i] - reach * reach / 2);
    }
    return;
  }
  const double radius = bytes_.radius;
  for (std::size_t i = 0; i < nq_; ++i) {
    // The last term: how far a canonical product may lie from the true one.
    const double margin = residual[i] * radius + norm[i] * residual_ +
                          canonical_ * (norm[i] + residual[i]) * largest_norm_;
    out[i] = whole(constant[i] - (static_cast<double>(bounds[i]) + margin) * inverse[i]);
  }
}

std::size_t ByteFilter::run(std::size_t begin, std::size_t n, const Threshold* thresholds,
                            std::uint32_t* hits) {
  const auto filter = kernels<FilterKernels>().filter_u8;
  std::size_t found = 0;
  bytes_.in_parts(
      begin, n,
      [&](const std::uint8_t* codes, const std::int32_t* bias, std::size_t at, std::size_t count) {
        std::uint32_t* own = hits + found;
        const std::size_t more = filter(this->codes(), scratch(), padded(), codes, bias,
                                        (count + 31) / 32 * 2, bytes_.padded_d, thresholds, own);
        if (at > 0)
          for (std::size_t h = 0; h < more; ++h) own[h] += static_cast<std::uint32_t>(at);
        found += more;
      });
  return found;
}

void ByteFilter::sums(std::size_t begin, std::size_t n, std::int32_t* out,
                      std::size_t stride) const {
  const auto sums_of = kernels<FilterKernels>().sums_u8;
  // Tiles take 16 queries, used or not; a few are quicker without.
  bytes_.in_parts(
      begin, n,
      [&](const std::uint8_t* codes, const std::int32_t* bias, std::size_t at, std::size_t count) {
        sums_of(this->codes(), scratch(), nq_ < 5 ? nq_ : padded(), codes, bias,
                (count + 31) / 32 * 2, bytes_.padded_d, out + at, stride);
      });
}

ByteFilter::Reading ByteFilter::reading(std::size_t i) const {
  const std::size_t q = first_ + i;
  // Twice the canonical error: for the rounding of what is computed with these numbers, too.
  return {all_.constant[q], 1 / all_.inverse[q], margin(q, 2)};
}

float ByteFilter::most(std::size_t i, std::int32_t sum) const {
  const std::size_t q = first_ + i;
  if (metric_ == Metric::l2) {
    if (bytes_.weighted) {
      // The bias was rounded down by less than one, its terms by next to nothing.
      const double half = (all_.constant[q] - static_cast<double>(sum) + 2) / all_.inverse[q] +
                          all_.residual[q] * bytes_.radius;
      const double reach = std::sqrt(std::max(0.0, 2 * half)) + residual_;
      return std::nextafter(static_cast<float>(reach * reach * (1 + 2 * canonical_)), infinity);
    }
    // The bias was rounded down by up to one half: two sums' worth of slack.
    const double squared = std::max(0.0, 2 * (all_.constant[q] - static_cast<double>(sum) + 1));
    const double reach = std::sqrt(squared) / all_.inverse[q] + all_.residual[q] + residual_;
    const double canonical = reach * reach * (1 + 2 * canonical_) + vanished(d_);
    return std::nextafter(static_cast<float>(canonical), infinity);
  }
  const double value =
      (all_.constant[q] - static_cast<double>(sum)) / all_.inverse[q] + margin(q, 1);
  return std::nextafter(static_cast<float>(value + std::abs(value) * 1e-6), infinity);
}

void ByteFilter::nearest_bounds(std::size_t n, float* bounds) {
  const auto best_of = kernels<FilterKernels>().best_u8;
  std::vector<std::int32_t> best(padded(), std::numeric_limits<std::int32_t>::min()),
      part(padded());
  for (std::size_t at = 0; at < n; at += most_chunk)
    bytes_.in_parts(
        at, std::min(most_chunk, n - at),
        [&](const std::uint8_t* codes, const std::int32_t* bias, std::size_t, std::size_t count) {
          best_of(this->codes(), scratch(), padded(), codes, bias, (count + 31) / 32 * 2,
                  bytes_.padded_d, part.data());
          for (std::size_t i = 0; i < nq_; ++i) best[i] = std::max(best[i], part[i]);
        });
  residual_ = bytes_.residual_of(0, n);
  for (std::size_t i = 0; i < nq_; ++i) bounds[i] = most(i, best[i]);
}

}  // namespace kf::scan
