"""Finds the written page in a picture, cuts it out upright, and says what stands in its way. Pure; no neural network.

Only what lies inside the page's four edges is ever handed on, so that no bystander's face gets into a report. Refuses
to read what is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from models.biometrics import Float32Array, UInt8Array
from models.errors import RetryReason
from web.panel.facade import PanelHint

_WORK_WIDTH = 480  # pixels of the picture in which edges are looked for
_BORDER_PX = 3
_MOST_SHAPES = 12
_INSIDE = 0.99  # of the page is kept: an edge that was found a pixel too far out shows nothing of the room
_LONGEST_PX = 2000  # of the page that is cut out


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Shares of the picture, gray levels, degrees."""

    least_share: float = 0.05  # of the picture: anything smaller is no page held up
    near_share: float = 0.22
    filled: float = 0.9  # how much of the four-cornered shape the found shape fills
    corner_deg: float = 32.0  # how far a corner may be from a right angle
    lighter_by: float = 6.0  # than what is round it
    white_rim: float = 0.72  # of the strip inside its edges: thumbs may cover some
    most_color: float = 90.0  # saturation: paper is white, or nearly
    darkest: float = 80.0
    moved: float = 0.02  # of the picture's width, between two looks
    sharpness: float = 0.16


LIMITS = PageLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A page in a picture: its corners, (4, 2) float32 pixels, clockwise from the upper left one."""

    corners: Float32Array

    def share(self, pixels: UInt8Array) -> float:
        """How much of the picture it takes."""
        return float(cv2.contourArea(self.corners)) / float(pixels.shape[0] * pixels.shape[1])

    def cut_out(self, pixels: UInt8Array) -> UInt8Array:
        """The page as it lies flat, (H, W, 3) uint8 RGB, and nothing beside it."""
        top, right, bottom, left = (
            float(np.linalg.norm(self.corners[one] - self.corners[other]))
            for one, other in ((0, 1), (1, 2), (2, 3), (3, 0))
        )
        width, height = max(top, bottom), max(left, right)
        scale = min(1.0, _LONGEST_PX / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        flat = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
        middle = self.corners.mean(axis=0)
        inner = np.asarray(middle + (self.corners - middle) * _INSIDE, np.float32)
        bend = cv2.getPerspectiveTransform(inner, flat)
        return np.asarray(cv2.warpPerspective(pixels, bend, size, flags=cv2.INTER_LINEAR), np.uint8)


def find_page(pixels: UInt8Array, *, limits: PageLimits = LIMITS) -> Page | None:
    """The largest light four-cornered shape in an (H, W, 3) uint8 RGB picture, None if there is none."""
    scale = _WORK_WIDTH / pixels.shape[1]
    small = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    area = float(small.shape[0] * small.shape[1])
    shapes = [quad for contour in _shapes(small, area, limits) if (quad := _four_corners(contour, limits)) is not None]
    whole = [quad for quad in shapes if not _touches_edge(quad, small.shape)]
    for quad in sorted(whole, key=cv2.contourArea, reverse=True)[:_MOST_SHAPES]:
        if _is_paper(small, quad, limits):
            return Page(_clockwise(quad) / np.float32(scale))
    return None


def hint_for(pixels: UInt8Array, page: Page | None, before: Page | None, *, limits: PageLimits = LIMITS) -> str | None:
    """What stands in the way of photographing this page; None if it is good. ``before``: the page of the last look."""
    if page is None:
        return PanelHint.PAGE_NOT_SEEN.value
    if page.share(pixels) < limits.near_share:
        return RetryReason.COME_CLOSER.value
    gray = np.asarray(cv2.cvtColor(page.cut_out(pixels), cv2.COLOR_RGB2GRAY), np.uint8)
    if float(np.median(gray)) < limits.darkest:
        return RetryReason.TOO_DARK.value
    moved = limits.moved * pixels.shape[1]
    if before is None or float(np.abs(before.corners - page.corners).max()) > moved:
        return RetryReason.HOLD_STILL.value
    if page_sharpness(gray) < limits.sharpness:
        return RetryReason.HOLD_STILL.value
    return None


def page_sharpness(gray: UInt8Array) -> float:
    """How steep the steepest edges of the writing are, against its contrast, in the weaker direction.

    1 is an edge from ink to paper within one pixel. A page with nothing on it has no edges and is not sharp.
    """
    inner = gray[gray.shape[0] // 12 : -gray.shape[0] // 12, gray.shape[1] // 12 : -gray.shape[1] // 12]
    smooth = cv2.GaussianBlur(inner, (3, 3), 0.6).astype(np.float32)
    low, high = np.percentile(smooth, (1, 80))
    contrast = max(float(high - low), 24.0)
    return min(float(np.percentile(np.abs(np.diff(smooth, axis=axis)), 98)) for axis in (0, 1)) / contrast


def _shapes(small: UInt8Array, picture_area: float, limits: PageLimits) -> Iterator[Any]:
    """Outlines of what may be a page: of what is bounded by edges, and of what is lighter than the rest."""
    gray = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    kernel = np.ones((3, 3), np.uint8)
    masks = [cv2.dilate(cv2.Canny(gray, low, 3 * low), kernel) for low in (15, 40)]
    darkest = small.min(axis=2)
    otsu = int(cv2.threshold(darkest, 0, 255, cv2.THRESH_OTSU)[0])
    brightest = int(np.percentile(darkest, 99))
    for level in {otsu, int(0.9 * brightest), int(0.8 * brightest)}:
        masks.append(cv2.morphologyEx((darkest > level).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)))
    for mask in masks:
        for contour in cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
            _, _, width, height = cv2.boundingRect(contour)
            if limits.least_share * picture_area <= width * height < 0.97 * picture_area:
                yield contour


def _four_corners(contour: Any, limits: PageLimits) -> Float32Array | None:
    """The shape as a quadrangle, if it is one: thumbs on its edge do not matter, much."""
    hull = cv2.convexHull(contour)
    area = cv2.contourArea(hull)
    length = cv2.arcLength(hull, True)
    for share in (0.02, 0.035, 0.05, 0.08):
        quad = cv2.approxPolyDP(hull, share * length, True)
        if len(quad) <= 4:
            break
    if len(quad) != 4 or cv2.contourArea(quad) < limits.filled * area:
        return None
    corners = np.asarray(quad.reshape(4, 2), np.float32)
    return corners if _rectangular(corners, limits) else None


def _rectangular(corners: Float32Array, limits: PageLimits) -> bool:
    for place in range(4):
        one, other = corners[place - 1] - corners[place], corners[(place + 1) % 4] - corners[place]
        cosine = float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-6)
        if abs(cosine) > np.sin(np.deg2rad(limits.corner_deg)):
            return False
    return True


def _is_paper(small: UInt8Array, quad: Float32Array, limits: PageLimits) -> bool:
    """White, or nearly, up to its edges, and lighter than what is round it."""
    inside = np.zeros(small.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, quad.astype(np.int32), 1)
    around = cv2.dilate(inside, np.ones((11, 11), np.uint8)) - inside
    inner = cv2.erode(inside, np.ones((5, 5), np.uint8))
    rim = inner - cv2.erode(inner, np.ones((7, 7), np.uint8))
    if not rim.any() or not around.any():
        return False
    gray = small.mean(axis=2)
    light = float(np.percentile(gray[inner == 1], 60))  # the paper without the ink
    paper = small[(inner == 1) & (gray >= 0.9 * light)].astype(np.int16)
    color = float(np.median(paper.max(axis=1) - paper.min(axis=1)))
    white_rim = float((np.abs(gray[rim == 1] - light) <= 0.12 * light).mean())
    darker = light - float(np.median(gray[around == 1]))
    enough = limits.lighter_by * light / 255.0
    return color <= limits.most_color * light / 255.0 and white_rim >= limits.white_rim and darker >= enough


def _touches_edge(quad: Float32Array, shape: tuple[int, ...]) -> bool:
    """Whether the picture cuts it off."""
    low, high = quad.min(axis=0), quad.max(axis=0)
    return bool(low.min() < _BORDER_PX or high[0] >= shape[1] - _BORDER_PX or high[1] >= shape[0] - _BORDER_PX)


def _clockwise(quad: Float32Array) -> Float32Array:
    """Clockwise as seen, from the corner that is nearest to the upper left."""
    middle = quad.mean(axis=0)
    angles = np.arctan2(quad[:, 1] - middle[1], quad[:, 0] - middle[0])
    ordered = quad[np.argsort(angles)]
    return np.roll(ordered, -int(np.argmin(ordered.sum(axis=1))), axis=0)
