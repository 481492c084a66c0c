"""Whose tap it is, face by face: an engine that says what it is told, so that every look can be chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from errand_parts import NOON, Steps

from hardware.ports import Frame
from kiosk import staying
from kiosk.config import VisitConfig
from kiosk.screen import Screen
from kiosk.staying import PersonGone, Staying, Why
from kiosk.visit import Visit
from matcher.ports import DetectedFace
from models.biometrics import Template, TemplateFormat
from models.errors import DeviceUnplugged

PIXELS = np.zeros((100, 100, 3), np.uint8)


@dataclass
class Look:
    """What the camera sees: one face at ``left``, which agrees with the probe or not; ``hint``: it is not good."""

    time: Steps
    left: float | None = 20.0
    agrees: bool = True
    hint: str | None = None
    broken: bool = False
    sequence: int = 0
    format: TemplateFormat = field(default=TemplateFormat("sface", 1))

    def read(self, *, after: int, timeout_s: float) -> Frame:
        self.time.pass_s(0.1)
        if self.broken:
            raise DeviceUnplugged("The camera is gone.")
        self.sequence += 1
        return Frame(PIXELS, NOON, self.time.ns, self.sequence)

    def detect(self, pixels: Any) -> list[DetectedFace]:
        if self.left is None:
            return []
        return [DetectedFace((self.left, 20.0, 40.0, 40.0), np.zeros((5, 2), np.float32), 1.0)]

    def extract(self, pixels: Any, face: DetectedFace) -> Template:
        return Template(self.format, b"")

    def compare(self, probe: Template, reference: Template) -> float:
        return 1.0 if self.agrees else -1.0


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Staying, Look]]:
    """Somebody who was just identified, by a face if ``probe``, by a finger alone otherwise."""

    def begun(*, probe: bool, **seen: Any) -> tuple[Staying, Look]:
        time = Steps()
        look = Look(time, **seen)
        monkeypatch.setattr(
            staying, "face_quality", lambda pixels, face: SimpleNamespace(hints=(look.hint,) if look.hint else ())
        )
        visit = Visit(None, None, 3, Screen(), time.clock())  # type: ignore[arg-type]
        here = Staying(
            visit, VisitConfig(), engine=look, read=look.read, near_width_share=0.1,  # type: ignore[arg-type]
            probe=Template(look.format, b"") if probe else None,
        )  # fmt: skip
        return here, look

    return begun


def test_whoever_laid_a_finger_may_tap_although_it_is_too_dark_for_the_face(begin: Any) -> None:
    """The finger was enough to be identified by; a face that never gets good enough does not lock its owner out."""
    here, look = begin(probe=False, hint="too_dark")
    for _ in range(20):
        look.time.pass_s(0.8)
        assert here.confirmed()


def test_nobody_takes_the_place_of_whoever_laid_a_finger_in_the_dark(begin: Any) -> None:
    """No template could be made of the owner: then another head, or one that comes back, ends the visit."""
    for change in ({"left": 70.0}, {"left": None}):
        here, look = begin(probe=False, hint="too_dark")
        while look.time.ns < 8e9:
            here.look()
        look.left = change["left"]
        with pytest.raises(PersonGone) as gone:
            for _ in range(100):
                here.look()
                if look.left is None and look.time.ns > 11e9:
                    look.left, look.hint = 20.0, None
        assert gone.value.why is Why.OTHER_PERSON


def test_looking_down_at_the_screen_for_a_moment_ends_no_visit(begin: Any) -> None:
    """Two looks that do not agree are a tenth of a second; no tap counts in it, and the person is not sent away."""
    here, look = begin(probe=True)
    assert here.confirmed()
    look.agrees = False
    here._agreed_s = None
    for _ in range(4):
        here.look()
    assert not here._sure
    look.agrees = True
    assert here.confirmed()


def test_somebody_else_is_sent_away_within_two_seconds_and_never_counts(begin: Any) -> None:
    here, look = begin(probe=True)
    assert here.confirmed()
    look.agrees, began_ns = False, look.time.ns
    with pytest.raises(PersonGone) as gone:
        for _ in range(5):
            assert not here.confirmed()
    assert gone.value.why is Why.OTHER_PERSON
    assert (look.time.ns - began_ns) / 1e9 < 2


def test_a_tap_of_nobody_counts_for_nobody(begin: Any) -> None:
    """The person was there a moment ago; whoever taps now stands beside the picture."""
    here, look = begin(probe=True)
    assert here.confirmed()
    look.left = None
    assert not here.confirmed()


def test_who_turns_the_head_away_may_tap_unless_it_was_out_of_sight(begin: Any) -> None:
    """The same head, followed from look to look, is the same person's; after a gap it must agree anew."""
    here, look = begin(probe=True)
    assert here.confirmed()
    look.agrees, look.hint = False, "turned_away"
    assert here.confirmed()
    look.time.pass_s(0.6)
    assert not here.confirmed()


def test_after_the_camera_failed_whoever_stands_there_must_agree_and_an_empty_place_is_empty(begin: Any) -> None:
    """While it is broken nobody is sent away for it; but it may come back to somebody else, or to nobody."""
    here, look = begin(probe=True)
    assert here.confirmed()
    look.broken = True
    assert here.confirmed()
    look.broken, look.agrees, look.hint = False, False, "turned_away"
    assert not here.confirmed()
    look.left = None
    assert not here.confirmed()
    with pytest.raises(PersonGone) as gone:
        for _ in range(100):
            here.look()
            here.check_gone()
    assert gone.value.why is Why.AWAY
