"""Whose template is compared: only that of the head that passed the presentation check, followed all the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from kiosk_parts import Cast

from hardware.ports import Frame
from hardware.simulation.scene import Scene
from kiosk.clock import Clock
from kiosk.config import FaceConfig, VisitConfig
from kiosk.face_step import SAME_HEAD, FaceStep
from kiosk.looking import Head, Look
from kiosk.roster import Roster, SitePerson
from kiosk.screen import Screen
from kiosk.verdict import Finding, Found
from kiosk.visit import Visit
from matcher.empty_room import EmptyRoom
from matcher.gallery import Gallery
from matcher.ports import DetectedFace
from matcher.presentation import PresentationCheck, TriesBefore
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import Modality, Reference, UInt8Array
from models.errors import DeviceTimeout
from models.supervision import SitePolicy
from web.panel.facade import PanelHint, PanelStep

FRAME_S = 0.1


class PassesAfter:
    """A witness that is content with any ``frames`` frames: what these tests are about is whose they are."""

    name = "any_frames"

    def __init__(self, frames: int) -> None:
        self._left = frames

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        self._left -= 1

    def verdict(self) -> PresentationEvidence:
        return PresentationEvidence(self.name, WitnessVerdict.UNDECIDED if self._left > 0 else WitnessVerdict.PASSED)


class Film:
    """Frames in order, one every tenth of a second of a clock of its own; after the last one nothing comes."""

    def __init__(self, pictures: Sequence[UInt8Array | None], *, camera: Any = None) -> None:
        self._pictures, self._camera = pictures, camera
        self.now_ns = 0
        self._next = 0

    def read(self, *, after: int, timeout_s: float) -> Frame | None:
        self.now_ns += int(FRAME_S * 1e9)
        if self._camera is not None:
            raise self._camera
        if self._next >= len(self._pictures):
            return None
        pixels = self._pictures[self._next]
        self._next += 1
        return None if pixels is None else Frame(pixels, datetime.now(UTC), self.now_ns, self._next)


@pytest.fixture(scope="module")
def seen(cast: Cast) -> Callable[[str, int], list[UInt8Array]]:
    """Pictures of one visitor who stands at the kiosk, all at the same place."""

    def pictures(label: str, number: int) -> list[UInt8Array]:
        now = 3.0
        scene = Scene(seed=1, clock=lambda: now)
        scene.show(cast[label], "stand")
        shown = []
        for sequence in range(number):
            now = 5.0 + sequence * FRAME_S
            shown.append(scene.render(sequence=sequence))
        return shown

    return pictures


def reference(person_id: str, template: Any) -> Reference:
    return Reference(str(uuid4()), person_id, Modality.FACE, None, template, 0.9, datetime.now(UTC))


def looked_at(
    cast: Cast, engine: Any, film: Film, *, passes_after: int = 4, tries: int = 1, challenge: bool = True
) -> tuple[Found, Visit]:
    """What one visit before ``film`` comes to; visitors 1 and 2 are enrolled."""
    people = {
        label: SitePerson(label, label, "", True, tuple(reference(label, item) for item in cast.faces[label]), (), 0)
        for label in ("visitor_1", "visitor_2")
    }
    roster = Roster(1, SitePolicy(face_alone=True, challenge_required=challenge), people)
    gallery = Gallery(face_engine=engine)
    gallery.replace(roster.references())
    clock = Clock(monotonic_ns=lambda: film.now_ns)
    visit = Visit(roster, None, 3, Screen(), clock)

    def make_check(before: TriesBefore) -> PresentationCheck:
        witness = PassesAfter(passes_after)
        return PresentationCheck([witness], frozenset({witness.name}))

    timing = VisitConfig(look_timeout_s=3.0, challenge_timeout_s=5.0, absent_after_s=2.0)
    step = FaceStep(engine, gallery, film, FaceConfig(), timing, make_check, simulated=lambda: True)
    return step.run(visit, tries=tries), visit


def same_head(found: Found) -> PresentationEvidence:
    return next(item for item in found.evidence[0].presentation if item.witness == SAME_HEAD)


@pytest.fixture(scope="module")
def engine(engines: dict[str, Any]) -> Any:
    return engines["sface"]


Seen = Callable[[str, int], list[UInt8Array]]


def test_the_head_that_passed_is_the_one_that_is_compared(cast: Cast, engine: Any, seen: Seen) -> None:
    found, _ = looked_at(cast, engine, Film(seen("visitor_1", 9)))
    assert found.matched and found.identification is not None
    assert found.identification.person_id == "visitor_1"
    bond = same_head(found)
    assert bond.verdict is WitnessVerdict.PASSED
    assert bond.measures["agreement"] >= bond.measures["threshold"]


def test_a_photograph_lowered_before_an_own_turn_is_not_compared(cast: Cast, engine: Any, seen: Seen) -> None:
    """Visitor 2's picture is the first good frame; then visitor 3, a stranger, turns the own head at the same place."""
    film = Film(seen("visitor_2", 2) + seen("visitor_3", 12))
    found, _ = looked_at(cast, engine, film)
    assert found.finding is Finding.COMPARED
    assert not found.matched


def test_a_photograph_shown_in_the_first_frames_of_the_check_is_left_out(cast: Cast, engine: Any, seen: Seen) -> None:
    """The swap happens while the head is followed; what does not agree with the turned head takes no part."""
    film = Film(seen("visitor_2", 4) + seen("visitor_3", 12))
    found, _ = looked_at(cast, engine, film)
    assert not found.matched
    assert same_head(found).measures["left_out"] >= 1


def test_a_photograph_raised_after_an_own_turn_is_left_out(cast: Cast, engine: Any, seen: Seen) -> None:
    """Visitor 3 turns the own head, then holds visitor 2's picture before it."""
    film = Film(seen("visitor_3", 3) + seen("visitor_2", 12))
    found, _ = looked_at(cast, engine, film, passes_after=2)
    assert not found.matched
    assert same_head(found).measures["left_out"] >= 1


def test_where_nothing_agrees_with_the_head_that_passed_nothing_is_compared(
    cast: Cast, engine: Any, seen: Seen
) -> None:
    """The turn itself was never good enough for a template, and everything else is somebody else: undecided."""
    turned = seen("visitor_3", 1)
    film = Film(seen("visitor_2", 5) + turned + seen("visitor_2", 30))
    poor = Head.follow

    def follow(head: Head, look: Look) -> bool:
        is_turn = look.frame.pixels is turned[0]
        return poor(head, Look(look.frame, look.face, look.quality, "look_here") if is_turn else look)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Head, "follow", follow)
        found, _ = looked_at(cast, engine, film, passes_after=5)
    assert (found.finding, found.identification) == (Finding.UNDECIDED, None)
    assert same_head(found).verdict is WitnessVerdict.UNDECIDED


def test_a_head_that_jumps_to_another_place_ends_the_check(cast: Cast, engine: Any, seen: Seen) -> None:
    """Somebody else stepped in: the check has no answer, and nobody is compared."""
    here = seen("visitor_1", 12)
    aside = [_moved_aside(picture) for picture in here]
    found, _ = looked_at(cast, engine, Film(here[:3] + aside[3:]), passes_after=6)
    assert (found.finding, found.identification) == (Finding.UNDECIDED, None)


def test_without_a_challenge_the_first_good_frame_is_enough(cast: Cast, engine: Any, seen: Seen) -> None:
    found, _ = looked_at(cast, engine, Film(seen("visitor_2", 1)), challenge=False)
    assert found.matched
    assert found.evidence[0].presentation == ()


def test_a_camera_that_hands_out_no_frame_is_at_fault_and_not_the_person(cast: Cast, engine: Any) -> None:
    """Neither silence nor an error of the device is a failure to acquire."""
    for film in (Film([]), Film([], camera=DeviceTimeout("No frame came."))):
        found, visit = looked_at(cast, engine, film)
        assert found.finding is Finding.BROKEN
        assert visit.tries_left >= 2


def test_whoever_leaves_after_a_failed_try_is_recorded_with_that_try(cast: Cast, engine: Any, seen: Seen) -> None:
    """A stranger was compared once and went away: what was found stays found."""
    empty = [_empty(picture) for picture in seen("visitor_3", 40)]
    found, visit = looked_at(cast, engine, Film(seen("visitor_3", 4) + empty), tries=3, passes_after=2)
    assert found.finding is Finding.COMPARED
    assert not found.matched and found.evidence
    assert visit.tries_left == 2


def _moved_aside(picture: UInt8Array) -> UInt8Array:
    import numpy as np

    return np.roll(picture, picture.shape[1] // 3, axis=1)


def _empty(picture: UInt8Array) -> UInt8Array:
    import numpy as np

    rng = np.random.default_rng(picture[0, 0, 0])
    return rng.integers(100, 110, picture.shape).astype(np.uint8)


def frames_like(faces: Sequence[tuple[float, float]]) -> Iterator[Look]:
    """Looks with a face at an x and a time in seconds."""
    import numpy as np

    for x, at_s in faces:
        face = DetectedFace((x, 100.0, 100.0, 120.0), np.zeros((5, 2), np.float32), 0.9)
        pixels = np.zeros((480, 640, 3), np.uint8)
        yield Look(Frame(pixels, datetime.now(UTC), int(at_s * 1e9), 1), face, None, None)


def test_who_could_not_be_decided_about_gets_time_to_uncover_the_face(cast: Cast, engine: Any, seen: Seen) -> None:
    """Glasses, hats and masks are what most often keeps a check from deciding: before the next try it is said so."""
    film = Film([*seen("visitor_1", 70), *[None] * 20, *seen("visitor_1", 30)])
    hints: list[tuple[str, float]] = []
    shown = Screen.show

    def noted(screen: Screen, step: PanelStep, **more: Any) -> None:
        shown(screen, step, **more)
        hints.append((str(more.get("hint")), film.now_ns / 1e9))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "show", noted)
        found, visit = looked_at(cast, engine, film, passes_after=10_000, tries=2)
    assert found.finding in (Finding.UNDECIDED, Finding.ABSENT)
    asked_s = next(at_s for hint, at_s in hints if hint == PanelHint.UNCOVER_FACE)
    went_on_s = next(at_s for hint, at_s in hints if at_s > asked_s)
    assert went_on_s - asked_s >= VisitConfig().uncover_s
    assert (visit.before.gentle, visit.before.prompted) == (True, True)


def test_nobody_is_asked_to_uncover_where_no_try_with_the_face_follows(cast: Cast, engine: Any, seen: Seen) -> None:
    hints: list[Any] = []
    shown = Screen.show

    def noted(screen: Screen, step: PanelStep, **more: Any) -> None:
        shown(screen, step, **more)
        hints.append(more.get("hint"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "show", noted)
        looked_at(cast, engine, Film(seen("visitor_1", 70)), passes_after=10_000, tries=1)
    assert PanelHint.UNCOVER_FACE not in hints


def test_nothing_is_learned_of_the_room_while_somebody_may_stand_in_it(cast: Cast, engine: Any, seen: Seen) -> None:
    """A hat that is taken off hides the face for a moment: that picture is no empty room."""
    fed: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EmptyRoom, "feed", lambda room, pixels, t_s, **more: fed.append(t_s))
        hidden = [np.full((480, 640, 3), 90, np.uint8)] * 12
        looked_at(
            cast, engine, Film([*seen("visitor_1", 55), *hidden, *seen("visitor_1", 9)]), passes_after=10_000, tries=2
        )
    assert fed == []


def test_a_head_that_was_away_for_long_is_not_followed_further() -> None:
    """What witnesses saw of it must not count for whoever comes back; a moment out of sight is the same head."""
    head = Head(most=3)
    first, elsewhere, again, late = frames_like([(100.0, 0.0), (400.0, 0.5), (100.0, 0.9), (100.0, 2.0)])
    assert head.follow(first)
    assert not head.follow(elsewhere)
    assert head.follow(again)
    assert not head.follow(late)
    assert head.best == (first, again)
