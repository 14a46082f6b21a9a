#pragma once
// Arrays and numbers by name: what was learnt or packed, as its keeper hands it on. Types and
// shapes are checked where something is taken.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace kf {

enum class Type { f32, f64, f16, u8, i32, i64, other };
template <class T>
inline constexpr Type type_of = Type::other;
template <>
inline constexpr Type type_of<float> = Type::f32;
// Half precision, as its bits.
struct Half {
  std::uint16_t bits;
};
template <>
inline constexpr Type type_of<Half> = Type::f16;
template <>
inline constexpr Type type_of<double> = Type::f64;
template <>
inline constexpr Type type_of<std::uint8_t> = Type::u8;
template <>
inline constexpr Type type_of<std::int32_t> = Type::i32;
template <>
inline constexpr Type type_of<std::int64_t> = Type::i64;

// An extent of any size.
inline constexpr std::size_t any = std::numeric_limits<std::size_t>::max();

// A C-contiguous array.
struct NamedArray {
  Type type;
  const void* data;
  std::vector<std::size_t> shape;
};

class Named {
 public:
  void add(const std::string& name, NamedArray array) { arrays_[name] = std::move(array); }
  void add(const std::string& name, double number) { numbers_[name] = number; }

  // What is named "prefix.name", by its name alone.
  Named under(const std::string& prefix) const {
    Named out;
    const std::string start = prefix + ".";
    for (const auto& [name, array] : arrays_)
      if (name.rfind(start, 0) == 0) out.arrays_[name.substr(start.size())] = array;
    for (const auto& [name, number] : numbers_)
      if (name.rfind(start, 0) == 0) out.numbers_[name.substr(start.size())] = number;
    return out;
  }

  bool has(const std::string& name) const { return arrays_.count(name) > 0; }
  // Throws where it is missing.
  const NamedArray& array(const std::string& name) const {
    const auto at = arrays_.find(name);
    if (at == arrays_.end()) throw InvalidArgument(name + ": expected a C-contiguous array");
    return at->second;
  }
  // The data of an array of this type and shape.
  template <class T>
  const T* take(const std::string& name, const std::vector<std::size_t>& shape) const {
    const NamedArray& of = array(name);
    bool fits = of.type == type_of<T> && of.shape.size() == shape.size();
    for (std::size_t i = 0; fits && i < shape.size(); ++i)
      fits = shape[i] == any || shape[i] == of.shape[i];
    if (!fits) throw InvalidArgument(name + ": expected an array of another type or shape");
    return static_cast<const T*>(of.data);
  }
  double number(const std::string& name) const {
    const auto at = numbers_.find(name);
    if (at == numbers_.end()) throw InvalidArgument(name + ": expected a number");
    return at->second;
  }
  bool flag(const std::string& name) const { return number(name) != 0; }
  // A whole number of at least 0.
  std::size_t count(const std::string& name) const {
    const double value = number(name);
    if (!(value >= 0 && value <= 0x1p53))
      throw InvalidArgument(name + ": expected a number of at least 0");
    return static_cast<std::size_t>(value);
  }

 private:
  std::map<std::string, NamedArray> arrays_;
  std::map<std::string, double> numbers_;
};

// Gives room for arrays that the caller keeps.
class ArrayMaker {
 public:
  virtual ~ArrayMaker() = default;
  template <class T>
  T* make(const std::string& name, const std::vector<std::size_t>& shape) {
    return static_cast<T*>(make(name, type_of<T>, shape));
  }

 private:
  virtual void* make(const std::string& name, Type type, const std::vector<std::size_t>& shape) = 0;
};

}  // namespace kf
