"""A camera that paints textured faces and cut-out figures, with light, night and weather of a lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require
from kinfold.datasets.building import Face
from kinfold.datasets.facade import Image, Random, noise

Floats = NDArray[np.float32]
NEAR = 0.3  # metres


@dataclass(frozen=True)
class Light:
    """sun : unit vector towards it. strength, ambient : linear RGB. night : how far lamps and windows count."""

    sun: NDArray[np.float64]
    strength: Floats
    ambient: Floats
    night: float
    sky: tuple[tuple[int, int, int], tuple[int, int, int]]  # at the zenith and at the horizon


class Camera:
    """A pinhole camera with a picture, a depth and the share of the target in every pixel.

    position, target : points in metres. focal : pixels. roll : radians
    """

    def __init__(
        self,
        size: tuple[int, int],
        position: NDArray[np.float64],
        target: NDArray[np.float64],
        focal: float,
        roll: float,
    ) -> None:
        self.width, self.height = size
        self.position = position
        self.focal = focal
        forward = target - position
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        turned = np.cos(roll) * right + np.sin(roll) * up
        self.axes = np.stack([turned, np.cos(roll) * up - np.sin(roll) * right, forward])
        self.picture = np.zeros((self.height, self.width, 3), np.float32)
        # Nearness 1 / depth is linear in the picture, so a plane's is three numbers.
        self.nearness = np.zeros((self.height, self.width), np.float32)
        self.front = np.zeros((self.height, self.width), bool)

    def project(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels (n, 2) and depths (n,) of points (n, 3)."""
        local = (points - self.position) @ self.axes.T
        depth = np.maximum(local[:, 2], 1e-6)
        x = self.width / 2 + self.focal * local[:, 0] / depth
        y = self.height / 2 - self.focal * local[:, 1] / depth
        return np.stack([x, y], axis=1), local[:, 2]

    def paint_sky(self, rng: Random, light: Light) -> None:
        """A gradient with clouds."""
        ramp = np.linspace(0, 1, self.height, dtype=np.float32)[:, None, None] ** 0.8
        zenith, horizon = (np.array(colour, np.float32) / 255 for colour in light.sky)
        cells = (self.height // 5, self.width // 3)
        clouds = noise(rng, self.height, self.width, cells)
        clouds = np.clip(clouds + 0.4 * noise(rng, self.height, self.width, (34, 60)) - 0.62, 0, 1)
        white = (1 - 0.85 * light.night) * 0.9
        sky = zenith + (horizon - zenith) * ramp
        self.picture[:] = sky + (white - sky) * clouds[..., None] * 0.9
        self._paint_skyline(rng, horizon * np.float32(0.72) + light.ambient * np.float32(0.06))

    def _paint_skyline(self, rng: Random, colour: Floats) -> None:
        """Roofs and woods so far away that they only shift as the camera turns."""
        cv2 = require("cv2")
        bearing = np.linspace(-np.pi, np.pi, 97)
        rise = rng.uniform(0.005, 0.03) + rng.random(96) ** 2 * 0.05
        heading = np.arctan2(self.axes[2, 0], -self.axes[2, 2])
        for k in range(96):
            turn = (bearing[k : k + 2] - heading + np.pi) % (2 * np.pi) - np.pi
            if np.abs(turn).max() > 1.2:
                continue
            ends = [
                (np.sin(a) * 1e4, y, -np.cos(a) * 1e4)
                for a in bearing[k : k + 2]
                for y in (-0.01e4, rise[k] * 1e4)
            ]
            pixels = self.project(self.position + np.array(ends))[0]
            hull = cv2.convexHull(np.clip(pixels, -8000, 8000).astype(np.int32))
            tone = colour * np.float32(rng.uniform(0.9, 1.06))
            cv2.fillConvexPoly(self.picture, hull, tone.tolist(), cv2.LINE_AA)

    def paint_ground(
        self, pavement: Image, light: Light, shade: NDArray[np.float64] | None
    ) -> None:
        """The plane y = 0 with a repeated texture; ``shade`` is the outline (m, 3) of a shadow on it."""
        cv2 = require("cv2")
        u = (np.arange(self.width, dtype=np.float32) + 0.5 - self.width / 2) / self.focal
        v = (self.height / 2 - np.arange(self.height, dtype=np.float32) - 0.5) / self.focal
        axes = self.axes.astype(np.float32)
        # Rows whose both ends look up show sky alone.
        ends = u[[0, -1]] * axes[0, 1] + v[:, None] * axes[1, 1] + axes[2, 1]
        rows = np.flatnonzero((ends < -1e-3).any(axis=1))
        if not len(rows):
            return
        part = np.s_[rows[0] : rows[-1] + 1]
        across, down, ahead = (
            u * axes[0, k] + v[part, None] * axes[1, k] + axes[2, k] for k in range(3)
        )
        ground = down < -1e-3
        depth = np.float32(-self.position[1]) / np.minimum(down, np.float32(-1e-3))
        side = pavement.shape[0]
        per_metre = side / 6.0
        x = (np.float32(self.position[0]) + across * depth) * np.float32(per_metre / side)
        z = (np.float32(self.position[2]) + ahead * depth) * np.float32(per_metre / side)
        x, z = (x - np.floor(x)) * side, (z - np.floor(z)) * side
        stones = cv2.remap(pavement, x, z, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        stones = stones.astype(np.float32) / 255
        # Far stones are smaller than pixels: they fade into their mean.
        blend = np.clip(depth / 40, 0, 1)[..., None]
        stones += (pavement.reshape(-1, 3).mean(axis=0).astype(np.float32) / 255 - stones) * blend
        lit = light.ambient + light.strength * max(float(light.sun[1]), 0.0)
        stones *= lit
        if shade is not None:
            mask = np.zeros((self.height, self.width), np.uint8)
            pixels, depths = self.project(shade)
            if (depths > NEAR).all():
                hull = cv2.convexHull(np.clip(pixels, -8000, 8000).astype(np.int32))
                cv2.fillConvexPoly(mask, hull, 255)
                soft = cv2.blur(mask, (7, 7))[part].astype(np.float32)[..., None] / 255
                stones *= 1 - soft * (1 - light.ambient / np.maximum(lit, 1e-3))
        np.copyto(self.picture[part], stones, where=ground[..., None])
        np.copyto(self.nearness[part], 1 / depth, where=ground)

    def paint(self, face: Face, light: Light, lamps: float) -> None:
        """A face, if it looks this way. ``lamps`` : strength of the light from the street at night."""
        cv2 = require("cv2")
        a, b, _, d = face.corners
        normal = np.cross(d - a, b - a)
        normal /= np.linalg.norm(normal)
        if normal @ (self.position - a) <= 0:
            return
        pixels, depth = self.project(face.corners)
        if (depth < NEAR).any():
            return
        height, width = face.texture.glow.shape
        cut = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float) if face.cut is None else face.cut
        to_picture = cv2.getPerspectiveTransform(
            np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32),
            pixels.astype(np.float32),
        )
        outline = cv2.perspectiveTransform(
            (cut * (width, height))[None].astype(np.float64), to_picture
        )[0]
        low = np.clip(np.floor(outline.min(axis=0)).astype(int) - 1, 0, (self.width, self.height))
        high = np.clip(np.ceil(outline.max(axis=0)).astype(int) + 2, 0, (self.width, self.height))
        if (high <= low).any():
            return
        size = int(high[0] - low[0]), int(high[1] - low[1])
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        cover = np.zeros((size[1], size[0]), np.uint8)
        fine = np.clip((outline - low) * 16, -(2**20), 2**20).round().astype(np.int32)
        cv2.fillConvexPoly(cover, fine, 255, cv2.LINE_AA, 4)

        # Nearness at three corners gives its plane.
        system = np.column_stack([pixels[[0, 1, 3]], np.ones(3)])
        plane = np.linalg.lstsq(system, 1 / depth[[0, 1, 3]], rcond=None)[0]
        x = np.arange(low[0], high[0], dtype=np.float32) + 0.5
        y = np.arange(low[1], high[1], dtype=np.float32)[:, None] + 0.5
        near = (plane[0] * x + plane[1] * y + plane[2]).astype(np.float32)
        seen = (cover > 0) & (near > self.nearness[part] * 0.9999)
        if not seen.any():
            return
        texels, glow = self._warped(face, to_picture, low, size, pixels)
        lit = light.ambient + light.strength * max(float(normal @ light.sun), 0.0)
        colour = texels * lit.astype(np.float32)
        if light.night > 0:
            warm = np.array((1.0, 0.72, 0.42), np.float32)
            colour += texels * warm * np.float32(light.night * lamps)
            colour += (glow * np.float32(light.night * 0.85))[..., None] * warm
        alpha = (cover.astype(np.float32) / 255 * seen)[..., None]
        self.picture[part] += (colour - self.picture[part]) * alpha
        solid = seen & (cover > 127)
        self.nearness[part][solid] = near[solid]
        self.front[part][solid] = face.front

    def _warped(
        self,
        face: Face,
        to_picture: NDArray[np.float64],
        low: NDArray[np.int_],
        size: tuple[int, int],
        pixels: NDArray[np.float64],
    ) -> tuple[Floats, Floats]:
        """The texture as seen, shrunk beforehand where its texels are smaller than pixels."""
        cv2 = require("cv2")
        height, width = face.texture.glow.shape
        across = max(
            np.linalg.norm(pixels[1] - pixels[0]), np.linalg.norm(pixels[2] - pixels[3]), 1.0
        )
        tall = max(
            np.linalg.norm(pixels[3] - pixels[0]), np.linalg.norm(pixels[2] - pixels[1]), 1.0
        )
        halvings = np.log2([width / across, height / tall]) + 0.4
        albedo, glow = face.texture.reduced(*np.clip(halvings.astype(int), 0, 6).tolist())
        shrink = np.diag([width / albedo.shape[1], height / albedo.shape[0], 1.0])
        shift = np.array([(1, 0, -low[0]), (0, 1, -low[1]), (0, 0, 1)], float)
        matrix = shift @ to_picture @ shrink
        seen = [
            cv2.warpPerspective(
                x, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            for x in (albedo, glow)
        ]
        return seen[0].astype(np.float32) / 255, seen[1].astype(np.float32) / 255

    def paste(self, figure: Image, foot: NDArray[np.float64], tall: float, light: Light) -> None:
        """A cut-out RGBA figure that stands at ``foot``, ``tall`` metres high, turned to the camera."""
        cv2 = require("cv2")
        pixels, depth = self.project(foot[None])
        if depth[0] < NEAR:
            return
        height = int(self.focal * tall / depth[0])
        width = int(height * figure.shape[1] / figure.shape[0])
        if height < 4 or width < 2 or height > 6 * self.height:
            return
        x0, y0 = int(pixels[0, 0] - width / 2), int(pixels[0, 1] - height)
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(x0 + width, self.width), min(y0 + height, self.height)
        if right <= left or bottom <= top:
            return
        method = cv2.INTER_AREA if height < figure.shape[0] else cv2.INTER_LINEAR
        scaled = cv2.resize(figure, (width, height), interpolation=method)
        piece = scaled[top - y0 : bottom - y0, left - x0 : right - x0].astype(np.float32) / 255
        part = np.s_[top:bottom, left:right]
        near = np.float32(1 / depth[0])
        alpha = piece[..., 3:] * (self.nearness[part] < near)[..., None]
        lit = light.ambient + light.strength * np.float32(0.55) + np.float32(0.10 * light.night)
        self.picture[part] += (piece[..., :3] * lit - self.picture[part]) * alpha
        solid = alpha[..., 0] > 0.5
        self.front[part][solid] = False
        self.nearness[part][solid] = near
