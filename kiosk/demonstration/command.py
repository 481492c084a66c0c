"""``muster demo``: a center and a kiosk in one process, simulated devices, visitors who come and go.

Owns the order of the evening and the summary. Refuses to hide anything: the exit code is 0 only if every visit ended as
expected and every event is verified in the ledger.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import structlog
from rich.console import Console
from rich.table import Table

from hardware.drivers import make_camera
from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.scene import Scene
from hardware.simulation.zfm_emulator import ZfmEmulator
from kiosk.app import Kiosk
from kiosk.checkin import CheckInResult
from kiosk.config import CameraConfig, CenterConfig, KioskConfig, PanelConfig, SensorConfig, StationConfig, VisitConfig
from kiosk.demonstration.actor import Actor
from kiosk.demonstration.cast import POSITIONS, EnrollmentDesk, Fingers, make_visitors
from kiosk.demonstration.center import DemoCenter, free_port
from kiosk.demonstration.visits import PEOPLE, VISITS, PlannedVisit
from models.errors import ConfigurationError, MusterError
from models.supervision import SitePolicy
from models.verdict import VerificationReport
from web.panel.facade import CenterLink, PanelStep

USUAL_PANEL_PORT = 8480
_PAIRING_LIMIT_S, _POLICY_LIMIT_S, _DELIVERY_LIMIT_S = 60.0, 30.0, 60.0
_BETWEEN_ROUNDS_S = 5.0
# A module extracts in half a second; the simulated one shares its processors with everything else on this machine.
_SENSOR_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class VisitReport:
    """How a visit went; ``expected`` and ``outcome`` are CheckInOutcome values."""

    name: str
    expected: str
    outcome: str
    method: str
    seconds: float

    def as_expected(self, planned: PlannedVisit) -> bool:
        """Whether outcome and method are planned ones."""
        return self.outcome in (self.expected, planned.or_else) and self.method == planned.method.value


@click.command()
@click.option("--once", is_flag=True, help="Run the script once, print a summary, end.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the summary here.")
@click.option("--camera", "device", type=click.IntRange(0, 63), help="Use this real webcam; no scripted visitors.")
def demo(once: bool, json_file: Path | None, device: int | None) -> None:
    """A center and a kiosk with simulated hardware and scripted visitors."""
    if device is not None and (once or json_file):
        raise click.UsageError("The script needs the simulated camera: leave out --camera, or --once and --json.")
    if json_file is not None:
        _write(json_file, "")  # told now, and not after the last visit
    if device is not None:
        _look_for(device)
    _quiet_logs()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="muster-demo-") as folder, ExitStack() as closing:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: nothing stays behind
        closing.callback(signal.signal, signal.SIGTERM, before)
        try:
            stage = Stage(Path(folder), console, closing, device=device, once=once)
            code = stage.with_webcam() if device is not None else stage.play(once=once, json_file=json_file)
        except KeyboardInterrupt:
            console.print("Stopping ...")
            code = 0
    raise SystemExit(code)


class Stage:
    """Center, kiosk, devices and visitors of one demonstration; everything is closed by ``closing``."""

    def __init__(self, folder: Path, console: Console, closing: ExitStack, *, device: int | None, once: bool) -> None:
        self._console, self._closing, self._folder = console, closing, folder
        self._results: list[CheckInResult] = []
        # One run is a script and moves alike each time; an endless one shows how visitors differ.
        self.scene = Scene(seed=1 if once else int.from_bytes(os.urandom(4), "big"))
        self._say("Loading the engines ...")
        # Engines are not safe across threads: the desk's here, the simulated sensor's, and the kiosk loads its own.
        self._load = click.get_current_context().obj.load_engine
        self._face_engine, self._finger_engine = self._load("sface"), self._load("minutiae")
        self.emulator = closing.enter_context(ZfmEmulator(self.scene.glass, self._load("minutiae")))
        self._say("Starting the center ...")
        self.center = DemoCenter(folder)
        closing.callback(self.center.close)
        self.center.start()
        self.visitors = make_visitors(self._face_engine)
        self.fingers = Fingers()
        self._enroll()
        self.kiosk = self._start_kiosk(device)
        self._announce(device)

    def play(self, *, once: bool, json_file: Path | None) -> int:
        """Run the script once, or for ever; the exit code."""
        reports, planned = self._round(VISITS)
        verified = self.center.verify()
        good = self._summarise(reports, planned, verified)
        if json_file is not None:
            _write(json_file, _as_json(reports, verified))
        while not once:
            time.sleep(_BETWEEN_ROUNDS_S)
            self._say("Another round on the same day: whoever was accepted is already present.")
            reports, planned = self._round(tuple(_again(visit) for visit in VISITS))
            good = self._summarise(reports, planned, self.center.verify())
        return 0 if good else 1

    def with_webcam(self) -> int:
        """Leave the kiosk to whoever sits before the webcam, until Ctrl-C."""
        self._say("Enroll yourself in the console with your webcam, then step up to the kiosk. Ctrl-C ends.")
        while self._thread.is_alive():
            self._thread.join(0.5)
        return 1

    def _enroll(self) -> None:
        camera = SimulatedCamera(self.scene)
        camera.open()
        sensor = ZfmSensor(self.emulator.port, timeout_s=_SENSOR_LIMIT_S)
        sensor.open()
        desk = EnrollmentDesk(
            self.center, self.scene, camera, sensor, self._face_engine, self._finger_engine, self.visitors, self.fingers
        )
        try:
            with self._console.status("Enrolling ...") as status:
                desk.enroll_all(status.update)
        finally:
            camera.close()
            sensor.close()
        self._say(f"Enrolled {len(PEOPLE)} made-up people through the simulated camera and sensor.")

    def _start_kiosk(self, device: int | None) -> Kiosk:
        camera: Any = SimulatedCamera(self.scene) if device is None else make_camera("opencv", device=device)
        sensor = ZfmSensor(self.emulator.port, timeout_s=_SENSOR_LIMIT_S)
        kiosk = Kiosk(
            _configuration(self._folder, self.center.url), camera=camera, sensor=sensor, on_result=self._results.append
        )
        self._thread = threading.Thread(target=kiosk.run, name="kiosk", daemon=True)
        self._thread.start()
        self._closing.callback(self._thread.join, 10.0)
        self._closing.callback(kiosk.stop)
        code = self._wait(lambda: kiosk.screen.state().pairing_code, _PAIRING_LIMIT_S, "show its pairing code")
        self._say(f"The kiosk shows {code}; an admin types it into the console. (Done here by the demonstration.)")
        self.center.approve(str(code))
        self._wait(
            lambda: kiosk.ready.is_set() and kiosk.screen.state().step == PanelStep.IDLE, _PAIRING_LIMIT_S, "get ready"
        )
        if device is None:  # who sits before a webcam has to lean aside once, for two seconds
            known = lambda: kiosk.station is not None and kiosk.station.room_known  # noqa: E731
            self._wait(known, _PAIRING_LIMIT_S, "see its empty room")
        return kiosk

    def _announce(self, device: int | None) -> None:
        camera = "SIMULATED camera" if device is None else f"webcam {device}"
        self._console.print()
        self._console.print(f"  Center console  {self.center.url}")
        self._console.print(f"    sign in as    admin, one-time password {self.center.password}", soft_wrap=True)
        self._console.print(f"  Kiosk screen    {self.kiosk.panel_url}")
        self._console.print(f"  Devices         {camera}, SIMULATED fingerprint sensor at {self.emulator.port}")
        self._console.print()

    def _round(self, visits: tuple[PlannedVisit, ...]) -> tuple[list[VisitReport], tuple[PlannedVisit, ...]]:
        reports: list[VisitReport] = []
        down = False
        for number, visit in enumerate(visits, start=1):
            if visit.center_down and not down:
                self._say("The line to the center is cut.")
                self.center.stop()
                self._wait(lambda: self._link() is CenterLink.UNREACHABLE, _DELIVERY_LIMIT_S, "notice the cut line")
                down = True
            if not visit.center_down:
                self._use(visit.policy)
            with self._console.status(f"{number}/{len(visits)} {visit.name} ..."):
                reports.append(self._visit(visit))
            mark = "as expected" if reports[-1].as_expected(visit) else f"NOT AS EXPECTED{self._why()}"
            self._say(f"{number}/{len(visits)} {visit.name}: {reports[-1].outcome}, {mark}")
        waiting = self.kiosk.screen.state().pending
        if down:
            self.center.start()
            self._say(f"The line is back; {waiting} records wait at the kiosk.")
        self._delivered()
        return reports, visits

    def _visit(self, visit: PlannedVisit) -> VisitReport:
        before = len(self._results)
        actor = Actor(self.scene, self.kiosk.screen, self.visitors, self._laid())
        played = actor.play(visit)
        result = self._results[before] if len(self._results) > before else None
        outcome = "nothing" if played.result is None else played.result.outcome
        method = result.method.value if result is not None else "none"
        return VisitReport(visit.name, visit.expected.value, outcome, method, round(played.seconds, 2))

    def _why(self) -> str:
        """What the last event itself says about its outcome."""
        note = self._results[-1].note if self._results else None
        return f" ({note})" if note else ""

    def _laid(self) -> dict[str, Any]:
        fingers: dict[str, Any] = {person.number: self.fingers.of(person, POSITIONS[0]) for person in PEOPLE}
        return fingers | {"stranger": self.fingers.stranger()}

    def _use(self, policy: SitePolicy) -> None:
        roster = self.kiosk.roster
        if roster is None:
            raise MusterError("The kiosk is not running.")
        if roster.current.policy.version != policy.version:
            self.center.set_policy(policy)
            self._say(f"The admin sets the policy {policy.version}.")
            self._wait(lambda: roster.current.policy.version == policy.version, _POLICY_LIMIT_S, "fetch the new policy")

    def _link(self) -> str:
        return self.kiosk.screen.state().center

    def _delivered(self) -> None:
        self._wait(
            lambda: self.kiosk.journal is not None and self.kiosk.journal.counts().pending == 0,
            _DELIVERY_LIMIT_S,
            "deliver its records",
        )

    def _wait(self, done: Callable[[], Any], limit_s: float, what: str) -> Any:
        deadline_s = time.monotonic() + limit_s
        while not (answer := done()):
            if time.monotonic() > deadline_s:
                raise MusterError(f"The kiosk did not {what} within {limit_s:g} s.")
            time.sleep(0.05)
        return answer

    def _summarise(
        self, reports: list[VisitReport], planned: tuple[PlannedVisit, ...], verified: VerificationReport
    ) -> bool:
        table = Table("visit", "outcome", "method", "seconds", "")
        for report, plan in zip(reports, planned, strict=True):
            mark = "[green]ok[/]" if report.as_expected(plan) else f"[red]expected {plan.expected}, {plan.method}[/]"
            table.add_row(report.name, report.outcome, report.method, f"{report.seconds:.1f}", mark)
        self._console.print(table)
        standing = "all verified" if verified.ok else f"NOT VERIFIED: {verified.finding}"
        self._console.print(f"Ledger: {verified.size} events, {standing}.")
        return verified.ok and all(report.as_expected(plan) for report, plan in zip(reports, planned, strict=True))

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


def _again(visit: PlannedVisit) -> PlannedVisit:
    return visit if visit.again is None else replace(visit, expected=visit.again)


def _as_json(reports: list[VisitReport], verified: VerificationReport) -> str:
    ledger = {"events": verified.size, "verified": verified.events if verified.ok else 0}
    return json.dumps(
        {"visits": [asdict(report) for report in reports], "ledger": ledger}, ensure_ascii=False, indent=1
    )


def _look_for(device: int) -> None:
    """Say at once that this webcam cannot be used. Raises DeviceError."""
    camera = make_camera("opencv", device=device)
    camera.open()
    camera.close()


def _write(json_file: Path, text: str) -> None:
    try:
        json_file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"The summary cannot be written to {json_file}: {error.strerror}.") from error


def _configuration(folder: Path, center_url: str) -> KioskConfig:
    return KioskConfig(
        kiosk=StationConfig(name="demo kiosk", state_dir=str(folder / "kiosk")),
        center=CenterConfig(
            url=center_url.rstrip("/"),
            gallery_poll_s=0.5,
            retry_first_s=0.2,
            retry_longest_s=1.0,
            pairing_poll_s=0.2,
            timeout_s=10.0,
        ),
        camera=CameraConfig(driver="simulated"),
        sensor=SensorConfig(driver="zfm"),
        visit=VisitConfig(result_s=1.5, leave_timeout_s=5.0),
        panel=PanelConfig(port=free_port(USUAL_PANEL_PORT)),
    )


def _quiet_logs() -> None:
    """Only what goes wrong, so that the visits can be read; MUSTER_LOG=info shows every line."""
    wanted = logging.getLevelNamesMapping().get(os.environ.get("MUSTER_LOG", "error").upper(), logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(wanted))
    logging.getLogger("waitress").setLevel(logging.ERROR)
