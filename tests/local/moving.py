"""Films of textures: one that moves before another."""

from __future__ import annotations

import cv2
import numpy as np


def texture(random: np.random.Generator, height: int, width: int, blur: float = 2.0) -> np.ndarray:
    """Smooth noise, uint8 (height, width, 3)."""
    waves = cv2.GaussianBlur(random.normal(0, 1, (height, width, 3)), (0, 0), blur)
    waves -= waves.min()
    return (waves / waves.max() * 255).astype(np.uint8)


def film(
    size: tuple[int, int],
    speed: tuple[float, float],
    *,
    count: int = 31,
    noise: float = 0.0,
    hidden: range = range(0),
    blur: float = 2.0,
    seed: int = 0,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames in which a texture of so many pixels (width, height) moves by so many (x, y) a frame, and its boxes.

    It turns back at the edges; in the frames ``hidden`` it is not there.
    """
    random = np.random.default_rng(seed)
    width, height = size
    room = np.array([3.5 * width + 60, 3.5 * height + 60])
    shape = (int(room[1] + height), int(room[0] + width))
    behind, thing = texture(random, *shape, blur), texture(random, height, width, blur)
    place, velocity = room / 3, np.array(speed, float)
    frames, boxes = [], []
    for index in range(count):
        matrix = np.array([[1, 0, place[0]], [0, 1, place[1]]])
        frame = behind.astype(np.float64)
        if index not in hidden:
            share = cv2.warpAffine(np.ones((height, width)), matrix, shape[::-1])[..., None]
            moved = cv2.warpAffine(thing.astype(np.float64), matrix, shape[::-1])
            frame = frame * (1 - share) + moved
        if noise:
            frame = frame + random.normal(0, noise, frame.shape)
        frames.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
        boxes.append([*place, *(place + size)])
        turns = (place + velocity < 5) | (place + velocity > room - 5)
        velocity = np.where(turns, -velocity, velocity)
        place = place + velocity
    return frames, np.array(boxes)


def crossing(
    velocity: tuple[float, float] = (1.5, 0.5),
    *,
    count: int = 18,
    still: bool = False,
    seed: int = 0,
) -> list[np.ndarray]:
    """Frames of 160 x 120 in which a square of 80 that holds a third of all corners moves by so much a frame."""
    random = np.random.default_rng(seed)
    behind, thing = texture(random, 120, 160, 1.5), texture(random, 80, 80, 1.5)
    frames = []
    for index in range(count):
        steps = 0 if still else index
        matrix = np.array([[1, 0, 10 + steps * velocity[0]], [0, 1, 10 + steps * velocity[1]]])
        share = cv2.warpAffine(np.ones((80, 80)), matrix, (160, 120))[..., None]
        moved = cv2.warpAffine(thing.astype(np.float64), matrix, (160, 120))
        frames.append(np.rint(behind * (1 - share) + moved).astype(np.uint8))
    return frames
