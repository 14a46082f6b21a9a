// Locally optimized product codes: a rotation and perhaps codebooks for each cell (Kalantidis &
// Avrithis, CVPR 2014).

#include "codecs/codecs.h"
#include "codecs/product_way.h"

namespace kf::codecs {
namespace {

class LocalCodec final : public CodecOf<LocalCodec> {
 public:
  LocalCodec(Metric metric, const Named& parts) : code_(product_parts(metric, parts)) {
    if (!code_.local()) throw InvalidArgument("rotations: expected with local codes");
  }

  std::size_t dim() const override { return code_.parts().d; }
  void check(const Coarse& coarse) const override {
    if (code_.parts().cells != coarse.n_cells())
      throw InvalidArgument("codec: expected a group for each cell");
  }
  std::shared_ptr<const CodecRows> rows(const Named& packed, std::size_t n) const override {
    return code_rows(packed, n, code_.width(), true);
  }

  // Queries are rotated by a matrix a list: it pays early to take a list past all of its queries.
  class Way : public GroupWay<Way, ProductWay> {
   public:
    Way(const LocalCodec& codec, const Lists& lists, const ListQuery& query, ListStats& stats)
        : GroupWay(codec.code_, lists, query, stats) {}
  };

 private:
  ProductCode code_;
};

}  // namespace

std::unique_ptr<Codec> make_local(Metric metric, const Named& parts) {
  return std::make_unique<LocalCodec>(metric, parts);
}

}  // namespace kf::codecs
