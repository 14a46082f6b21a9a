#pragma once
// What every codec is to a search through lists.
//
// A codec is one file of codecs/ and one line of codecs.def. It derives from CodecOf<itself> and
// says, besides the functions of Codec that it overrides:
//     class Way : public lists::Way   how queries go through a list; made once a search from
//                                     (codec, lists, query, stats), see way.h
//     knows_cells()                   whether its distances start from the centroids'
//     by_list(shared)                 whether a list is taken past all its queries, if each list
//                                     has so many, rather than each query through its lists
// The search calls a Way through templates: inside a list nothing is virtual.

#include <cstddef>
#include <memory>

#include "core/named.h"
#include "lists/collect.h"
#include "lists/go_through.h"
#include "lists/lists.h"

namespace kf::lists {

class Codec {
 public:
  virtual ~Codec() = default;

  virtual std::size_t dim() const = 0;
  // Throws InvalidArgument unless such cells can be coded.
  virtual void check(const Coarse& coarse) const = 0;
  // Rows that were packed, n of them; the caller keeps the arrays.
  virtual std::shared_ptr<const CodecRows> rows(const Named& packed, std::size_t n) const = 0;
  // Rows of codes as they are searched; where Python cannot pack them.
  virtual void pack(const Named&, ArrayMaker&) const {
    throw InvalidArgument("codec: rows are packed elsewhere");
  }

  // Results of all queries from the lists that they visit.
  virtual void search(const Lists& lists, const ListQuery& query, Collectors& results,
                      ListStats& stats) const = 0;
};

template <class Self>
class CodecOf : public Codec {
 public:
  void check(const Coarse&) const override {}
  static bool knows_cells() { return true; }
  static bool by_list(double shared) { return shared >= 1.5; }

  void search(const Lists& lists, const ListQuery& query, Collectors& results,
              ListStats& stats) const final {
    go_through(static_cast<const Self&>(*this), lists, query, results, stats);
  }
};

}  // namespace kf::lists
