"""The presentation check: witnesses become one verdict, and whatever is unclear, missing or broken never passes."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import pytest

from matcher import weights
from matcher.challenge import REST
from matcher.face_points import FacePoints
from matcher.frame_freshness import FrameFreshness
from matcher.ports import DetectedFace
from matcher.presentation import NotAvailable, PresentationCheck, PresentationChecks
from models.attendance import PresentationEvidence, WitnessVerdict
from models.errors import WeightsError

FACE = DetectedFace((100, 100, 80, 100), np.zeros((5, 2), np.float32), 0.9)
FRAME_S = 1 / 15


def frames(count: int, *, repeat: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    fresh = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(count)]
    return fresh + [fresh[-1]] * repeat


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        (frames(8), WitnessVerdict.PASSED),
        (frames(3), WitnessVerdict.UNDECIDED),
        (frames(8, repeat=2), WitnessVerdict.UNDECIDED),
        (frames(8, repeat=5), WitnessVerdict.FAILED),
        (frames(6) * 2, WitnessVerdict.FAILED),
    ],
)
def test_pictures_that_repeat_are_not_fresh(pictures: list[np.ndarray], expected: WitnessVerdict) -> None:
    witness = FrameFreshness()
    for number, picture in enumerate(pictures):
        witness.observe(picture, FACE, number * FRAME_S)
    assert witness.verdict().verdict is expected


@dataclass
class Says:
    """A witness with a fixed verdict, or one that breaks."""

    name: str
    says: WitnessVerdict
    breaks: bool = False

    def observe(self, pixels: np.ndarray, face: DetectedFace, t_s: float) -> None:
        if self.breaks:
            raise RuntimeError("broken")

    def verdict(self) -> PresentationEvidence:
        return PresentationEvidence(self.name, self.says)


P, F, U, N = WitnessVerdict.PASSED, WitnessVerdict.FAILED, WitnessVerdict.UNDECIDED, WitnessVerdict.NOT_AVAILABLE


@pytest.mark.parametrize(
    ("says", "required", "expected"),
    [
        ({"a": P, "b": P}, {"a", "b"}, P),
        ({"a": P, "b": U}, {"a"}, P),
        ({"a": P, "b": U}, {"a", "b"}, U),
        ({"a": P, "b": F}, {"a"}, F),
        ({"a": U, "b": F}, {"a"}, F),
        ({"a": N, "b": P}, {"a"}, N),
        ({"a": P, "b": N}, {"a"}, P),
        ({"a": P}, {"a", "missing"}, N),
        ({"a": P}, set(), N),
    ],
)
def test_several_verdicts_become_one(
    says: dict[str, WitnessVerdict], required: set[str], expected: WitnessVerdict
) -> None:
    witnesses = [Says(name, verdict) for name, verdict in says.items()]
    check = PresentationCheck(witnesses, frozenset(required))
    assert check.verdict() is expected


def test_a_witness_that_breaks_never_passes_and_spends_the_challenge() -> None:
    check = PresentationCheck([Says("a", P), Says("b", P, breaks=True)], frozenset({"a", "b"}))
    check.observe(np.zeros((4, 4, 3), np.uint8), FACE, 0.0)
    assert check.verdict() is U
    assert check.spent()
    assert dict(check.evidence()[1].measures) == {"broken": 1.0}


def test_without_its_weights_the_challenge_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise WeightsError(f"The weights {name} are missing.")

    monkeypatch.setattr(weights, "path", missing)
    check = PresentationChecks(rng=Random(0)).draw()
    assert isinstance(check.witnesses[0], NotAvailable)
    assert check.verdict() is WitnessVerdict.NOT_AVAILABLE
    assert (check.prompt(), check.hint(), check.spent(), check.then().strikes) == (REST, None, False, 0)


def test_the_shape_predictor_answers_with_68_points_in_the_picture() -> None:
    marks = np.array([[130, 120], [190, 120], [160, 155], [138, 187], [182, 187]], dtype=np.float32)
    picture = np.random.default_rng(0).integers(0, 255, (300, 320, 3), dtype=np.uint8)
    points = FacePoints().locate(picture, DetectedFace((100, 80, 120, 150), marks, 0.9))
    assert points.shape == (68, 2)
    assert np.isfinite(points).all()
