"""A simulated sensor with the real finger engine inside, for this room's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sensor_parts import Prints, RememberingEngine

from hardware.simulation.glass import HandGlass, see
from hardware.simulation.zfm_emulator import ZfmEmulator
from matcher.engines import load_engine


@pytest.fixture(scope="session")
def prints() -> Prints:
    return Prints()


@pytest.fixture(scope="session")
def finger_engine(prints: Prints) -> RememberingEngine:
    engine = RememberingEngine(load_engine("minutiae"))
    for picture in (*prints.first, prints.other):  # now, and not while a driver counts the seconds
        engine.extract(see(picture))
    return engine


@pytest.fixture
def glass() -> HandGlass:
    return HandGlass()


@pytest.fixture
def emulator(glass: HandGlass, finger_engine: RememberingEngine, tmp_path: Path) -> Iterator[ZfmEmulator]:
    with ZfmEmulator(glass, finger_engine, link=tmp_path / "sensor") as running:
        yield running
