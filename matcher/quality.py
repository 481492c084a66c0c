"""Whether a sample is good enough, and if not, what the person can do. Owns measures and hints; refuses to reject.

Faces are judged on what the recognition network will see (the aligned crop), so a large picture that is blurred only
at full size is not blamed. Measures follow the components of ISO/IEC 29794-5 and ISO/IEC 29794-4 in spirit; the limits
were set on webcam pictures and are no standard's. Each hint is a ``models.errors.RetryReason`` value.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from matcher.engines.alignment import aligned_face
from matcher.ports import DetectedFace, Minutiae, Quality
from models.biometrics import Float32Array, UInt8Array
from models.errors import RetryReason


@dataclass(frozen=True, slots=True)
class FaceLimits:
    """Where each measure starts to stand in the way. Pixels of the picture, degrees, gray levels, shares."""

    eye_distance_px: float = 30.0
    good_eye_distance_px: float = 60.0
    largest_share: float = 0.85  # of the picture's height
    yaw_degrees: float = 28.0
    pitch_degrees: float = 28.0
    roll_degrees: float = 25.0
    sharpness: float = 0.06
    good_sharpness: float = 0.14
    darkest_mean: float = 40.0
    brightest_mean: float = 215.0
    contrast: float = 12.0  # standard deviation of gray levels
    good_contrast: float = 35.0
    overexposed_share: float = 0.35


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees: yaw > 0 turned to the person's left, pitch > 0 looking down, roll > 0 tilted clockwise as seen."""

    yaw: float
    pitch: float
    roll: float


def face_quality(pixels: UInt8Array, face: DetectedFace, *, limits: FaceLimits | None = None) -> Quality:
    """The quality of one face in an (H, W, 3) uint8 RGB picture.

    The value is the product of five shares in [0, 1]: size, sharpness, exposure, contrast, pose. Raises ImageError if
    the landmarks are no face's.
    """
    limits = limits or FaceLimits()
    gray = np.asarray(cv2.cvtColor(aligned_face(pixels, face.landmarks), cv2.COLOR_RGB2GRAY), np.uint8)
    inner = gray[20:100, 20:92]  # without hair and background
    pose = estimate_pose(face.landmarks)
    measures = {
        "eye_distance_px": eye_distance(face.landmarks),
        "sharpness": sharpness(gray),
        "mean": float(inner.mean()),
        "contrast": float(inner.std()),
        "overexposed": float((inner >= 250).mean()),
        "yaw": pose.yaw,
        "pitch": pose.pitch,
        "roll": pose.roll,
    }
    shares = _face_shares(measures, limits)
    value = float(np.prod(list(shares.values())))
    return Quality(value, measures | shares, _face_hints(measures, face, pixels.shape[:2], limits))


def eye_distance(landmarks: Float32Array) -> float:
    """Pixels between the middles of the eyes."""
    return float(np.linalg.norm(landmarks[1] - landmarks[0]))


def estimate_pose(landmarks: Float32Array) -> Pose:
    """The head's pose from five landmarks, to some ten degrees: enough to ask for a look at the camera.

    The nose tip stands about 0.6 eye distances before the plane of eyes and mouth, so turning the head shifts it
    against them by that much times the tangent of the angle.
    """
    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks.astype(np.float64)
    across = left_eye - right_eye
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    eyes, mouth = (right_eye + left_eye) / 2, (right_mouth + left_mouth) / 2
    down = mouth - eyes
    height = max(float(np.hypot(*down)), 1e-6)
    axis = down / height
    side = np.array([axis[1], -axis[0]])  # to the left of the person, so to the right of an unmirrored picture
    width = max(float(abs(across @ side)), 0.3 * height, 1e-6)
    sideways = float((nose - eyes) @ side) / max(width, 0.75 * height)
    along = float((nose - eyes) @ axis) / height
    yaw = float(np.degrees(np.arctan(sideways / 0.6)))
    pitch = float(np.degrees(np.arctan((along - 0.58) / 0.6)))
    return Pose(yaw, pitch, roll)


def sharpness(gray: UInt8Array) -> float:
    """Energy of the second differences against the contrast they come from, in the direction that has less of it.

    Independent of the exposure's strength; the weaker direction shows the blur of a movement.
    """
    smooth = cv2.GaussianBlur(gray, (3, 3), 0.8).astype(np.float32)[8:-8, 8:-8]
    across, down = (float(np.diff(smooth, 2, axis=axis).std()) for axis in (1, 0))
    return float(np.sqrt(2.0)) * min(across, down) / max(float(smooth.std()), 4.0)


def finger_quality(
    minutiae: Minutiae, *, fewest: int = 12, good_count: int = 35, good_coverage: float = 0.45
) -> Quality:
    """The quality of a finger's impression from what was found in it.

    Value: share of ``good_count`` minutiae (weighted by their scores) times share of ``good_coverage``, the part of a
    16 × 18 mm window that the minutiae span. Too few points ask for another try, points to one side for the middle.
    """
    count = len(minutiae.xy)
    if count == 0:
        return Quality(0.0, {"minutiae": 0.0, "coverage": 0.0}, (RetryReason.FINGER_FEW_POINTS.value,))
    coverage = _coverage(minutiae)
    strength = float(minutiae.score.mean())
    value = min(1.0, count / good_count) * min(1.0, 0.4 + 0.6 * coverage / good_coverage)
    components = {"minutiae": float(count), "coverage": coverage, "strength": strength}
    hints = []
    if count < fewest:
        hints.append(RetryReason.FINGER_FEW_POINTS.value)
    elif _off_center(minutiae) > 0.28 and coverage < 0.6 * good_coverage:
        hints.append(RetryReason.FINGER_OFF_CENTER.value)
    return Quality(float(value), components | {"off_center": _off_center(minutiae)}, tuple(hints))


def nfiq2(pixels: UInt8Array, *, dpi: int = 500) -> float | None:
    """The NFIQ 2 score of an (H, W) uint8 impression, 0 to 100 (ISO/IEC 29794-4), in some 100 ms.

    None where the library is not installed or finds nothing to judge (an empty glass).
    """
    try:
        import nbis
    except ImportError:
        return None
    settings = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=True, ppi=float(dpi)
    )
    _, encoded = cv2.imencode(".png", pixels)
    try:
        return float(nbis.new_nbis_extractor(settings).extract_minutiae(encoded.tobytes()).quality().score)
    except nbis.NbisError:
        return None


def _face_shares(measures: dict[str, float], limits: FaceLimits) -> dict[str, float]:
    turned = max(
        abs(measures["yaw"]) / limits.yaw_degrees,
        abs(measures["pitch"]) / limits.pitch_degrees,
        abs(measures["roll"]) / (2 * limits.roll_degrees),  # alignment undoes it: it costs little
    )
    light = 1.0 - abs(measures["mean"] - 125.0) / 125.0
    return {
        "size_share": _ramp(measures["eye_distance_px"], 0.5 * limits.eye_distance_px, limits.good_eye_distance_px),
        "sharpness_share": _ramp(measures["sharpness"], 0.0, limits.good_sharpness),
        "exposure_share": min(1.0, 1.6 * max(0.0, light)) * (1.0 - measures["overexposed"]),
        "contrast_share": _ramp(measures["contrast"], 0.0, limits.good_contrast),
        "pose_share": float(np.clip(1.25 - 0.5 * turned * turned, 0.0, 1.0)),
    }


def _face_hints(
    measures: dict[str, float], face: DetectedFace, shape: tuple[int, int], limits: FaceLimits
) -> tuple[str, ...]:
    x, y, width, height = face.box
    picture_height, picture_width = shape
    middle_x, middle_y = x + width / 2, y + height / 2
    cut = face.landmarks.min() < 0 or bool((face.landmarks > (picture_width, picture_height)).any())
    turned = (
        abs(measures["yaw"]) > limits.yaw_degrees
        or abs(measures["pitch"]) > limits.pitch_degrees
        or abs(measures["roll"]) > limits.roll_degrees
    )
    flat = measures["contrast"] < limits.contrast
    asked = {
        RetryReason.TOO_DARK: measures["mean"] < limits.darkest_mean or (flat and measures["mean"] < 128),
        RetryReason.TOO_BRIGHT: measures["mean"] > limits.brightest_mean
        or measures["overexposed"] > limits.overexposed_share
        or (flat and measures["mean"] >= 128),
        RetryReason.COME_CLOSER: measures["eye_distance_px"] < limits.eye_distance_px,
        RetryReason.STEP_BACK: height > limits.largest_share * picture_height,
        RetryReason.CENTER_FACE: cut or not 0 <= middle_x <= picture_width or not 0 <= middle_y <= picture_height,
        RetryReason.LOOK_HERE: turned,
        RetryReason.HOLD_STILL: measures["sharpness"] < limits.sharpness and not flat,
    }
    return tuple(reason.value for reason, wanted in asked.items() if wanted)


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))


def _coverage(minutiae: Minutiae) -> float:
    """The area of the minutiae's convex hull as a share of a 16 × 18 mm window at 500 dpi (315 × 354 pixels)."""
    hull = cv2.convexHull(minutiae.xy.astype(np.float32))
    return float(np.clip(cv2.contourArea(hull) / (315.0 * 354.0), 0.0, 1.0))


def _off_center(minutiae: Minutiae) -> float:
    """How far the minutiae's middle lies from the picture's, as a share of the picture's diagonal."""
    offset = np.median(minutiae.xy, axis=0) - np.array(minutiae.size, np.float32) / 2
    return float(np.hypot(*offset) / np.hypot(*minutiae.size))
