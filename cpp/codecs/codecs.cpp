#include "codecs/codecs.h"

namespace kf::codecs {

std::unique_ptr<Codec> make(const std::string& name, Metric metric, const Named& parts) {
#define KF_CODEC(known) \
  if (name == #known) return make_##known(metric, parts);
#include "codecs/codecs.def"
#undef KF_CODEC
  throw InvalidArgument("codec: expected one of codecs.def, got '" + name + "'");
}

}  // namespace kf::codecs
