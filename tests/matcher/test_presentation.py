"""The presentation check: heads pass, sheets of paper never do, and whatever is unclear stays undecided."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest

from matcher import weights
from matcher.face_points import FacePoints
from matcher.frame_freshness import FrameFreshness
from matcher.head_turn import HeadTurn, TurnHint
from matcher.parallax import Points, asymmetry, measure
from matcher.ports import DetectedFace
from matcher.presentation import HeadTurnChallenge, NotAvailable, PresentationCheck, PresentationChecks
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import Float32Array, Float64Array
from models.errors import WeightsError

FACE = DetectedFace((100, 100, 80, 100), np.zeros((5, 2), np.float32), 0.9)
FRAME_S = 1 / 15


@dataclass(frozen=True)
class Skull:
    """A hand-made head of 68 + 5 points in eye distances, x right, y down, z to the camera; ``depth`` 0 flattens it."""

    depth: float = 1.0
    noise: float = 0.004
    seed: int = 0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    def points(self) -> tuple[Float64Array, Float64Array]:
        many = np.zeros((68, 3))
        angles = np.linspace(0, np.pi, 17)
        many[0:17] = np.column_stack([-1.15 * np.cos(angles), 1.9 * np.sin(angles) + 0.1, -1.1 + 0.9 * np.sin(angles)])
        many[17:27] = np.column_stack([np.linspace(-0.9, 0.9, 10), np.full(10, -0.35), np.full(10, 0.05)])
        many[27:31] = np.column_stack([np.zeros(4), np.linspace(0.05, 0.62, 4), np.linspace(0.1, 0.43, 4)])
        many[31:36] = np.column_stack([np.linspace(-0.22, 0.22, 5), np.full(5, 0.72), [0.15, 0.25, 0.3, 0.25, 0.15]])
        for start, middle in ((36, -0.5), (42, 0.5)):
            turn = np.linspace(np.pi, -np.pi, 7)[:6]
            many[start : start + 6] = np.column_stack([middle + 0.22 * np.cos(turn), 0.08 * np.sin(turn), np.zeros(6)])
        turn = np.linspace(np.pi, -np.pi, 21)[:20]
        many[48:68] = np.column_stack([0.42 * np.cos(turn), 1.1 + 0.15 * np.sin(turn), np.full(20, 0.03)])
        many[54] = [0.42, 1.1, 0.03]
        five = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.62, 0.43], [-0.42, 1.1, 0.03], [0.42, 1.1, 0.03]])
        return many * [1, 1, self.depth], five * [1, 1, self.depth]

    def seen(self, *, yaw_deg: float = 0.0, pitch_deg: float = 0.0, x: float = 0.0, away: float = 9.5) -> Points:
        """Perspective projection at ``away`` eye distances (0.6 m), focal length 560 pixels."""
        yaw, pitch = np.deg2rad([yaw_deg, pitch_deg])
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])

        def project(points: Float64Array) -> Float32Array:
            placed = points @ (nod @ turn).T
            shaken = placed[:, :2] + [x, 0.0] + self.rng.normal(0, self.noise, (len(points), 2))
            return np.asarray(320 + 560 * shaken / (away - placed[:, 2:]), dtype=np.float32)

        many, five = self.points()
        return Points(project(five), project(many))


def turned(
    skull: Skull, kind: str, *, reaches_deg: float, starts_s: float = 0.6, hold_s: float = 0.6
) -> PresentationEvidence:
    """The verdict on a figure that stands, turns within half a second and holds; yaw above 0 is its own left."""
    witness = HeadTurn(kind, points=None)  # type: ignore[arg-type]  # points are handed in
    feed(witness, skull, reaches_deg=reaches_deg, starts_s=starts_s, hold_s=hold_s)
    return witness.verdict()


def feed(witness: HeadTurn, skull: Skull, *, reaches_deg: float, starts_s: float = 0.6, hold_s: float = 0.6) -> None:
    for number in range(int((starts_s + 0.5 + hold_s) / FRAME_S)):
        t_s = number * FRAME_S
        share = float(np.clip((t_s - starts_s) / 0.5, 0, 1))
        witness.observe_points(skull.seen(yaw_deg=reaches_deg * share * share * (3 - 2 * share)), t_s)


def test_a_head_that_turns_as_asked_passes() -> None:
    assert turned(Skull(), "turn_left", reaches_deg=28).verdict is WitnessVerdict.PASSED
    assert turned(Skull(), "turn_right", reaches_deg=-28).verdict is WitnessVerdict.PASSED


@pytest.mark.parametrize("reaches_deg", [-45, -32, 32, 45])
@pytest.mark.parametrize("kind", ["turn_left", "turn_right"])
def test_a_sheet_that_turns_fails_as_a_plane(kind: str, reaches_deg: float) -> None:
    assert turned(Skull(depth=0.0), kind, reaches_deg=reaches_deg).verdict is WitnessVerdict.FAILED


@pytest.mark.parametrize("reaches_deg", [-20, -8, 0, 8, 20])
def test_a_sheet_that_hardly_turns_stays_undecided(reaches_deg: float) -> None:
    assert turned(Skull(depth=0.0), "turn_left", reaches_deg=reaches_deg).verdict is WitnessVerdict.UNDECIDED


def test_a_sheet_pushed_aside_brought_near_and_sheared_never_passes() -> None:
    rng = np.random.default_rng(1)
    for run in range(40):
        skull, witness = Skull(depth=0.0, noise=0.008), HeadTurn("turn_left", points=None)  # type: ignore[arg-type]
        aim = rng.uniform([-2.5, -20, -30, 6.5], [2.5, 20, 30, 13])
        for number in range(30):
            share = min(1.0, max(0.0, (number - 6) / 10))
            x, pitch, yaw, away = np.array([0, 0, 0, 9.5]) * (1 - share) + aim * share
            witness.observe_points(skull.seen(yaw_deg=yaw, pitch_deg=pitch, x=x, away=away), number * FRAME_S)
        assert witness.verdict().verdict is not WitnessVerdict.PASSED, run


def test_a_head_that_does_nothing_or_nods_is_undecided_and_gets_a_hint() -> None:
    witness = HeadTurn("turn_left", points=None)  # type: ignore[arg-type]
    for number in range(40):
        witness.observe_points(Skull().seen(pitch_deg=12 * np.sin(number / 5)), number * FRAME_S)
    assert witness.verdict().verdict is WitnessVerdict.UNDECIDED
    assert witness.hint() is TurnHint.TURN_MORE


def test_a_head_that_turns_the_other_way_spends_the_challenge_even_if_it_turns_back() -> None:
    witness = HeadTurn("turn_left", points=None)  # type: ignore[arg-type]
    feed(witness, Skull(), reaches_deg=-30)
    assert witness.spent
    for number in range(40):
        witness.observe_points(Skull().seen(yaw_deg=28 * min(1, number / 10)), 3 + number * FRAME_S)
    assert witness.verdict().verdict is WitnessVerdict.UNDECIDED
    assert witness.hint() is TurnHint.TRY_AGAIN


def test_a_head_already_turned_when_the_challenge_is_drawn_does_not_pass() -> None:
    witness = HeadTurn("turn_left", points=None)  # type: ignore[arg-type]
    for number in range(30):
        witness.observe_points(Skull().seen(yaw_deg=35), number * FRAME_S)
    assert witness.verdict().verdict is WitnessVerdict.UNDECIDED


def test_a_turn_faster_than_anybody_can_obey_spends_the_challenge() -> None:
    witness = HeadTurn("turn_left", points=None)  # type: ignore[arg-type]
    for number in range(30):
        witness.observe_points(Skull().seen(yaw_deg=min(30, 5 * max(0, number - 2))), number * 0.02)
    assert witness.spent
    assert witness.verdict().verdict is WitnessVerdict.UNDECIDED


def test_a_cut_to_a_turned_head_does_not_pass() -> None:
    """A swap of the sheet for another face is a jump, and a jump begins the check again."""
    witness = HeadTurn("turn_left", points=None)  # type: ignore[arg-type]
    for number in range(40):
        witness.observe_points(Skull().seen(yaw_deg=0 if number < 10 else 34), number * FRAME_S)
    assert witness.verdict().verdict is WitnessVerdict.UNDECIDED


def test_a_turn_that_only_one_detector_sees_does_not_pass() -> None:
    """On a photograph of a half-turned face the 68 points may slip along the nose; the detector's five do not."""
    witness, solid, flat = HeadTurn("turn_left", points=None), Skull(), Skull(depth=0.35)  # type: ignore[arg-type]
    for number in range(40):
        yaw_deg = 32 * float(np.clip((number - 9) / 8, 0, 1))
        seen = Points(flat.seen(yaw_deg=yaw_deg).five, solid.seen(yaw_deg=yaw_deg).many)
        witness.observe_points(seen, number * FRAME_S)
    assert witness.verdict().verdict is not WitnessVerdict.PASSED


def test_a_mirror_picture_swaps_left_and_right() -> None:
    witness = HeadTurn("turn_left", points=None, mirrored=True)  # type: ignore[arg-type]
    feed(witness, Skull(), reaches_deg=-28)
    assert witness.verdict().verdict is WitnessVerdict.PASSED


def test_time_that_runs_out_spends_the_challenge() -> None:
    class Still:
        def locate(self, pixels: np.ndarray, face: DetectedFace) -> Float32Array:
            return Skull().seen().many

    witness = HeadTurn("turn_left", points=Still())  # type: ignore[arg-type]
    for second in range(14):
        witness.observe(np.zeros((4, 4, 3), np.uint8), FACE, float(second))
    assert witness.spent


def test_the_nose_runs_ahead_by_its_height_times_the_sine_of_the_turn() -> None:
    skull = Skull(noise=0.0)
    moved = measure(skull.seen(), skull.seen(yaw_deg=25))
    assert moved.nose_again[0] == pytest.approx(0.43 * np.sin(np.deg2rad(25)), abs=0.06)
    assert moved.jaw[0] < -0.1
    assert asymmetry(skull.seen()) == pytest.approx(0.0, abs=0.01)


def test_a_turned_plane_leaves_no_parallax() -> None:
    flat = Skull(depth=0.0, noise=0.0)
    moved = measure(flat.seen(), flat.seen(yaw_deg=35))
    assert abs(moved.nose[0]) < 0.03
    assert abs(moved.nose_again[0]) < 0.03
    assert moved.narrowing < 0.88


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
    check = PresentationCheck(HeadTurnChallenge("turn_left"), witnesses, frozenset(required))
    assert check.verdict() is expected


def test_a_witness_that_breaks_never_passes_and_spends_the_challenge() -> None:
    check = PresentationCheck(
        HeadTurnChallenge("turn_left"), [Says("a", P), Says("b", P, breaks=True)], frozenset({"a", "b"})
    )
    check.observe(np.zeros((4, 4, 3), np.uint8), FACE, 0.0)
    assert check.verdict() is U
    assert check.spent()
    assert dict(check.evidence()[1].measures) == {"broken": 1.0}


def test_both_directions_are_drawn() -> None:
    rng = Random(0)
    assert {HeadTurnChallenge.draw(rng).kind for _ in range(20)} == {"turn_left", "turn_right"}
    assert HeadTurnChallenge.draw().kind in {"turn_left", "turn_right"}


def test_without_its_weights_the_head_turn_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise WeightsError(f"The weights {name} are missing.")

    monkeypatch.setattr(weights, "path", missing)
    check = PresentationChecks(rng=Random(0)).draw()
    assert isinstance(check.witnesses[0], NotAvailable)
    assert check.verdict() is WitnessVerdict.NOT_AVAILABLE


def test_the_shape_predictor_answers_with_68_points_in_the_picture() -> None:
    marks = np.array([[130, 120], [190, 120], [160, 155], [138, 187], [182, 187]], dtype=np.float32)
    picture = np.random.default_rng(0).integers(0, 255, (300, 320, 3), dtype=np.uint8)
    points = FacePoints().locate(picture, DetectedFace((100, 80, 120, 150), marks, 0.9))
    assert points.shape == (68, 2)
    assert np.isfinite(points).all()
