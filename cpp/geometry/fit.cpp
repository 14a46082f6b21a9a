#include "geometry/fit.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

namespace kf::geometry {
namespace {

struct Frame {
  double x = 0, y = 0, scale = 1;  // p -> (p - (x, y)) * scale
};

Frame frame_of(const Point* points, std::size_t n) {
  Frame f;
  for (std::size_t i = 0; i < n; ++i) f.x += points[i].x, f.y += points[i].y;
  f.x /= static_cast<double>(n);
  f.y /= static_cast<double>(n);
  double spread = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = points[i].x - f.x, y = points[i].y - f.y;
    spread += x * x + y * y;
  }
  f.scale = spread > 0 ? std::sqrt(2 * static_cast<double>(n) / spread) : 1;
  return f;
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix m;
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 3; ++c)
      m[3 * r + c] = a[3 * r] * b[c] + a[3 * r + 1] * b[3 + c] + a[3 * r + 2] * b[6 + c];
  return m;
}

// Columns, scaled so that they add to the fourth point: where the corners of a projective basis go
// (Heckbert 1989). The weights are signed areas of the triangles that leave one point out.
bool basis_of(const Point* p, Matrix* basis, double* weights) {
  const auto area = [&](int i, int j, int k) {
    return (p[j].x - p[i].x) * (p[k].y - p[i].y) - (p[k].x - p[i].x) * (p[j].y - p[i].y);
  };
  const double whole = area(0, 1, 2);
  const double parts[3] = {area(3, 1, 2), area(0, 3, 2), area(0, 1, 3)};
  double reach = 0;
  for (int i = 0; i < 4; ++i)
    for (int j = i + 1; j < 4; ++j)
      reach = std::max(reach, std::pow(p[i].x - p[j].x, 2) + std::pow(p[i].y - p[j].y, 2));
  for (const double part : {whole, parts[0], parts[1], parts[2]})
    if (!(std::abs(part) > 1e-3 * reach)) return false;
  for (std::size_t i = 0; i < 3; ++i) {
    weights[i] = parts[i] / whole;
    (*basis)[i] = weights[i] * p[i].x;
    (*basis)[3 + i] = weights[i] * p[i].y;
    (*basis)[6 + i] = weights[i];
  }
  return true;
}

bool finite(const Matrix& m) {
  return std::all_of(m.begin(), m.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

std::optional<Matrix> fit_similarity(const Point* from, const Point* to, std::size_t n,
                                     bool mirrored) {
  if (n < 2) return std::nullopt;
  const Frame a = frame_of(from, n), b = frame_of(to, n);
  const double flip = mirrored ? -1 : 1;
  double spread = 0, along = 0, across = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = from[i].x - a.x, y = flip * (from[i].y - a.y);
    const double u = to[i].x - b.x, v = to[i].y - b.y;
    spread += x * x + y * y;
    along += x * u + y * v;
    across += x * v - y * u;
  }
  if (!(spread > 1e-9)) return std::nullopt;
  const double c = along / spread, d = across / spread;
  return Matrix{c, -d * flip, b.x - c * a.x + d * flip * a.y,
                d, c * flip,  b.y - d * a.x - c * flip * a.y,
                0, 0,         1};
}

std::optional<Matrix> fit_affine(const Point* from, const Point* to, std::size_t n) {
  if (n < 3) return std::nullopt;
  const Frame a = frame_of(from, n), b = frame_of(to, n);
  double xx = 0, xy = 0, yy = 0, xu = 0, xv = 0, yu = 0, yv = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = from[i].x - a.x, y = from[i].y - a.y;
    const double u = to[i].x - b.x, v = to[i].y - b.y;
    xx += x * x, xy += x * y, yy += y * y;
    xu += x * u, xv += x * v, yu += y * u, yv += y * v;
  }
  // Points on a line leave one direction of the plane undetermined.
  const double half = (xx + yy) / 2, area = xx * yy - xy * xy;
  const double apart = std::sqrt(std::max(0.0, half * half - area));
  if (!(half - apart > 1e-4 * (half + apart))) return std::nullopt;
  const double p = (yy * xu - xy * yu) / area, q = (xx * yu - xy * xu) / area;
  const double r = (yy * xv - xy * yv) / area, s = (xx * yv - xy * xv) / area;
  const Matrix m{p, q, b.x - p * a.x - q * a.y, r, s, b.y - r * a.x - s * a.y, 0, 0, 1};
  if (!finite(m)) return std::nullopt;
  return m;
}

std::optional<Matrix> fit_homography(const Point* from, const Point* to, std::size_t n) {
  if (n < 4) return std::nullopt;
  const Frame a = frame_of(from, n), b = frame_of(to, n);
  // The normal matrix consists of sums of p p^T, weighed by 1, u, v and u^2 + v^2: see below.
  double sums[4][6] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const double x = (from[i].x - a.x) * a.scale, y = (from[i].y - a.y) * a.scale;
    const double u = (to[i].x - b.x) * b.scale, v = (to[i].y - b.y) * b.scale;
    const double squares[6] = {x * x, x * y, x, y * y, y, 1}, weights[4] = {1, u, v, u * u + v * v};
    for (int w = 0; w < 4; ++w)
      for (int k = 0; k < 6; ++k) sums[w][k] += weights[w] * squares[k];
  }
  const auto block = [&](int w) {
    const double* s = sums[w];
    Eigen::Matrix3d m;
    m << s[0], s[1], s[2], s[1], s[3], s[4], s[2], s[4], s[5];
    return m;
  };
  Eigen::Matrix<double, 9, 9> normal = Eigen::Matrix<double, 9, 9>::Zero();
  normal.block<3, 3>(0, 0) = normal.block<3, 3>(3, 3) = block(0);
  normal.block<3, 3>(0, 6) = normal.block<3, 3>(6, 0) = -block(1);
  normal.block<3, 3>(3, 6) = normal.block<3, 3>(6, 3) = -block(2);
  normal.block<3, 3>(6, 6) = block(3);
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix<double, 9, 9>> solver(normal);
  if (!(solver.eigenvalues()(1) > 1e-9 * solver.eigenvalues()(8)))
    return std::nullopt;  // more than one solution
  const Eigen::Matrix<double, 9, 1> h = solver.eigenvectors().col(0);
  const Matrix normalise{a.scale, 0, -a.scale * a.x, 0, a.scale, -a.scale * a.y, 0, 0, 1};
  const Matrix restore{1 / b.scale, 0, b.x, 0, 1 / b.scale, b.y, 0, 0, 1};
  Matrix m =
      product(restore, product({h(0), h(1), h(2), h(3), h(4), h(5), h(6), h(7), h(8)}, normalise));
  double norm = 0;
  for (const double v : m) norm = std::max(norm, std::abs(v));
  if (!finite(m) || std::abs(m[8]) < 1e-12 * norm) return std::nullopt;
  const double last = m[8];
  for (double& v : m) v /= last;
  return m;
}

std::optional<Matrix> homography_of_four(const Point* from, const Point* to) {
  Matrix a, b;
  double before[3], after[3];
  if (!basis_of(from, &a, before) || !basis_of(to, &b, after)) return std::nullopt;
  for (int i = 0; i < 3; ++i)
    if ((before[i] > 0) != (after[i] > 0)) return std::nullopt;
  const auto back = inverted(a);
  if (!back) return std::nullopt;
  Matrix m = product(b, *back);
  const double last = m[8];
  for (double& v : m) v /= last;
  if (!finite(m)) return std::nullopt;
  return m;
}

double determinant(const Matrix& m) {
  return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
         m[2] * (m[3] * m[7] - m[4] * m[6]);
}

std::optional<Matrix> inverted(const Matrix& m) {
  const double whole = determinant(m);
  if (!std::isfinite(whole) || std::abs(whole) < 1e-300) return std::nullopt;
  Matrix inverse{m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
                 m[5] * m[6] - m[3] * m[8], m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
                 m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3]};
  for (double& v : inverse) v /= whole;
  if (!finite(inverse)) return std::nullopt;
  return inverse;
}

bool plausible(const Matrix& m, Point centre, bool mirrored) {
  const double w = m[6] * centre.x + m[7] * centre.y + m[8];
  if (!(w > 1e-9)) return false;
  const double x = (m[0] * centre.x + m[1] * centre.y + m[2]) / w;
  const double y = (m[3] * centre.x + m[4] * centre.y + m[5]) / w;
  // Derivative of the map at the centre, and its singular values: their product is the determinant,
  // the sum of their squares the squared norm.
  const double a = (m[0] - x * m[6]) / w, b = (m[1] - x * m[7]) / w;
  const double c = (m[3] - y * m[6]) / w, d = (m[4] - y * m[7]) / w;
  const double area = mirrored ? b * c - a * d : a * d - b * c;
  if (!std::isfinite(area) || !(area > 0)) return false;
  const double squares = a * a + b * b + c * c + d * d;
  const double sum = std::sqrt(squares + 2 * area);
  const double gap = std::sqrt(std::max(0.0, squares - 2 * area));
  const double longest = (sum + gap) / 2, shortest = (sum - gap) / 2;
  return longest <= 10 && shortest >= 0.1 && longest <= 8 * shortest;
}

}  // namespace kf::geometry
