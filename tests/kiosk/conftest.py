"""What the kiosk's tests share: engines, visitors, a real center, and a whole kiosk with simulated devices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from center_parts import RealCenter, Site, quick_config
from kiosk_parts import Cast, RememberingFingers, RunningKiosk, StartKiosk
from page_parts import WATCH, KioskPage, OpenPage
from staff_parts import JumpingClock

from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.ports import CardReader, ReceiptPrinter
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.printer_emulator import SimulatedPrinter
from hardware.simulation.scene import Scene, Visitor
from hardware.simulation.zfm_emulator import ZfmEmulator
from kiosk.app import Kiosk
from matcher import weights
from matcher.engines import load_engine
from matcher.pictures import read_rgb
from tests.browser import PanelWindows

PORTRAITS = {
    "visitor_1": ("portrait_visitor_1a", "portrait_visitor_1b", "portrait_visitor_1c"),
    "visitor_2": ("portrait_visitor_2",),
    "visitor_3": ("portrait_visitor_3",),
}


@pytest.fixture(scope="session")
def engines() -> dict[str, Any]:
    """One engine of each kind for the whole room; tests run one after the other."""
    return {"sface": load_engine("sface"), "minutiae": RememberingFingers(load_engine("minutiae"))}


@pytest.fixture(scope="session")
def cast(engines: dict[str, Any]) -> Cast:
    visitors, faces = {}, {}
    for seed, (label, names) in enumerate(PORTRAITS.items(), start=1):
        pictures = [read_rgb(weights.path(name)) for name in names]
        found = [engines["sface"].detect(picture)[0] for picture in pictures]
        faces[label] = tuple(
            engines["sface"].extract(picture, face) for picture, face in zip(pictures, found, strict=True)
        )
        marks = [face.landmarks for face in found]
        visitors[label] = Visitor.make(label, list(zip(pictures, marks, strict=True)), finger_seed=seed)
    return Cast(visitors, faces, engines["minutiae"])


@pytest.fixture(scope="session")
def real_center(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCenter]:
    center = RealCenter(tmp_path_factory.mktemp("center") / "store")
    yield center
    center.close()


@pytest.fixture
def start_kiosk(
    real_center: RealCenter, engines: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[StartKiosk]:
    """``start_kiosk(site, **tables)``: pair, start, wait until it waits for people."""
    running: list[RunningKiosk] = []

    def start(
        site: Site,
        *,
        people: int = 1,
        card_reader: CardReader | None = None,
        printer: ReceiptPrinter | None = None,
        **tables: Any,
    ) -> RunningKiosk:
        number = len(running)
        config = quick_config(real_center.url, tmp_path / f"kiosk{number}", **tables)
        _, pairing = site.pair_kiosk(config)
        scene = Scene(seed=number)
        camera = SimulatedCamera(scene)
        chip = ZfmEmulator(scene.glass, engines["minutiae"], link=tmp_path / f"sensor{number}")
        chip.start()
        kiosk = Kiosk(
            config,
            camera=camera,
            sensor=ZfmSensor(str(tmp_path / f"sensor{number}"), timeout_s=4.0),
            card_reader=card_reader,
            printer=printer,
            load=lambda name: engines[name],
            on_result=lambda result: running[number].results.put(result),  # noqa: PLW0108 - it is not there yet
        )
        one = RunningKiosk(kiosk, scene, camera, chip, pairing)
        running.append(one)
        one.thread.start()
        assert kiosk.ready.wait(20)
        one.wait_gallery(people)
        one.wait_room()
        return one

    yield start
    for one in running:
        one.kiosk.stop()
        one.thread.join(20)
        one.chip.stop()


@pytest.fixture
def printer() -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter() as running:
        yield running


@pytest.fixture
def open_page(chromium: Any, start_kiosk: StartKiosk) -> Iterator[OpenPage]:
    """The page of a running kiosk in a real Chromium; needs ``panel=PANEL``. It is closed before the kiosk ends."""
    windows = PanelWindows(chromium)

    def start(running: RunningKiosk) -> KioskPage:
        page = windows.open(running.kiosk.panel_url, width=1280, height=800)
        page.evaluate(WATCH)
        return KioskPage(page, running)

    yield start
    windows.close()
    assert windows.complaints == []


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> Iterator[JumpingClock]:
    clock = JumpingClock()
    monkeypatch.setattr("kiosk.app.Clock.of_this_machine", lambda: clock.clock)
    return clock
