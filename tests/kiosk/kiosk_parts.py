"""A whole kiosk with simulated devices, the visitors before it, and engines that need not extract a picture twice."""

from __future__ import annotations

import functools
import hashlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from center_parts import wait_until

from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.scene import Scene, Visitor
from hardware.simulation.zfm_emulator import ZfmEmulator
from kiosk.app import Kiosk
from kiosk.checkin import CheckInResult
from kiosk.keys import Pairing
from kiosk.roster import RosterStore
from models.biometrics import FingerPosition, Template, UInt8Array


class RememberingFingers:
    """The real finger engine, which extracts a picture once: the kiosk and the simulated chip see the same ones."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._known: dict[str, Template] = {}
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def extract(self, pixels: UInt8Array, *, dpi: int = 500) -> Template:
        key = hashlib.sha256(pixels.tobytes() + f"{pixels.shape}{dpi}".encode()).hexdigest()
        with self._lock:
            if key not in self._known:
                self._known[key] = self._engine.extract(pixels, dpi=dpi)
            return self._known[key]


@dataclass(eq=False)
class Cast:
    """Visitors and their references."""

    visitors: dict[str, Visitor]
    faces: dict[str, tuple[Template, ...]]
    engine: Any

    def __getitem__(self, label: str) -> Visitor:
        return self.visitors[label]

    @functools.cache  # noqa: B019 - one object a session
    def impressions(self, label: str, finger: str) -> tuple[Template, ...]:
        """Three enrolled impressions."""
        simulated = self.visitors[label].finger(finger)
        return tuple(self.engine.extract(simulated.impression(number), dpi=500) for number in (100, 101, 102))

    def fingers(self, label: str, finger: str = "right_index") -> list[tuple[FingerPosition, Template]]:
        return [(FingerPosition[finger.upper()], template) for template in self.impressions(label, finger)]

    def sensor_fingers(self, label: str, finger: str = "right_index") -> list[tuple[FingerPosition, bytes]]:
        combined = self.engine.combine(self.impressions(label, finger))
        return [(FingerPosition[finger.upper()], self.engine.to_characteristics(combined))]


class RunningKiosk:
    """A whole kiosk, as ``muster kiosk run`` makes it, with a scene before its devices."""

    def __init__(
        self, kiosk: Kiosk, scene: Scene, camera: SimulatedCamera, chip: ZfmEmulator, pairing: Pairing
    ) -> None:
        self.kiosk, self.scene, self.camera, self.chip, self.pairing = kiosk, scene, camera, chip, pairing
        self.results: queue.Queue[CheckInResult] = queue.Queue()
        self.exit_code: int | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.exit_code = self.kiosk.run()

    @property
    def state(self) -> Any:
        return self.kiosk.screen.state()

    def wait_step(self, *steps: str, timeout_s: float = 15.0) -> Any:
        return wait_until(lambda: self.state if self.state.step in steps else None, timeout_s)

    def result(self, timeout_s: float = 30.0) -> CheckInResult:
        return self.results.get(timeout=timeout_s)

    @property
    def roster(self) -> RosterStore:
        assert self.kiosk.roster is not None
        return self.kiosk.roster

    def wait_gallery(self, people: int = 1) -> None:
        wait_until(lambda: len(self.roster.current.people) >= people)

    def wait_room(self, timeout_s: float = 60.0) -> None:
        """Until nobody was seen for long enough to know the room."""
        wait_until(lambda: self.kiosk.station is not None and self.kiosk.station.room_known, timeout_s)

    def delivered(self) -> None:
        wait_until(lambda: self.kiosk.journal is not None and self.kiosk.journal.counts().pending == 0)


StartKiosk = Callable[..., RunningKiosk]
