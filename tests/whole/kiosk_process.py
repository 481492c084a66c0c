"""A kiosk in a process of its own, with simulated devices and a simulated person, told what to do line by line.

Owns the devices and the person before them. What stands between is the kiosk as it is deployed: matching, the sensor's
protocol over a pseudo-terminal, the store, the network. Commands come as JSON lines on the standard input and are
answered on the standard output; whoever started it may kill it at any moment, as a power cut would.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import structlog

from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.scene import Scene
from hardware.simulation.zfm_emulator import ZfmEmulator
from kiosk.app import Kiosk
from kiosk.checkin import CheckInResult
from kiosk.config import CameraConfig, CenterConfig, KioskConfig, PanelConfig, SensorConfig, StationConfig, VisitConfig
from kiosk.demonstration.cast import POSITIONS, make_visitors
from kiosk.demonstration.visits import PEOPLE
from matcher.engines import load_engine
from models.errors import RetryReason
from web.panel.facade import PanelState, PanelStep

_AGAIN_S = 4.0  # a prompt that nothing came of is obeyed once more
_LIFTED_S = 0.3
_GIVE_UP_S = 75.0


def resident_mb() -> float:
    """What this process keeps in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(slots=True)
class Told:
    """One visit as the person was told to make it.

    ``walks_away_at``: the step at which they leave; ``leaves_s`` later. ``answers``: what is pressed at a question.
    """

    number: int
    shows: str | None = None
    behaviour: str = "approach"
    claims: str | None = None
    lays: str | None = None
    walks_away_at: str | None = None
    swaps_at: str | None = None
    answers: str = "no"
    errands: list[str] = field(default_factory=list)


class Person:
    """Somebody before the kiosk, who sees the screen's state and touches the screen's facade."""

    def __init__(self, scene: Scene, kiosk: Kiosk, visitors: dict[str, Any]) -> None:
        self._scene, self._kiosk, self._visitors = scene, kiosk, visitors
        self._fingers = {
            person.number: SimulatedFinger(person.finger_seed * 100 + int(POSITIONS[0])) for person in PEOPLE
        }
        self._fingers["stranger"] = SimulatedFinger(990_001)
        self._heard: tuple[Any, ...] = ()
        self._heard_s = 0.0

    def visit(self, told: Told) -> dict[str, Any]:
        """Make the visit; the steps seen with their times, and how it ended."""
        screen = self._kiosk.screen
        self._until_idle()
        self._heard, self._heard_s, errands = (), 0.0, list(told.errands)
        began_s = time.monotonic()
        if told.shows is not None:
            self._scene.show(self._visitors[told.shows], told.behaviour)
        if told.claims is not None:
            screen.claim(told.claims)
        steps: list[tuple[str, float]] = []
        state, begun = screen.state(), False
        while time.monotonic() - began_s < _GIVE_UP_S:
            if not steps or steps[-1][0] != state.step:
                steps.append((str(state.step), time.monotonic() - began_s))
            begun = begun or state.step != PanelStep.IDLE
            over = (begun and state.step in (PanelStep.IDLE, PanelStep.HELP)) or self._unknown(state, told)
            if over or told.walks_away_at == state.step:
                break
            if told.swaps_at == state.step:
                told.swaps_at = None
                self._scene.show(self._visitors["visitor_3"], "stand")
            self._obey(state, told)
            self._press(state, told, errands)
            state = screen.wait(state.version, 0.25)
        ended_s = time.monotonic() - began_s
        self._scene.leave()
        self._until_idle()
        return {"steps": steps, "hint": state.hint, "seconds": round(ended_s, 3)}

    def _obey(self, state: PanelState, told: Told) -> None:
        """Do with head and finger what the screen asks."""
        now_s = time.monotonic()
        if state.step == PanelStep.CHALLENGE and state.challenge is not None:
            said = (state.challenge, state.dot, state.tries_left)
            if said != self._heard or now_s - self._heard_s > _AGAIN_S:
                self._heard, self._heard_s = said, now_s
                self._scene.challenge(state.challenge, dot=state.dot)
        elif state.step == PanelStep.FINGER and told.lays is not None:
            self._touch(state, self._fingers[told.lays])

    def _press(self, state: PanelState, told: Told, errands: list[str]) -> None:
        """Press what the screen offers."""
        screen = self._kiosk.screen
        if state.step == PanelStep.RESULT:
            screen.choose("next")
        elif state.step == PanelStep.QUESTION:
            screen.choose(told.answers)
        elif state.step == PanelStep.MENU:
            screen.choose(errands.pop(0) if errands else "done")

    @staticmethod
    def _unknown(state: PanelState, told: Told) -> bool:
        return state.step == PanelStep.CLAIM and told.claims is not None and state.hint is not None

    def _touch(self, state: PanelState, finger: SimulatedFinger) -> None:
        if state.hint is not None:
            self._scene.lift_finger()
            if state.hint == RetryReason.LIFT_FINGER:
                return
            time.sleep(_LIFTED_S)
        self._scene.lay_finger(finger)

    def _until_idle(self) -> None:
        """Until the last person is out of the picture and the screen waits for the next."""
        deadline_s = time.monotonic() + _GIVE_UP_S
        screen = self._kiosk.screen
        while self._scene.present() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        state = screen.state()
        while state.step not in (PanelStep.IDLE, PanelStep.FAULT) and time.monotonic() < deadline_s:
            if state.step not in (PanelStep.APPROACH, PanelStep.LOOK):
                screen.cancel()
            state = screen.wait(state.version, 0.5)


def configuration(folder: Path, center_url: str) -> KioskConfig:
    """A kiosk that polls often, for a center on this machine."""
    return KioskConfig(
        kiosk=StationConfig(name="simulated kiosk", state_dir=str(folder / "kiosk")),
        center=CenterConfig(
            url=center_url.rstrip("/"), gallery_poll_s=1.0, retry_first_s=0.2, retry_longest_s=1.0,
            pairing_poll_s=0.2, timeout_s=10.0,
        ),
        camera=CameraConfig(driver="simulated"),
        sensor=SensorConfig(driver="zfm"),
        visit=VisitConfig(leave_timeout_s=5.0),
        panel=PanelConfig(port=0),
    )  # fmt: skip


def answer(**words: Any) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Start, say so, then do what the lines say until they end."""
    folder, center_url, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    cv2.setNumThreads(1)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.getLogger("waitress").setLevel(logging.ERROR)
    scene = Scene(seed=seed)
    visitors = make_visitors(load_engine("sface"))
    results: list[CheckInResult] = []
    with ZfmEmulator(scene.glass, load_engine("minutiae")) as emulator:
        for name, act in emulator.faults().items():
            scene.break_with("sensor", name, act)
        kiosk = Kiosk(
            configuration(folder, center_url),
            camera=SimulatedCamera(scene),
            sensor=ZfmSensor(emulator.port, timeout_s=15.0),
            on_result=results.append,
        )
        thread = threading.Thread(target=kiosk.run, name="kiosk", daemon=True)
        began_s = time.monotonic()
        thread.start()
        person = Person(scene, kiosk, visitors)
        _until(lambda: kiosk.ready.is_set() or kiosk.screen.state().pairing_code, "start")
        if not kiosk.ready.is_set():
            answer(pairing_code=kiosk.screen.state().pairing_code)
            _until(kiosk.ready.is_set, "get ready")
        answer(ready=True, panel=kiosk.panel_url, started_s=round(time.monotonic() - began_s, 2), rss_mb=resident_mb())
        for line in sys.stdin:
            told = json.loads(line)
            what = told.pop("do")
            if what == "visit":
                before = len(results)
                seen = person.visit(Told(**told))
                new = results[before:]
                answer(
                    number=told["number"],
                    **seen,
                    results=[{"outcome": r.outcome.value, "note": r.note, "timings_ms": r.timings_ms} for r in new],
                    rss_mb=round(resident_mb(), 2),
                )
                results.clear()
            elif what == "fault":
                scene.fault(told["device"], told["name"])
            elif what == "room":
                _until(lambda: kiosk.station is not None and kiosk.station.room_known, "see its empty room")
                answer(room=True)
            elif what == "pending":
                answer(pending=kiosk.journal.counts().pending if kiosk.journal else None)
        kiosk.stop()
        thread.join(15)


def _until(done: Any, what: str) -> None:
    deadline_s = time.monotonic() + 60
    while not done():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"the kiosk did not {what}")
        time.sleep(0.02)


if __name__ == "__main__":
    main()
