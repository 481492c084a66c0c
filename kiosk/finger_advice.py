"""What a person can do better with a finger that did not match: press harder, or wipe it. Pure.

Owns a measure of moisture: the share of the contact that is as dark as ridges. Of a finger pressed dry or lightly there
is too little of it, wet or smeared ridges run together. Refuses to reject: it is asked only after a comparison without
a match, so a finger that is dry and matches is never sent back. The limits were set on generated fingers, whose normal
impressions lie at 0.44 to 0.48, dry and light ones at 0.31 to 0.42, wet and smeared ones at 0.60 and more.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.biometrics import UInt8Array
from models.errors import RetryReason

_DRY_BELOW, _WET_ABOVE = 0.40, 0.54
_LEAST_CONTACT = 2000  # pixels: less says nothing
_CONTRAST = 14.0  # gray levels; the empty glass has less
_RIDGES_PX = 6.0


def ridge_share(pixels: UInt8Array) -> float | None:
    """How much of the contact is ridge, in an (H, W) uint8 picture, ridges dark; None if hardly anything touches."""
    gray = pixels.astype(np.float32)
    mean = cv2.GaussianBlur(gray, (0, 0), _RIDGES_PX)
    spread = np.sqrt(np.maximum(cv2.GaussianBlur(gray * gray, (0, 0), _RIDGES_PX) - mean * mean, 0.0))
    touched = (spread > _CONTRAST) | (mean < 0.8 * np.percentile(gray, 97))
    contact = cv2.erode(touched.astype(np.uint8), np.ones((13, 13), np.uint8)).astype(bool)  # without its ragged edge
    if int(contact.sum()) < _LEAST_CONTACT:
        return None
    dark, light = np.percentile(gray[contact], (3, 97))
    return float((gray[contact] < (dark + light) / 2).mean())


def advice(pixels: UInt8Array) -> RetryReason | None:
    """What to say after this picture did not match; None if nothing about it explains that."""
    share = ridge_share(pixels)
    if share is None or share < _DRY_BELOW:
        return RetryReason.FINGER_FEW_POINTS
    return RetryReason.FINGER_MESSY if share > _WET_ABOVE else None
