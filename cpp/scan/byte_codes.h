#pragma once
// Bytes that are what is searched, or that filter: x = S k + centre for k = code - 128, with a step
// s_j for each dimension.
//
// Where all steps are one, this is a Shadow. Where they differ, integer products are of the codes
// with weighted queries, w = (S / s) (q - centre) for the largest step s:
//     ||q - x||^2 = ||q - centre||^2 + ||S k||^2 - 2 s <w, k>
//     <q, x> = <q, centre> + s <(S / s) q, k>
// and what the rounding of w to bytes may change is at most ||w - w^|| s ||k||.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/named.h"
#include "scan/shadow.h"
#include "scan/stored.h"

namespace kf::scan {

class ByteCodes {
 public:
  ByteCodes(Metric metric, const float* centre, const float* steps, std::size_t d);

  std::size_t d() const { return d_; }
  std::size_t padded_d() const { return shadow_.padded_d(); }
  const std::vector<float>& centre() const { return shadow_.centre(); }
  float scale() const { return shadow_.scale(); }
  // The steps of the dimensions where they differ, else null.
  const float* steps() const { return weighted() ? steps_.data() : nullptr; }
  bool weighted() const { return !weights_.empty(); }
  // For 8-bit copies of vectors; not where steps differ.
  const Shadow& shadow() const { return shadow_; }

  // Queries at places [first, first + n) of `out`, which has room for them.
  void quantize(const float* queries, std::size_t n, Shadow::Queries& out, std::size_t first) const;

  // All queries (n, d), by several threads.
  void quantize_all(const float* queries, std::size_t n, std::size_t threads,
                    Shadow::Queries& out) const;
  // What packed codes stand for.
  Stored stored(const std::uint8_t* blocks) const;

  // Codes (n, d) as the filter reads them, n filled up to a multiple of 32: blocks, biases,
  // residuals of each 32. Returns the radius.
  double pack(const std::uint8_t* codes, std::size_t n, std::uint8_t* blocks, std::int32_t* bias,
              float* residual) const;

 private:
  void weigh_l2(const float* q, Shadow::Queries& out, std::size_t i) const;
  void weigh_ip(const float* q, Shadow::Queries& out, std::size_t i) const;

  std::size_t d_;
  Metric metric_;
  std::vector<float> steps_, weights_;  // weights: s_j / s, where they differ
  Shadow shadow_;
};

// Of the arrays "centre" and "steps", one for each dimension.
ByteCodes byte_codes(Metric metric, const Named& parts);

}  // namespace kf::scan
