#pragma once
// All codecs by name.

#include <memory>
#include <string>

#include "core/named.h"
#include "lists/codec.h"

namespace kf::codecs {

using namespace lists;

#define KF_CODEC(name) std::unique_ptr<Codec> make_##name(Metric metric, const Named& parts);
#include "codecs/codecs.def"
#undef KF_CODEC

// A codec from what it learnt; the caller keeps the arrays.
std::unique_ptr<Codec> make(const std::string& name, Metric metric, const Named& parts);

}  // namespace kf::codecs
