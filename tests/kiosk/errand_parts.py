"""Somebody who has just been identified, and what they do next: real errands, journal and pages, a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from event_parts import KEY

from enrollment.vault import SiteKey, Vault
from hardware.ports import Frame
from hardware.simulation.scene import Scene
from kiosk.checkin import CheckIn, CheckInResult
from kiosk.clock import Clock
from kiosk.config import KioskConfig
from kiosk.documents import DocumentDesk
from kiosk.errands import Errands
from kiosk.face_step import FaceStep
from kiosk.journal import Journal
from kiosk.parcels import ParcelStore
from kiosk.roster import Roster, SitePerson
from kiosk.screen import Chosen, HelpAsked, Request, Screen
from kiosk.verdict import Settled
from kiosk.visit import Visit
from matcher.gallery import Gallery
from models.attendance import AttendanceEvent, CheckInOutcome, Evidence, Method, TimeQuality
from models.biometrics import Template, UInt8Array
from models.errands import USUAL_ERRANDS, DueItem, Errand
from models.errors import DeviceUnplugged
from models.questions import Question
from models.store.engine import open_store
from models.supervision import SitePolicy

NOON = datetime(2026, 5, 4, 4, 0, tzinfo=UTC)  # twelve o'clock at the site
TODAY = date(2026, 5, 4)
EVIDENCE = (Evidence("face", "sface", "sface-1", 0.9, 0.5, True, 0.8, "identify"),)
Tap = tuple[str, Any]  # the step at which somebody does something, and what: a request, or a call that may end in one


def due(errand: Errand, *, since: int = 0, until: int = 3) -> DueItem:
    return DueItem(errand, TODAY + timedelta(days=since), TODAY + timedelta(days=until))


class Steps:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def pass_s(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)

    def clock(self) -> Clock:
        began = self.ns
        return Clock(
            now=lambda: NOON + timedelta(microseconds=(self.ns - began) / 1e3),
            monotonic_ns=lambda: self.ns,
            boot_id="boot",
            time_quality=lambda: TimeQuality.SYNCED,
        )


class TappedScreen(Screen):
    """The kiosk's screen, touched by somebody who follows a script: at each step the next thing on the list."""

    def __init__(self, time: Steps, script: Sequence[Tap], *, every_s: float = 1.0) -> None:
        super().__init__(simulated=True)
        self._time, self._every_s = time, every_s
        self.script = list(script)
        self.seen: list[str] = []
        self.hints: list[str] = []

    def show(self, step: Any, **options: Any) -> None:
        before = self.state().hint
        super().show(step, **options)
        if not self.seen or self.seen[-1] != step:
            self.seen.append(str(step))
        if self.state().hint not in (None, before):
            self.hints.append(str(self.state().hint))

    def next_request(self, timeout_s: float = 0.0) -> Request | None:
        self._time.pass_s(self._every_s if timeout_s > 0 else 0.0)
        if self.script and self.script[0][0] == self.state().step:
            doing = self.script.pop(0)[1]
            if not callable(doing):
                return doing  # type: ignore[no-any-return]
            tapped = doing()
            return tapped if isinstance(tapped, Chosen | HelpAsked) else None
        return None


@dataclass
class SceneFrames:
    """The simulated camera's frames, each a fifteenth of a second after the other.

    With ``late`` every frame shows what stood there when the one before it was handed out, as a camera's do that holds
    one back. While ``silent`` no frame comes.
    """

    scene: Scene
    time: Steps
    broken: bool = False
    late: bool = False
    silent: bool = False
    newest: Frame | None = None
    _held: UInt8Array | None = None

    def read(self, *, after: int, timeout_s: float) -> Frame | None:
        if self.broken:
            self.time.pass_s(1 / 15)
            raise DeviceUnplugged("The camera is gone.")
        if timeout_s == 0.0:
            return self.newest if self.newest is not None and self.newest.sequence > after else None
        if self.silent:
            self.time.pass_s(timeout_s)
            return None
        frame = self._next()
        while frame.sequence <= after:
            frame = self._next()
        return frame

    def _next(self) -> Frame:
        self.time.pass_s(1 / 15)
        sequence = 1 if self.newest is None else self.newest.sequence + 1
        pixels = self.scene.render(sequence=sequence)
        shown = self._held if self.late and self._held is not None else pixels
        self.newest, self._held = Frame(shown, NOON, self.time.ns, sequence), pixels
        return self.newest


@dataclass
class Floor:
    """One visit, from the identification on."""

    folder: Path
    script: Sequence[Tap] = ()
    errands: tuple[Errand, ...] = USUAL_ERRANDS
    questions: tuple[Question, ...] = ()
    due: tuple[DueItem, ...] | None = None
    last_report: datetime | None = None
    policy: SitePolicy = field(default_factory=lambda: SitePolicy(windows=(("00:00", "24:00"),)))
    time: Steps = field(default_factory=Steps)
    told: list[CheckInResult] = field(default_factory=list)
    slips: list[CheckInResult] = field(default_factory=list)
    frames: SceneFrames | None = None
    unrecognised: CheckInResult | None = None  # of the visit before
    checkin: CheckIn | None = None
    stopping: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self.clock = self.time.clock()
        self.store = open_store(f"sqlite:///{self.folder / 'kiosk.sqlite'}", branch="kiosk")
        self.journal = Journal(self.store, key=KEY, kiosk_id="k1", clock=self.clock)
        self.vault = Vault(SiteKey.load_or_create(self.folder / "site.key"))
        self.parcels = ParcelStore(self.store, vault=self.vault, site_id="s1", clock=self.clock)

    def person(self) -> SitePerson:
        return SitePerson("p1", "1001", "明", True, (), ("reference",), 0, due=self.due, last_report=self.last_report)  # type: ignore[arg-type]

    def roster(self) -> Roster:
        return Roster(1, self.policy, {"p1": self.person()}, questions=self.questions, errands=self.errands)

    def visit(
        self,
        script: Sequence[Tap] | None = None,
        *,
        engine: Any = None,
        probe: Template | None = None,
        rosters: Any = None,
        every_s: float = 1.0,
    ) -> tuple[TappedScreen, Request | None]:
        """Identify, then everything until the visit is over; the screen with what was shown, and what comes next."""
        screen = TappedScreen(self.time, self.script if script is None else script, every_s=every_s)
        face = None
        if self.frames is not None:
            config = KioskConfig()
            face = FaceStep(
                engine, Gallery(face_engine=engine), self.frames, config.face, config.visit,
                make_check=lambda before: None, simulated=lambda: True,  # type: ignore[arg-type,return-value]
            )  # fmt: skip

        class Rosters:
            current = self.roster()

        rosters = rosters or Rosters()
        checkin = self.checkin = CheckIn(face, None, rosters, self.journal, screen, self.clock)
        checkin.unrecognised = self.unrecognised
        visit = Visit(rosters.current, None, 3, screen, self.clock, stopping=self.stopping)
        documents = DocumentDesk(screen, self.parcels)
        errands = Errands(checkin, KioskConfig(), self.told.append, lambda: None, documents, self.slips.append)
        settled = Settled(CheckInOutcome.ACCEPTED, "p1", Method.FACE)
        result = checkin.end(visit, settled, EVIDENCE)
        visit.probe = probe
        if result is not None:
            self.told.append(result)
        return screen, errands.serve(visit, result)

    def events(self) -> list[AttendanceEvent]:
        """Every event in the journal, verified."""
        self.journal.verify()
        return [signed.event for signed in self.journal.pending(100)]
