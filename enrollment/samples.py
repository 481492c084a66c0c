"""What a sample was worth and what is still wanted. Owns the plan of an enrollment and the words for a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from enrollment.notice import MissingReason
from matcher.ports import DetectedFace, Quality
from models.biometrics import FingerPosition, Modality, Template
from models.errors import CaptureRetry, InputError, RetryReason

_BYSTANDER_SHARE = 0.35  # a second face this large, by area, could be meant


class Refusal(StrEnum):
    """Why a sample was not taken, beside what ``models.errors.RetryReason`` already says."""

    ENOUGH = "enough"
    SAMPLE_REPEATED = "sample_repeated"  # the same picture again is not another sample
    FACES_DIFFER = "faces_differ"  # another person than in the samples before
    FINGERS_DIFFER = RetryReason.FINGERS_DIFFER.value
    FINGER_REPEATED = "finger_repeated"  # a finger that is already there under another name


@dataclass(frozen=True, slots=True)
class EnrollmentPlan:
    """How many samples are wanted, and how alike those of one person must be (similarities of the engines in use)."""

    least_faces: int = 3
    most_faces: int = 5
    fingers: int = 2
    impressions: int = 3
    same_face: float = 0.40  # cosine; lower than an identification's threshold, for it only guards against mix-ups
    same_finger: float = 0.20


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample that was taken: its template and quality; the picture is gone."""

    template: Template
    quality: float


@dataclass(frozen=True, slots=True)
class SampleVerdict:
    """Whether a sample was taken. ``hint`` is a RetryReason or Refusal value; ``quality`` is None if never judged."""

    accepted: bool
    quality: Quality | None
    hint: str | None

    @classmethod
    def refused(cls, hint: str, quality: Quality | None = None) -> Self:
        """A sample that was not taken, with the one thing to do about it."""
        return cls(False, quality, str(hint))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an enrollment is. ``impressions`` counts per finger; ``missing`` names what is still wanted."""

    faces: int
    faces_wanted: int
    impressions: Mapping[FingerPosition, int]
    fingers_done: int
    fingers_wanted: int
    impressions_wanted: int
    missing: tuple[Modality, ...]

    @classmethod
    def of(cls, plan: EnrollmentPlan, *, faces: int, impressions: Mapping[FingerPosition, int]) -> Self:
        """The progress of a plan."""
        done = sum(count >= plan.impressions for count in impressions.values())
        missing = []
        if faces < plan.least_faces:
            missing.append(Modality.FACE)
        if done < plan.fingers:
            missing.append(Modality.FINGER)
        return cls(faces, plan.least_faces, dict(impressions), done, plan.fingers, plan.impressions, tuple(missing))

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    def check(self, reason: MissingReason | None) -> None:
        """Raises InputError (enrollment_incomplete) unless all is there, or one modality is and a reason is given."""
        if self.complete:
            return
        if Modality.FACE in self.missing and self.faces:
            raise InputError(
                f"{self.faces} of at least {self.faces_wanted} face samples are there.", code="enrollment_incomplete"
            )
        if not self.faces and not self.fingers_done:
            raise InputError("Neither a face nor a finger is enrolled.", code="enrollment_incomplete")
        if reason is None or _excuses(reason) not in self.missing:
            missing = " and ".join(item.value for item in self.missing)
            raise InputError(f"Missing: {missing}; give the reason or enroll it.", code="enrollment_incomplete")


def largest_face(faces: Sequence[DetectedFace]) -> DetectedFace:
    """The one face that is meant. Raises CaptureRetry if there is none, or another nearly as large."""
    if not faces:
        raise CaptureRetry(RetryReason.NO_FACE)
    ordered = sorted(faces, key=_area, reverse=True)
    if len(ordered) > 1 and _area(ordered[1]) > _BYSTANDER_SHARE * _area(ordered[0]):
        raise CaptureRetry(RetryReason.SEVERAL_FACES)
    return ordered[0]


def _area(face: DetectedFace) -> float:
    return face.box[2] * face.box[3]


def _excuses(reason: MissingReason) -> Modality:
    faces = (MissingReason.FACE_DECLINED, MissingReason.FACE_UNUSABLE)
    return Modality.FACE if reason in faces else Modality.FINGER
