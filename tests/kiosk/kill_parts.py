"""A kiosk in a process of its own that is killed as a power cut would, and what must hold of its store afterwards.

Run as a program this module is that process: real engines, a simulated camera, a simulated sensor at a pseudo-terminal,
the center of whoever started it. It prints each step of its screen; a line on its standard input says who steps up.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WITHIN_S = 60.0  # how long a step may take on a machine that does other things, too


class KilledKiosk:
    """One kiosk's state folder, and the process that runs on it now and then."""

    def __init__(self, url: str, state_dir: Path, tables: dict[str, Any]) -> None:
        self.state_dir = state_dir
        self._told = json.dumps({"url": url, "state_dir": str(state_dir), "tables": tables})
        self._process: subprocess.Popen[str] | None = None
        self.started_in_s: list[float] = []

    def start(self) -> None:
        """Start the process and wait until it waits for people."""
        began_s = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), self._told],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": f"{HERE.parents[1]}:{HERE}"},
        )  # fmt: skip
        self.wait_for({"ready"})
        self.started_in_s.append(time.monotonic() - began_s)

    def tell(self, **order: str) -> None:
        """``show="visitor_1"``, ``claim="42"``, ``lay="visitor_1"``, ``press="next"`` or ``leave="now"``."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def wait_for(self, steps: Iterable[str]) -> str:
        """The first of the steps that the screen shows. Fails if the process ends before, or it takes for ever."""
        assert self._process is not None and self._process.stdout is not None
        wanted = set(steps)
        alarm = threading.Timer(WITHIN_S, self._process.kill)
        alarm.start()
        try:
            for line in self._process.stdout:
                if line.strip() in wanted:
                    return line.strip()
        finally:
            alarm.cancel()
        raise AssertionError(f"the kiosk never came to {sorted(wanted)}")

    def kill(self) -> None:
        """End the process between two of its instructions."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store holds: how many events, of how many visits accepted."""

    events: int
    accepted: int
    pending: int


def kept(state_dir: Path) -> Kept:
    """Check the whole store: the database, every signature, the chain, nothing twice. Raises StoreError."""
    from kiosk.clock import Clock
    from kiosk.journal import Journal
    from kiosk.keys import KioskKeys, load_pairing
    from models.store.engine import check_store, open_store

    pairing = load_pairing(state_dir)
    assert pairing is not None
    store = open_store(f"sqlite:///{state_dir / f'kiosk-{pairing.kiosk_id}.sqlite'}", branch="kiosk", create=False)
    try:
        check_store(store)
        keys = KioskKeys.load_or_create(state_dir)
        journal = Journal(store, key=keys.signing, kiosk_id=pairing.kiosk_id, clock=Clock.of_this_machine())
        count, pending = journal.verify(), journal.counts().pending
        from sqlalchemy import text

        with store.connect() as connection:
            rows = connection.execute(text("SELECT event_id, body FROM journal")).tuples().all()
    finally:
        store.dispose()
    assert len({event_id for event_id, _ in rows}) == count
    bodies = [json.loads(body) for _, body in rows]
    return Kept(count, sum(body["outcome"] == "accepted" for body in bodies), pending)


def main(told: str) -> None:
    """Be the kiosk."""
    from center_parts import quick_config
    from conftest import PORTRAITS

    from hardware.drivers.zfm_sensor import ZfmSensor
    from hardware.simulation.camera import SimulatedCamera
    from hardware.simulation.scene import Scene, Visitor
    from hardware.simulation.zfm_emulator import ZfmEmulator
    from kiosk.app import Kiosk
    from matcher import weights
    from matcher.engines import load_engine
    from matcher.pictures import read_rgb

    asked = json.loads(told)
    engines = {name: load_engine(name) for name in ("sface", "minutiae")}
    config = quick_config(asked["url"], Path(asked["state_dir"]), **asked["tables"])
    scene = Scene(seed=1)
    camera, link = SimulatedCamera(scene), Path(asked["state_dir"]).with_suffix(".sensor")
    with ZfmEmulator(scene.glass, engines["minutiae"], link=link):
        kiosk = Kiosk(
            config, camera=camera, sensor=ZfmSensor(str(link), timeout_s=4.0), load=lambda name: engines[name]
        )
        threading.Thread(target=_print_steps, args=(kiosk,), daemon=True).start()
        pictures = {name: [read_rgb(weights.path(part)) for part in parts] for name, parts in PORTRAITS.items()}
        visitors = {
            name: Visitor.make(name, [(p, engines["sface"].detect(p)[0].landmarks) for p in parts], finger_seed=seed)
            for seed, (name, parts) in enumerate(pictures.items(), start=1)
        }
        threading.Thread(target=_obey, args=(kiosk, scene, visitors), daemon=True).start()
        kiosk.run()


def _print_steps(kiosk: Any) -> None:
    while not (
        kiosk.ready.wait(0.01)
        and kiosk.station is not None
        and kiosk.station.room_known
        and kiosk.roster.current.people
    ):
        time.sleep(0.01)
    print("ready", flush=True)  # noqa: T201 - the parent listens
    state = kiosk.screen.state()
    while True:
        print(str(state.step), flush=True)  # noqa: T201 - the parent listens
        state = kiosk.screen.wait(state.version, 5.0)


def _obey(kiosk: Any, scene: Any, visitors: dict[str, Any]) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "show" in order:
            scene.show(visitors[order["show"]], "approach")
        if "claim" in order:
            kiosk.screen.claim(order["claim"])
        if "lay" in order:
            scene.lay_finger(visitors[order["lay"]].finger("right_index"))
        if "press" in order:
            kiosk.screen.choose(order["press"])
        if "leave" in order:
            scene.leave()


if __name__ == "__main__":
    main(sys.argv[1])
