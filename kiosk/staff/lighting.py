"""Calibrating the light before the camera, with the live picture. Owns the page; the advice is ``kiosk.staff.light``'s.

Stored is what was measured, as an event: how the site was lit when somebody last looked. Pictures are looked at and let
go.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

from hardware.ports import ExposureControl
from kiosk.staff.light import LightAdvice, LightMeasures, advise, measure_light
from kiosk.staff.parts import DeskParts
from kiosk.staff.records import Acts, StaffAct
from kiosk.staff.sign_in import SignedIn
from kiosk.staff.talk import Talk

_LOOKS = 5  # whose middle is shown, so that one frame does not make the advice jump


@dataclass(slots=True)
class Eye:
    """Measures the newest frames, one at a time."""

    talk: Talk
    exposure: ExposureControl | None
    lately: deque[LightMeasures] = field(default_factory=lambda: deque(maxlen=_LOOKS))

    def look(self) -> dict[str, Any]:
        """The view of this moment."""
        seen = self.talk.tools.glance()
        if seen is not None and seen.face is None:
            self.lately.clear()
        elif seen is not None and seen.face is not None:
            self.lately.append(measure_light(seen.frame.pixels, seen.face.box))
        return self.view()

    def view(self) -> dict[str, Any]:
        """What is shown: the advice, and bars of the measures."""
        measures = self.measures
        bars = [] if measures is None else _bars(measures)
        return {"advice": self.advice.value, "bars": bars}

    @property
    def measures(self) -> LightMeasures | None:
        """The middle of the last few looks; None without a face."""
        if not self.lately:
            return None
        names = LightMeasures.__slots__
        return LightMeasures(**{name: median_low(getattr(item, name) for item in self.lately) for name in names})

    @property
    def advice(self) -> LightAdvice:
        """The one thing to change."""
        return advise(self.measures, exposure=self.exposure is not None)


def calibrate_light(parts: DeskParts, talk: Talk, signed_in: SignedIn) -> None:
    """The page, until the staff member goes back. Raises Back, Over, StoreError, DeviceError."""
    exposure = parts.exposure if parts.exposure is not None and parts.exposure.exposure() is not None else None
    eye, stored = Eye(talk, exposure), False
    codes = ["darker", "brighter", "store"] if exposure is not None else ["store"]
    while True:
        code = talk.pick("light", codes, refresh=eye.look, preview=True, stored=stored, **eye.view())
        measures = eye.measures
        stored = code == "store" and measures is not None
        if code != "store" and exposure is not None:
            exposure.set_exposure(_stepped(exposure.exposure() or 0, up=code == "brighter"))
            Acts(talk.tools).record(StaffAct.EXPOSURE, staff_id=signed_in.staff_id, exposure=exposure.exposure())
            eye.lately.clear()
        elif measures is not None:
            _store(talk, signed_in, measures, eye, exposure)


def _store(
    talk: Talk, signed_in: SignedIn, measures: LightMeasures, eye: Eye, exposure: ExposureControl | None
) -> None:
    Acts(talk.tools).record(
        StaffAct.LIGHT,
        staff_id=signed_in.staff_id,
        advice=eye.advice.value,
        face=measures.face,
        contrast=measures.contrast,
        background=measures.background,
        backlight=measures.backlight,
        sides=measures.sides,
        overexposed=measures.overexposed,
        exposure=None if exposure is None else exposure.exposure(),
    )


def _stepped(exposure: int, *, up: bool) -> int:
    """One visible step: a quarter of a long exposure, one of a short one or of a driver that counts in powers."""
    step = max(1, round(exposure / 4)) if exposure > 0 else 1
    return exposure + step if up else exposure - step


def _bars(measures: LightMeasures) -> list[dict[str, Any]]:
    """Percent of the scale each, for the page."""
    return [
        {"name": "face", "value": round(measures.face / 2.55)},
        {"name": "background", "value": round(measures.background / 2.55)},
        {"name": "contrast", "value": min(100, round(measures.contrast / 0.8))},
    ]
