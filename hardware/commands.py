"""``muster sensor``: ask a fingerprint sensor what it is, or be one. Owns the words on the terminal, nothing else."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click
import numpy as np

from hardware.drivers import SENSORS, open_sensor
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.glass import FolderGlass, Glass, NamedImpression, RotatingGlass
from hardware.simulation.scene import Scene, SceneGlass, Visitor
from hardware.simulation.script import ScenePlayer, read_script
from hardware.simulation.zfm_emulator import ZfmEmulator
from models.biometrics import Float32Array, UInt8Array

_GENERATED_SEED = 1
_GENERATED_IMPRESSIONS = 8
_LOOK_S = 0.1
_SCRIPT_VISITORS = 9


@click.group()
def sensor() -> None:
    """Fingerprint sensors, real and simulated."""


@sensor.command()
@click.option("--port", required=True, help="The serial port, for example /dev/ttyUSB0.")
@click.option("--driver", default="zfm", show_default=True, type=click.Choice(sorted(set(SENSORS) - {"disabled"})))
@click.option("--baud", default=57_600, show_default=True, help="The module's speed.")
@click.option("--password", default=0, help="The module's password, a number.")
def info(port: str, driver: str, baud: int, password: int) -> None:
    """Say what answers at a serial port."""
    found = open_sensor(driver, port=port, baud=baud, password=password)
    try:
        parameters = found.parameters()
        used = found.count()
        description = found.info()
    finally:
        found.close()
    kind = "simulated sensor" if description.simulated else "sensor"
    click.echo(f"{port}: {kind}, driver {driver}, {used} of {parameters.capacity} templates in use,")
    click.echo(
        f"  security level {parameters.security_level}, packets of {parameters.packet_bytes} bytes, "
        f"{parameters.baud} baud, address 0x{parameters.address:08x}"
    )


@sensor.command()
@click.option("--fingers", type=click.Path(path_type=Path), help="A folder of pictures named <finger>_<impression>.*.")
@click.option("--script", type=click.Path(path_type=Path), help="A scene script that lays fingers and breaks things.")
@click.option("--link", type=click.Path(path_type=Path), help="A symbolic link to make to the terminal.")
@click.option("--capacity", default=1000, show_default=True, help="How many templates the library holds.")
@click.option("--password", default=0, help="A password that the module asks for, a number.")
@click.option("--baud", default=57_600, show_default=True, help="The speed that the module starts with.")
@click.option("--throttle", is_flag=True, help="Answer no faster than a line of that speed would.")
@click.pass_obj
def simulate(
    rooms: Any,
    *,
    fingers: Path | None,
    script: Path | None,
    link: Path | None,
    capacity: int,
    password: int,
    baud: int,
    throttle: bool,
) -> None:
    """Be a ZFM-20 sensor at a pseudo-terminal until Ctrl-C, with fingers laid on its glass in turn."""
    if fingers is not None and script is not None:
        raise click.UsageError("--fingers and --script cannot both say what lies on the glass.")
    scene = Scene() if script is not None else None
    glass = _glass(fingers, scene)
    player = play(scene, script) if scene is not None and script is not None else None
    engine = rooms.load_engine("minutiae")
    with (
        _until_stopped(),
        ZfmEmulator(
            glass, engine, link=link, capacity=capacity, password=password, baud=baud, baud_throttle=throttle
        ) as emulator,
    ):
        click.echo(f"A simulated sensor answers at {emulator.port}; Ctrl-C ends it.")
        if scene is not None:
            for name, fault in emulator.faults().items():
                scene.break_with("sensor", name, fault)
        _announce(glass, until=lambda: player is not None and player.finished)


def generated_glass(seed: int = _GENERATED_SEED) -> RotatingGlass:
    """Impressions of one finger that the project grows itself."""
    finger = SimulatedFinger(seed)
    return RotatingGlass(
        [
            NamedImpression(f"generated finger {seed}, impression {number}", finger.impression(number))
            for number in range(1, _GENERATED_IMPRESSIONS + 1)
        ]
    )


def play(scene: Scene, script: Path) -> ScenePlayer:
    """Play a script's fingers and faults; its visitors are visitor_1 to visitor_9, whom no camera sees here.

    Raises ConfigurationError naming what is wrong with the script.
    """
    visitors = {
        f"visitor_{number}": Visitor.make(f"visitor_{number}", [_nobody()], finger_seed=number)
        for number in range(1, _SCRIPT_VISITORS + 1)
    }
    return ScenePlayer(
        scene, read_script(script), visitors, on_error=lambda error: click.echo(f"script: {error}", err=True)
    )


def _glass(fingers: Path | None, scene: Scene | None) -> Glass:
    if scene is not None:
        return SceneGlass(scene)
    return FolderGlass(fingers) if fingers is not None else generated_glass()


def _nobody() -> tuple[UInt8Array, Float32Array]:
    """A gray picture in the place of a portrait: a script may send visitors to a camera that is not simulated here."""
    marks = np.array([[80, 90], [120, 90], [100, 115], [85, 135], [115, 135]], np.float32)
    return np.full((200, 200, 3), 128, np.uint8), marks


def _announce(glass: Glass, *, until: Callable[[], bool]) -> None:
    """Print what lies on the glass whenever that changes."""
    before = "nothing"
    click.echo(f"on the glass: {before}")
    while not until():
        now = _on(glass)
        if now != before:
            click.echo(f"on the glass: {now}")
            before = now
        time.sleep(_LOOK_S)


def _on(glass: Glass) -> str:
    if isinstance(glass, RotatingGlass):
        named = glass.now()
        return "nothing" if named is None else named.name
    return "nothing" if glass.impression() is None else "a finger"


@contextlib.contextmanager
def _until_stopped() -> Iterator[None]:
    """Leave the block quietly on Ctrl-C or when the service manager asks for an end."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("The sensor is switched off.")
    finally:
        signal.signal(signal.SIGTERM, before)
