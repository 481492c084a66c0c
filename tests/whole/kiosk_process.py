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
from pathlib import Path
from queue import Queue
from typing import Any

import cv2
import structlog

from hardware.drivers.receipt_printer import EscPosPrinter
from hardware.drivers.sam_v import SamVReader
from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.printer_emulator import SimulatedPrinter
from hardware.simulation.sam_v_emulator import SamVEmulator
from hardware.simulation.scene import Scene
from hardware.simulation.zfm_emulator import ZfmEmulator
from kiosk.app import Kiosk
from kiosk.checkin import CheckInResult
from kiosk.config import CameraConfig, CenterConfig, KioskConfig, PanelConfig, SensorConfig, StationConfig, VisitConfig
from kiosk.demonstration.cast import make_visitors
from matcher.engines import load_engine
from tests.whole.person import Person, Told


class Basket(list[bytes]):
    """Slips that are counted and thrown away: a printer's paper is no part of the kiosk's memory."""

    thrown = 0

    def append(self, slip: bytes) -> None:
        """One more."""
        self.thrown += 1


def resident_mb() -> float:
    """What this process keeps in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def configuration(folder: Path, center_url: str) -> KioskConfig:
    """A kiosk that polls often, for a center on this machine."""
    return KioskConfig(
        kiosk=StationConfig(name="simulated kiosk", state_dir=str(folder / "kiosk")),
        center=CenterConfig(
            url=center_url.rstrip("/"), gallery_poll_s=3.0, retry_first_s=0.2, retry_longest_s=1.0,
            pairing_poll_s=0.2, timeout_s=10.0,
        ),
        camera=CameraConfig(driver="simulated"),
        sensor=SensorConfig(driver="zfm"),
        visit=VisitConfig(leave_timeout_s=2.0, rest_s=20.0),
        panel=PanelConfig(port=0),
    )  # fmt: skip


def answer(**words: Any) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _listen(scene: Scene, commands: Queue[dict[str, Any] | None]) -> None:
    """Break and mend devices at once, in the middle of a visit, too; everything else waits for its turn."""
    for line in sys.stdin:
        told = json.loads(line)
        if told["do"] == "fault":
            scene.fault(told["device"], told["name"])
        else:
            commands.put(told)
    commands.put(None)


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
    with (
        ZfmEmulator(scene.glass, load_engine("minutiae"), link=folder / "sensor") as emulator,
        SamVEmulator(link=folder / "card") as cards,
        SimulatedPrinter() as printer,
    ):
        for name, act in emulator.faults().items():
            scene.break_with("sensor", name, act)
        for device, simulated in (("card", cards), ("printer", printer)):
            scene.break_with(device, "unplug", simulated.unplug)
            scene.break_with(device, "plug", simulated.plug)
        kiosk = Kiosk(
            configuration(folder, center_url),
            camera=SimulatedCamera(scene),
            sensor=ZfmSensor(emulator.port, timeout_s=15.0),
            card_reader=SamVReader(cards.port),
            printer=EscPosPrinter("network", address=printer.address),
            on_result=results.append,
        )
        ending = threading.Event()
        thread = threading.Thread(target=_run, args=(kiosk, ending), name="kiosk", daemon=True)
        began_s = time.monotonic()
        thread.start()
        person = Person(scene, kiosk, visitors, lay_card=cards.lay, take_card=cards.take)
        printer.slips = basket = Basket()
        _until(lambda: kiosk.ready.is_set() or kiosk.screen.state().pairing_code, "start")
        if not kiosk.ready.is_set():
            answer(pairing_code=kiosk.screen.state().pairing_code)
            _until(kiosk.ready.is_set, "get ready")
        answer(ready=True, panel=kiosk.panel_url, started_s=round(time.monotonic() - began_s, 2), rss_mb=resident_mb())
        commands: Queue[dict[str, Any] | None] = Queue()
        threading.Thread(target=_listen, args=(scene, commands), daemon=True).start()
        while (told := commands.get()) is not None:
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
            elif what == "room":
                _until(lambda: kiosk.station is not None and kiosk.station.room_known, "see its empty room")
                answer(room=True)
            elif what == "pending":
                answer(
                    pending=kiosk.journal.counts().pending if kiosk.journal else None,
                    parcels=kiosk.parcels.counts().pending if kiosk.parcels else None,
                    slips=basket.thrown,
                )
        ending.set()
        kiosk.stop()
        thread.join(15)


def _run(kiosk: Kiosk, ending: threading.Event) -> None:
    """A kiosk that ends unasked takes the process with it, as under a service manager."""
    kiosk.run()
    if not ending.is_set():
        os._exit(3)


def _until(done: Any, what: str) -> None:
    deadline_s = time.monotonic() + 300
    while not done():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"the kiosk did not {what}")
        time.sleep(0.02)


if __name__ == "__main__":
    main()
