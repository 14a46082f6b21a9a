#include "geometry/scene.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/radix.h"

namespace kf::geometry {
namespace {

constexpr float huge = 1e30f;

// Whole numbers in the order of the floats.
std::uint32_t ordered(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x + 0.0f);  // one zero
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// Numbers of places, equal for equal positions, and how many correspondences are at each.
class Places {
 public:
  explicit Places(std::size_t n)
      : mask_(std::bit_ceil(2 * n + 2) - 1), keys_(mask_ + 1), numbers_(mask_ + 1, 0) {}

  std::uint32_t number(float x, float y) {
    const std::uint64_t key = std::uint64_t{ordered(x)} << 32 | ordered(y);
    std::size_t at = (key * 0x9e3779b97f4a7c15ull >> 32) & mask_;
    while (numbers_[at] && keys_[at] != key) at = (at + 1) & mask_;
    if (!numbers_[at]) {
      keys_[at] = key;
      held_.push_back(0);
      numbers_[at] = static_cast<std::uint32_t>(held_.size());
    }
    const std::uint32_t place = numbers_[at] - 1;
    ++held_[place];
    return place;
  }
  bool shared(std::uint32_t place) const { return held_[place] > 1; }

 private:
  std::size_t mask_;
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint32_t> numbers_, held_;
};

// Whole vectors: no kernel has a rest to do one by one.
std::size_t up(std::size_t n) { return (n + 15) / 16 * 16; }

bool same(Point a, Point b) { return a.x == b.x && a.y == b.y; }

bool is_similarity(const Matrix& m) {
  return m[6] == 0 && m[7] == 0 && m[0] == m[4] && m[1] == -m[3];
}

Point middle(const std::vector<Point>& points) {
  Point sum{0, 0};
  for (const Point& p : points) sum.x += p.x, sum.y += p.y;
  const double n = static_cast<double>(points.size());
  return {std::round(sum.x / n), std::round(sum.y / n)};
}

}  // namespace

Scene::Scene(const Features& query, const Features& photo, const std::int64_t* pairs, std::size_t m,
             const SceneOptions& options)
    : options_(options),
      order_(m),
      from_(m),
      to_(m),
      values_(5 * up(m)),
      from_place_(m),
      to_place_(m),
      frames_(m) {
  const auto key = [&](std::uint32_t i) {
    const std::int64_t q = pairs[2 * i], p = pairs[2 * i + 1];
    const float *a = query.positions + 2 * q, *b = photo.positions + 2 * p;
    return std::make_tuple(a[0], a[1], b[0], b[1], query.scales[q], photo.scales[p],
                           query.angles[q], photo.angles[p], q, p);
  };
  // By the first coordinate, which rarely ties, then by all there is.
  std::vector<std::uint64_t> keys(2 * m);
  for (std::size_t i = 0; i < m; ++i)
    keys[i] = std::uint64_t{ordered(query.positions[2 * pairs[2 * i]])} << 32 | i;
  const std::uint64_t* sorted = radix_sort(keys.data(), keys.data() + m, m, 32, 64);
  for (std::size_t i = 0; i < m; ++i) order_[i] = static_cast<std::uint32_t>(sorted[i]);
  for (std::size_t i = 0; i < m;) {
    std::size_t end = i + 1;
    while (end < m && sorted[end] >> 32 == sorted[i] >> 32) ++end;
    if (end - i > 1)
      std::sort(order_.begin() + static_cast<std::ptrdiff_t>(i),
                order_.begin() + static_cast<std::ptrdiff_t>(end),
                [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
    i = end;
  }

  const std::size_t stride = up(m);
  Places tos(m);
  for (std::size_t i = 0; i < m; ++i) {
    const std::int64_t q = pairs[2 * order_[i]], p = pairs[2 * order_[i] + 1];
    const float *a = query.positions + 2 * q, *b = photo.positions + 2 * p;
    from_[i] = {static_cast<double>(a[0]), static_cast<double>(a[1])};
    to_[i] = {static_cast<double>(b[0]), static_cast<double>(b[1])};
    // The order puts equal positions of the query side by side.
    if (i > 0) from_place_[i] = from_place_[i - 1] + (same(from_[i - 1], from_[i]) ? 0u : 1u);
    to_place_[i] = tos.number(b[0], b[1]);
    const double ratio =
        static_cast<double>(photo.scales[p]) / static_cast<double>(query.scales[q]);
    double area = ratio * ratio;
    if (query.shapes && photo.shapes) {
      // photo's shape times the inverse of the query's; a mirrored image turns the query's over.
      double s[4], t[4];
      for (int k = 0; k < 4; ++k) {
        s[k] = static_cast<double>(query.shapes[4 * q + k]);
        t[k] = static_cast<double>(photo.shapes[4 * p + k]);
      }
      if (options.mirrored) t[1] = -t[1], t[3] = -t[3];
      const double whole = s[0] * s[3] - s[1] * s[2];
      frames_[i] = {(t[0] * s[3] - t[1] * s[2]) / whole, (t[1] * s[0] - t[0] * s[1]) / whole,
                    (t[2] * s[3] - t[3] * s[2]) / whole, (t[3] * s[0] - t[2] * s[1]) / whole};
      area = std::abs(frames_[i][0] * frames_[i][3] - frames_[i][1] * frames_[i][2]);
    } else {
      // Turns by the difference of the angles; mirrored, a feature's frame is turned over first.
      const double before = static_cast<double>(query.angles[q]);
      const double after = static_cast<double>(photo.angles[p]);
      double c = ratio, d = 0;
      if (options.use_angles) {
        const double angle = options.mirrored ? after + before : after - before;
        c = ratio * std::cos(angle), d = ratio * std::sin(angle);
      } else if (options.mirrored) {
        c = -ratio;  // upright photos are mirrored from left to right
      }
      if (options.mirrored)
        frames_[i] = {c, d, d, -c};
      else
        frames_[i] = {c, -d, d, c};
    }
    values_[4 * stride + i] = static_cast<float>(area);
  }
  for (std::uint32_t i = 0; i < m; ++i) {
    const bool before = i > 0 && from_place_[i - 1] == from_place_[i];
    const bool after = i + 1 < m && from_place_[i + 1] == from_place_[i];
    if (before || after || tos.shared(to_place_[i])) contested_.push_back(i);
  }

  // Near their origin, coordinates lose little as floats.
  from_origin_ = middle(from_);
  to_origin_ = middle(to_);
  for (std::size_t i = 0; i < m; ++i) {
    from_[i].x -= from_origin_.x, from_[i].y -= from_origin_.y;
    to_[i].x -= to_origin_.x, to_[i].y -= to_origin_.y;
    values_[i] = static_cast<float>(from_[i].x);
    values_[stride + i] = static_cast<float>(from_[i].y);
    values_[2 * stride + i] = static_cast<float>(to_[i].x);
    values_[3 * stride + i] = static_cast<float>(to_[i].y);
  }
  const float* v = values_.data();
  set_ = {v, v + stride, v + 2 * stride, v + 3 * stride, v + 4 * stride, stride};
}

Matrix Scene::in_images(const Matrix& m) const {
  Matrix out = m;
  // From the left: the photo's origin is added to what comes out; from the right: the query's is
  // taken off what goes in.
  for (std::size_t c = 0; c < 3; ++c) {
    out[c] += to_origin_.x * m[6 + c];
    out[3 + c] += to_origin_.y * m[6 + c];
  }
  for (std::size_t r = 0; r < 3; ++r)
    out[3 * r + 2] -= out[3 * r] * from_origin_.x + out[3 * r + 1] * from_origin_.y;
  const double last = out[8];
  for (double& value : out) value /= last;
  return out;
}

Matrix Scene::from_one(std::size_t i) const {
  const auto& f = frames_[i];
  const Point a = from_[i], b = to_[i];
  return {f[0], f[1], b.x - f[0] * a.x - f[1] * a.y, f[2], f[3], b.y - f[2] * a.x - f[3] * a.y, 0,
          0,    1};
}

bool Scene::prepare(const Matrix& m, bool both_ways, TransferMap* out) const {
  const double area = std::abs(determinant(m));
  if (!(area > 1e-12) || !std::isfinite(area)) return false;
  out->similarity = is_similarity(m);
  for (std::size_t k = 0; k < 9; ++k) out->map[k] = static_cast<float>(m[k]);
  if (both_ways) {
    const auto inverse = inverted(m);
    if (!inverse) return false;
    for (std::size_t k = 0; k < 9; ++k) out->inverse[k] = static_cast<float>((*inverse)[k]);
  }
  const double factor = static_cast<double>(options_.scale_factor);
  out->least_area = static_cast<float>(area / (factor * factor));
  out->most_area = static_cast<float>(area * (factor * factor));
  return true;
}

void Scene::counts(const std::vector<Matrix>& maps, float tolerance, std::uint32_t* out) const {
  std::vector<TransferMap> prepared(maps.size());
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const bool both_ways = !is_similarity(maps[i]);  // else the way back is not asked for
    if (!prepare(maps[i], both_ways, &prepared[i]))
      prepared[i] = {{}, {}, 1, 0, false};  // explains nothing
  }
  kernels<GeometryKernels>().transfer_counts(set_, prepared.data(), prepared.size(),
                                             tolerance * tolerance, out);
}

void Scene::errors(const Matrix& m, float* out) const {
  TransferMap map;
  if (!prepare(m, true, &map))
    std::fill_n(out, padded(), huge);
  else if (m[6] == 0 && m[7] == 0)
    kernels<GeometryKernels>().transfer_errors(set_, map, out);
  else
    kernels<GeometryKernels>().transfer_errors_projective(set_, map, out);
}

void Scene::settle(float tolerance, float* errors) const {
  if (contested_.empty()) return;
  struct Rivals;
  struct Taken;
  auto* rivals = thread_scratch<std::uint64_t, Rivals>(contested_.size());
  std::size_t n = 0;
  // Bits of floats that are not negative are in their order.
  for (const std::uint32_t i : contested_)
    if (errors[i] <= tolerance * tolerance)
      rivals[n++] = std::uint64_t{std::bit_cast<std::uint32_t>(errors[i])} << 32 | i;
  std::sort(rivals, rivals + n);
  auto* taken = thread_scratch<std::uint8_t, Taken>(2 * size());
  std::fill_n(taken, 2 * size(), std::uint8_t{0});
  for (std::size_t k = 0; k < n; ++k) {
    const auto i = static_cast<std::uint32_t>(rivals[k]);
    std::uint8_t &from = taken[from_place_[i]], &to = taken[size() + to_place_[i]];
    if (from | to)
      errors[i] = huge;
    else
      from = to = 1;
  }
}

}  // namespace kf::geometry
