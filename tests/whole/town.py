"""A center, enrolled people and a kiosk's process, for measurements of the whole. Owns their start and end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.scene import Scene
from hardware.simulation.zfm_emulator import ZfmEmulator
from kiosk.demonstration.cast import EnrollmentDesk, Fingers, make_visitors
from kiosk.demonstration.center import DemoCenter
from matcher.engines import load_engine
from models.supervision import SitePolicy

ROOT = Path(__file__).parents[2]
_SENSOR_LIMIT_S = 15.0
_START_LIMIT_S = 600.0  # on a machine that others use, too


class KioskProcess:
    """The other end of ``kiosk_process``. ``words`` of its start are kept in ``started``."""

    def __init__(self, folder: Path, center: DemoCenter, *, seed: int) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._errors = (folder / "kiosk.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.whole.kiosk_process", str(folder), center.url, str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment, cwd=ROOT, text=True,
        )  # fmt: skip
        self._lines: Queue[dict[str, Any] | None] = Queue()
        self._telling = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()
        self.started = self.hear(_START_LIMIT_S)
        if "pairing_code" in self.started:
            center.approve(self.started["pairing_code"])
            self.started = self.hear(_START_LIMIT_S)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def tell(self, **words: Any) -> None:
        """One command."""
        assert self._process.stdin is not None
        with self._telling:  # a fault is told while a visit goes on
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()

    def hear(self, limit_s: float) -> dict[str, Any]:
        """The next answer. Raises TimeoutError, and EOFError if the process has ended."""
        try:
            line = self._lines.get(timeout=limit_s)
        except Empty:
            raise TimeoutError(f"the kiosk's process said nothing within {limit_s:g} s") from None
        if line is None:
            raise EOFError("the kiosk's process has ended")
        return line

    def visit(self, number: int, **told: Any) -> dict[str, Any]:
        """One visit from beginning to end."""
        self.tell(do="visit", number=number, **told)
        return self.hear(200.0)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def kill(self) -> None:
        """What a power cut does to a process."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._errors.close()

    def end(self) -> int:
        """Let it end in order; its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(timeout=300)
        self._errors.close()
        return code


class Town:
    """A center with its people enrolled through simulated devices; kiosks are started by ``kiosk``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._closing = ExitStack()
        self.center = DemoCenter(folder)
        self._closing.callback(self.center.close)
        self.center.start()

    def enroll(self, seed: int = 1) -> None:
        """Everybody of the cast."""
        scene = Scene(seed=seed)
        engine = load_engine("sface")
        with ZfmEmulator(scene.glass, load_engine("minutiae")) as emulator:
            camera, sensor = SimulatedCamera(scene), ZfmSensor(emulator.port, timeout_s=_SENSOR_LIMIT_S)
            camera.open()
            sensor.open()
            desk = EnrollmentDesk(
                self.center, scene, camera, sensor, engine, load_engine("minutiae"), make_visitors(engine), Fingers()
            )
            desk.enroll_all(lambda told: None)
            camera.close()
            sensor.close()

    def obey(self, policy: SitePolicy) -> None:
        """Give the site this policy."""
        self.center.set_policy(policy)

    def kiosk(self, *, seed: int, place: str = "") -> KioskProcess:
        """Start the kiosk at a place, which has a folder of its own; the first time it is paired."""
        folder = self.folder / place
        folder.mkdir(exist_ok=True)
        return KioskProcess(folder, self.center, seed=seed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()


def quantile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the sorted values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def parts_of(results: list[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The kiosk's own timings, by part."""
    parts: dict[str, list[float]] = {}
    for result in results:
        for name, value in result["timings_ms"].items():
            parts.setdefault(name, []).append(value)
    return parts
