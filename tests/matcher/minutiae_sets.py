"""Minutiae drawn at random, and the same minutiae seen once more: turned, shifted, cropped, disturbed."""

from __future__ import annotations

import math

import numpy as np

from matcher.ports import Minutiae


def random_minutiae(seed: int, count: int = 40, size: tuple[int, int] = (256, 288)) -> Minutiae:
    """``count`` minutiae at least 12 pixels apart, with directions that follow a smooth flow like ridges do."""
    rng = np.random.default_rng(seed)
    xy: list[np.ndarray] = []
    while len(xy) < count:
        point = rng.uniform(20, np.array(size) - 20)
        if all(np.hypot(*(point - other)) >= 12 for other in xy):
            xy.append(point)
    places = np.array(xy, np.float32).reshape(count, 2)
    flow = rng.uniform(0, math.pi) + places @ rng.uniform(-0.008, 0.008, 2)
    angle = flow + math.pi * rng.integers(0, 2, count) + rng.normal(0, 0.15, count)
    return Minutiae(
        xy=places,
        angle=np.mod(angle, 2 * math.pi).astype(np.float32),
        kind=rng.integers(1, 3, count).astype(np.uint8),
        score=rng.uniform(0.4, 1, count).astype(np.float32),
        size=size,
    )


def seen_again(
    minutiae: Minutiae, *, seed: int = 0, turn: float = 0.0, shift: tuple[float, float] = (0, 0),
    jitter: float = 0.0, lost: float = 0.0, size: tuple[int, int] | None = None,
) -> Minutiae:  # fmt: skip
    """The same finger in another picture: turned counter-clockwise (radians) about the middle, then shifted (pixels, y
    down), each place disturbed by ``jitter`` pixels, a share ``lost``, and what left the picture gone."""
    rng = np.random.default_rng(seed)
    width, height = size or minutiae.size
    middle = np.array(minutiae.size) / 2
    x, y = (minutiae.xy - middle).T
    turned = np.stack([x * math.cos(turn) + y * math.sin(turn), -x * math.sin(turn) + y * math.cos(turn)], axis=1)
    xy = turned + middle + shift + rng.normal(0, jitter or 1e-9, turned.shape)
    kept = (xy >= 0).all(axis=1) & (xy < [width, height]).all(axis=1) & (rng.random(len(xy)) >= lost)
    return Minutiae(
        xy=xy[kept].astype(np.float32),
        angle=np.mod(minutiae.angle[kept] + turn, 2 * math.pi).astype(np.float32),
        kind=minutiae.kind[kept],
        score=minutiae.score[kept],
        size=(width, height),
    )
