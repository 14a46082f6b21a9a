#include "geometry/fit.h"

#include <Eigen/Dense>
#include <cmath>
#include <limits>

namespace kf::geometry {
namespace {

struct Frame {
  double x = 0, y = 0, scale = 1;  // p -> (p - (x, y)) * scale
};

Frame frame_of(const std::vector<Point>& points) {
  Frame f;
  for (const Point& p : points) f.x += p.x, f.y += p.y;
  const double n = static_cast<double>(points.size());
  f.x /= n;
  f.y /= n;
  double spread = 0;
  for (const Point& p : points) spread += std::hypot(p.x - f.x, p.y - f.y);
  f.scale = spread > 0 ? std::sqrt(2.0) * n / spread : 1;
  return f;
}

Eigen::Matrix3d matrix_of(const Frame& f) {
  Eigen::Matrix3d m;
  m << f.scale, 0, -f.scale * f.x, 0, f.scale, -f.scale * f.y, 0, 0, 1;
  return m;
}

std::optional<Matrix> finished(const Eigen::Matrix3d& normalised, const Frame& a, const Frame& b) {
  Eigen::Matrix3d m = matrix_of(b).inverse() * normalised * matrix_of(a);
  if (!m.allFinite() || std::abs(m(2, 2)) < 1e-12 * m.norm()) return std::nullopt;
  m /= m(2, 2);
  Matrix out;
  for (int r = 0; r < 3; ++r)
    for (int c = 0; c < 3; ++c) out[static_cast<std::size_t>(3 * r + c)] = m(r, c);
  return out;
}

Eigen::Matrix3d eigen_of(const Matrix& m) {
  Eigen::Matrix3d e;
  e << m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8];
  return e;
}

}  // namespace

std::optional<Matrix> fit_similarity(const std::vector<Point>& from, const std::vector<Point>& to) {
  if (from.size() < 2) return std::nullopt;
  const Frame a = frame_of(from), b = frame_of(to);
  double spread = 0, along = 0, across = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double x = from[i].x - a.x, y = from[i].y - a.y, u = to[i].x - b.x, v = to[i].y - b.y;
    spread += x * x + y * y;
    along += x * u + y * v;
    across += x * v - y * u;
  }
  if (!(spread > 1e-9)) return std::nullopt;
  const double c = along / spread, d = across / spread;
  return Matrix{c, -d, b.x - c * a.x + d * a.y, d, c, b.y - d * a.x - c * a.y, 0, 0, 1};
}

std::optional<Matrix> fit_affine(const std::vector<Point>& from, const std::vector<Point>& to) {
  if (from.size() < 3) return std::nullopt;
  const Frame a = frame_of(from), b = frame_of(to);
  Eigen::Matrix3d normal = Eigen::Matrix3d::Zero();
  Eigen::Matrix<double, 3, 2> right = Eigen::Matrix<double, 3, 2>::Zero();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Eigen::Vector3d p((from[i].x - a.x) * a.scale, (from[i].y - a.y) * a.scale, 1);
    const Eigen::RowVector2d q((to[i].x - b.x) * b.scale, (to[i].y - b.y) * b.scale);
    normal += p * p.transpose();
    right += p * q;
  }
  // Points on a line leave one direction of the plane undetermined.
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix2d> spread(normal.topLeftCorner<2, 2>());
  if (!(spread.eigenvalues()(0) > 1e-4 * spread.eigenvalues()(1))) return std::nullopt;
  const Eigen::Matrix<double, 3, 2> solution = normal.ldlt().solve(right);
  Eigen::Matrix3d m = Eigen::Matrix3d::Identity();
  m.topRows<2>() = solution.transpose();
  return finished(m, a, b);
}

std::optional<Matrix> fit_homography(const std::vector<Point>& from, const std::vector<Point>& to) {
  if (from.size() < 4) return std::nullopt;
  const Frame a = frame_of(from), b = frame_of(to);
  Eigen::Matrix<double, 9, 9> normal = Eigen::Matrix<double, 9, 9>::Zero();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double x = (from[i].x - a.x) * a.scale, y = (from[i].y - a.y) * a.scale;
    const double u = (to[i].x - b.x) * b.scale, v = (to[i].y - b.y) * b.scale;
    Eigen::Matrix<double, 9, 1> first, second;
    first << x, y, 1, 0, 0, 0, -u * x, -u * y, -u;
    second << 0, 0, 0, x, y, 1, -v * x, -v * y, -v;
    normal += first * first.transpose() + second * second.transpose();
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix<double, 9, 9>> solver(normal);
  if (!(solver.eigenvalues()(1) > 1e-9 * solver.eigenvalues()(8)))
    return std::nullopt;  // more than one solution
  const Eigen::Matrix<double, 9, 1> h = solver.eigenvectors().col(0);
  Eigen::Matrix3d m;
  m << h(0), h(1), h(2), h(3), h(4), h(5), h(6), h(7), h(8);
  return finished(m, a, b);
}

std::optional<Matrix> inverted(const Matrix& m) {
  const Eigen::Matrix3d e = eigen_of(m);
  const double determinant = e.determinant();
  if (!std::isfinite(determinant) || std::abs(determinant) < 1e-300) return std::nullopt;
  const Eigen::Matrix3d inverse = e.inverse();
  if (!inverse.allFinite()) return std::nullopt;
  Matrix out;
  for (int r = 0; r < 3; ++r)
    for (int c = 0; c < 3; ++c) out[static_cast<std::size_t>(3 * r + c)] = inverse(r, c);
  return out;
}

Point apply(const Matrix& m, Point p) {
  const double w = m[6] * p.x + m[7] * p.y + m[8];
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (!(w > 1e-9)) return {infinity, infinity};
  return {(m[0] * p.x + m[1] * p.y + m[2]) / w, (m[3] * p.x + m[4] * p.y + m[5]) / w};
}

bool plausible(const Matrix& m, Point centre) {
  const double w = m[6] * centre.x + m[7] * centre.y + m[8];
  if (!(w > 1e-9)) return false;
  const Point to = apply(m, centre);
  // Derivative of the map at the centre.
  Eigen::Matrix2d jacobian;
  jacobian << (m[0] - to.x * m[6]) / w, (m[1] - to.x * m[7]) / w, (m[3] - to.y * m[6]) / w,
      (m[4] - to.y * m[7]) / w;
  if (!jacobian.allFinite() || !(jacobian.determinant() > 0)) return false;
  const Eigen::Vector2d lengths = Eigen::JacobiSVD<Eigen::Matrix2d>(jacobian).singularValues();
  return lengths(0) <= 10 && lengths(1) >= 0.1 && lengths(0) <= 8 * lengths(1);
}

}  // namespace kf::geometry
