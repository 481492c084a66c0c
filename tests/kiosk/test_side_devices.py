"""Cards claim with a digest and nothing else; devices that went away work again soon, over real lines."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from center_parts import wait_until

from hardware.drivers.sam_v import SamVReader
from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.ports import CardKind
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.glass import HandGlass
from hardware.simulation.sam_v_emulator import SamVEmulator
from hardware.simulation.sam_v_module import invented_card
from hardware.simulation.zfm_emulator import ZfmEmulator
from kiosk.card import UNUSABLE, CardWorker
from kiosk.devices import HEARTBEAT_S, LONGEST_REOPEN_S, CameraReader, SensorWorker
from kiosk.screen import CardClaim, Screen
from models.id_card import card_key, digest
from web.panel.facade import PanelStep

KEY = card_key(bytes(32))
WITHIN_S = 10.0


@pytest.fixture
def module(tmp_path: Path) -> Iterator[SamVEmulator]:
    with SamVEmulator(link=tmp_path / "card") as running:
        yield running


@pytest.fixture
def worker(module: SamVEmulator) -> Iterator[tuple[CardWorker, Screen]]:
    screen = Screen()
    made = CardWorker(
        SamVReader(module.port, timeout_s=0.5),
        key=KEY,
        note=screen.note_device,
        wanted=lambda: screen.waits_for_card,
        claim=screen.card_claim,
        hint=screen.hint_card,
        heartbeat_s=0.2,
    )
    made.start()
    assert made.settle(5) is None
    yield made, screen
    made.stop()


def test_a_card_claims_with_its_digest(module: SamVEmulator, worker: tuple[CardWorker, Screen]) -> None:
    _, screen = worker
    card = invented_card(4)
    module.lay(card)
    request = screen.next_request(5)
    assert request == CardClaim(digest(card.number, KEY))
    assert card.number not in repr(request) and card.number not in repr(vars(screen))


def test_a_card_without_such_a_number_claims_for_nobody(
    module: SamVEmulator, worker: tuple[CardWorker, Screen]
) -> None:
    module.lay(invented_card(4, kind=CardKind.FOREIGNER_2017))
    assert worker[1].next_request(5) == CardClaim(UNUSABLE)


def test_no_card_is_read_while_somebody_is_served(module: SamVEmulator, worker: tuple[CardWorker, Screen]) -> None:
    _, screen = worker
    screen.show(PanelStep.LOOK)
    asked = len(module.module.orders)
    wait_until(lambda: "STATUS" in module.module.orders[asked:])  # the reader is asked how it is ...
    module.lay(invented_card(4))
    before = len(module.module.orders)
    wait_until(lambda: module.module.orders[before:].count("STATUS") >= 2)
    assert "READ" not in module.module.orders[before:]  # ... and not for a card
    screen.show(PanelStep.CLAIM)
    assert isinstance(screen.next_request(5), CardClaim)


def test_a_card_that_is_taken_away_too_soon_is_asked_for_again(
    module: SamVEmulator, worker: tuple[CardWorker, Screen]
) -> None:
    module.moving()
    module.lay(invented_card(4))
    wait_until(lambda: worker[1].state().hint == "lay_card")


def test_a_card_reader_that_was_pulled_out_works_again_within_ten_seconds(
    module: SamVEmulator, worker: tuple[CardWorker, Screen]
) -> None:
    _, screen = worker
    module.unplug()
    wait_until(lambda: screen.state().devices[0][1] is False)
    module.plug()
    module.lay(invented_card(9))
    assert isinstance(screen.next_request(WITHIN_S), CardClaim)
    assert screen.state().devices == (("card", True, None),)


def test_a_sensor_that_was_pulled_out_for_long_works_again_within_ten_seconds(
    engines: dict[str, Any], tmp_path: Path
) -> None:
    """The real protocol over a pseudo-terminal that disappears and comes back; the wait has grown to its longest."""
    screen, waits = Screen(), queue.Queue[float]()
    with ZfmEmulator(HandGlass(), engines["minutiae"], link=tmp_path / "sensor") as emulator:
        worker = SensorWorker(ZfmSensor(emulator.port, timeout_s=2.0), note=screen.note_device, heartbeat_s=0.05)
        rest = worker.rest
        worker.rest = lambda wait_s: (waits.put(wait_s), rest(min(wait_s, 0.02)))[1]  # type: ignore[method-assign]
        worker.start()
        assert worker.settle(10) is None
        emulator.unplug()
        grown = [waits.get(timeout=10) for _ in range(6)]
        assert grown[-1] == grown[-2] == LONGEST_REOPEN_S
        assert screen.state().devices[0][1] is False
        emulator.plug()
        wait_until(lambda: screen.state().devices == (("sensor", True, None),), WITHIN_S)
        assert worker.submit(lambda sensor: sensor.count()).result(5) == 0
        worker.stop()
    assert HEARTBEAT_S + LONGEST_REOPEN_S < WITHIN_S - 2.0  # leaves two seconds for the driver to open


def test_a_camera_that_freezes_is_said_so_and_comes_back() -> None:
    screen, camera = Screen(), SimulatedCamera(fps=60)
    reader = CameraReader(camera, note=screen.note_device)
    reader.start()
    assert reader.settle(5) is None
    frame = wait_until(lambda: reader.peek(-1, 0.1))
    camera.freeze()
    wait_until(lambda: screen.state().devices == (("camera", False, "device_frozen"),))
    camera.thaw()
    wait_until(lambda: screen.state().devices == (("camera", True, None),), WITHIN_S)
    assert wait_until(lambda: reader.peek(frame.sequence, 0.1)).sequence > frame.sequence
    reader.stop()
