// Vector quantization: the number of a codeword of one codebook stands for a vector (Gray, IEEE
// ASSP Magazine 1984). A query's distances to all codewords are one table; a row is a look-up.

#include <algorithm>
#include <type_traits>

#include "codecs/codecs.h"
#include "lists/way.h"

namespace kf::codecs {
namespace {

// A code's bytes, the lowest first.
std::uint32_t code_at(const std::uint8_t* codes, std::size_t row, std::size_t width) {
  const std::uint8_t* at = codes + row * width;
  std::uint32_t code = at[0];
  for (std::size_t byte = 1; byte < width; ++byte) code |= std::uint32_t{at[byte]} << 8 * byte;
  return code;
}

struct VectorRows : CodecRows {
  const std::uint8_t* codes = nullptr;  // (n, width)
};

class VectorCodec final : public CodecOf<VectorCodec> {
 public:
  VectorCodec(Metric metric, const Named& parts)
      : metric_(metric),
        codebook_(parts.take<float>("codebook", {any, any})),
        k_(parts.array("codebook").shape[0]),
        d_(parts.array("codebook").shape[1]),
        width_(k_ <= 1u << 8 ? 1 : k_ <= 1u << 16 ? 2 : 3) {
    if (k_ == 0 || k_ > 1u << 24 || d_ == 0 || d_ > 32768)
      throw InvalidArgument("codebook: expected from 1 to 2^24 codewords of up to 32768 dimensions");
  }

  std::size_t dim() const override { return d_; }
  std::shared_ptr<const CodecRows> rows(const Named& packed, std::size_t n) const override {
    auto rows = std::make_shared<VectorRows>();
    rows->codes = packed.take<std::uint8_t>("codes", {n, width_});
    // Codes are addresses.
    for (std::size_t i = 0; i < n; ++i)
      if (code_at(rows->codes, i, width_) >= k_)
        throw InvalidArgument("codes: expected numbers of codewords");
    return rows;
  }
  static bool knows_cells() { return false; }
  static bool by_list(double) { return false; }

  class Way : public lists::Way {
   public:
    Way(const VectorCodec& codec, const Lists& lists, const ListQuery& query, ListStats& stats)
        : lists::Way(lists, query, stats), codec_(codec) {}

    void one(std::uint32_t q, const std::vector<Visit>& visits, Collector& result) {
      const float* query = query_.queries + q * codec_.d_;
      const scan::Distance distance(codec_.metric_, codec_.d_);
      const auto to = [&](std::size_t code) {
        return distance(query, codec_.codebook_ + code * codec_.d_);
      };
      std::size_t met = 0;
      for (const Visit& visit : visits) met += visit.end - visit.begin;
      // Of a few rows not all codewords are needed.
      const std::size_t scored = std::min(met, codec_.k_);
      const float* table = nullptr;
      if (met >= codec_.k_) {
        float* own = thread_scratch<float, VectorCodec>(codec_.k_);
        for (std::size_t code = 0; code < codec_.k_; ++code) own[code] = to(code);
        table = own;
      }
      for (std::size_t v = 0; v < visits.size(); ++v) {
        if (v % 64 == 0) poll_interrupt();
        const auto through = [&](auto width) { scan(visits[v], width, table, to, result); };
        if (codec_.width_ == 1)
          through(std::integral_constant<std::size_t, 1>{});
        else if (codec_.width_ == 2)
          through(std::integral_constant<std::size_t, 2>{});
        else
          through(std::integral_constant<std::size_t, 3>{});
      }
      stats_.count(visits.size(), met, scored);
    }

    // Each query goes through its lists.
    void fetch(const Visit&) const {}
    void group(const Visit&, const std::uint32_t*, std::size_t, const float*, Collector* const*) {}

   private:
    template <class Width, class To>
    void scan(const Visit& visit, Width width, const float* table, const To& to,
              Collector& result) const {
      const Scored rows{segment_of(visit), admitted(visit)};
      const std::uint8_t* codes = rows_of<VectorRows>(visit).codes;
      float bound = result.bound();
      for (std::size_t row = visit.begin; row < visit.end; ++row) {
        const std::uint32_t code = code_at(codes, row, width);
        const float value = table ? table[code] : to(code);
        if (value > bound || rows.skips(row)) continue;
        result.take(Candidate{value, visit.segment, row, rows.id(row)});
        bound = result.bound();
      }
    }

    const VectorCodec& codec_;
  };

 private:
  Metric metric_;
  const float* codebook_;
  std::size_t k_, d_, width_;
};

}  // namespace

std::unique_ptr<Codec> make_vector(Metric metric, const Named& parts) {
  return std::make_unique<VectorCodec>(metric, parts);
}

}  // namespace kf::codecs
