#pragma once
// Least-squares maps between two sets of points.

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

namespace kf::geometry {

// Row-major 3 x 3, from the first image to the second.
using Matrix = std::array<double, 9>;

struct Point {
  double x, y;
};

// Similarity of least squared error in the second image (Umeyama 1991, in the plane), without
// reflection; none for fewer than two points or for points that coincide.
std::optional<Matrix> fit_similarity(const std::vector<Point>& from, const std::vector<Point>& to);

// Affine map of least squared error in the second image; none for fewer than three points or for
// points on a line. Coordinates are normalised first (Hartley 1997).
std::optional<Matrix> fit_affine(const std::vector<Point>& from, const std::vector<Point>& to);

// Homography by the normalised direct linear transform (Hartley & Zisserman 2004, algorithm 4.2);
// none for fewer than four points or a degenerate system.
std::optional<Matrix> fit_homography(const std::vector<Point>& from, const std::vector<Point>& to);

std::optional<Matrix> inverted(const Matrix& m);

// Where a map takes a point; infinite where it goes through the horizon.
Point apply(const Matrix& m, Point p);

// A map that a photo of the same rigid thing can undergo: keeps the orientation, changes lengths by
// less than a factor of ten either way, and is not close to singular at `centre`.
bool plausible(const Matrix& m, Point centre);

}  // namespace kf::geometry
