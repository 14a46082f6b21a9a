#pragma once
// Maps between two sets of points: from as few as fix them, and by least squares.

#include <array>
#include <cstddef>
#include <optional>

namespace kf::geometry {

// Row-major 3 x 3, from the first image to the second.
using Matrix = std::array<double, 9>;

struct Point {
  double x, y;
};

// Similarity of least squared error in the second image (Umeyama 1991, in the plane), without
// reflection, or with one where `mirrored`; none for fewer than two points or for points that
// coincide.
std::optional<Matrix> fit_similarity(const Point* from, const Point* to, std::size_t n,
                                     bool mirrored = false);

// Affine map of least squared error in the second image; none for fewer than three points or for
// points on a line.
std::optional<Matrix> fit_affine(const Point* from, const Point* to, std::size_t n);

// Homography by the normalised direct linear transform (Hartley & Zisserman 2004, algorithm 4.2);
// none for fewer than four points or a degenerate system.
std::optional<Matrix> fit_homography(const Point* from, const Point* to, std::size_t n);

// The homography of exactly four correspondences; none where three points of a side lie on a line,
// or where the horizon would run between the points.
std::optional<Matrix> homography_of_four(const Point* from, const Point* to);

double determinant(const Matrix& m);
std::optional<Matrix> inverted(const Matrix& m);

// A map that a photo of the same rigid thing can undergo: keeps the orientation (or turns it, where
// `mirrored`), changes lengths by a factor of ten at most, and is not close to singular at
// `centre`.
bool plausible(const Matrix& m, Point centre, bool mirrored = false);

}  // namespace kf::geometry
