"""``muster sensor``: ask a fingerprint sensor what it is, or be one. Owns the words on the terminal, nothing else."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click

from hardware.drivers import SENSORS, open_sensor
from hardware.simulation.glass import FolderGlass, NamedImpression, RotatingGlass
from hardware.simulation.zfm_emulator import ZfmEmulator

_GENERATED_SEED = 1
_GENERATED_IMPRESSIONS = 8
_LOOK_S = 0.1


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
@click.option("--link", type=click.Path(path_type=Path), help="A symbolic link to make to the terminal.")
@click.option("--capacity", default=1000, show_default=True, help="How many templates the library holds.")
@click.option("--password", default=0, help="A password that the module asks for, a number.")
@click.option("--baud", default=57_600, show_default=True, help="The speed that the module starts with.")
@click.option("--throttle", is_flag=True, help="Answer no faster than a line of that speed would.")
@click.pass_obj
def simulate(
    rooms: Any, *, fingers: Path | None, link: Path | None, capacity: int, password: int, baud: int, throttle: bool
) -> None:
    """Be a ZFM-20 sensor at a pseudo-terminal until Ctrl-C, with fingers laid on its glass in turn."""
    glass = FolderGlass(fingers) if fingers is not None else generated_glass()
    engine = rooms.load_engine("minutiae")
    with (
        _until_stopped(),
        ZfmEmulator(
            glass, engine, link=link, capacity=capacity, password=password, baud=baud, baud_throttle=throttle
        ) as emulator,
    ):
        click.echo(f"A simulated sensor answers at {emulator.port}; Ctrl-C ends it.")
        _announce(glass)


def generated_glass(seed: int = _GENERATED_SEED) -> RotatingGlass:
    """Impressions of one finger that the project grows itself."""
    from hardware.simulation.fingers import SimulatedFinger

    finger = SimulatedFinger(seed)
    return RotatingGlass(
        [
            NamedImpression(f"generated finger {seed}, impression {number}", finger.impression(number))
            for number in range(1, _GENERATED_IMPRESSIONS + 1)
        ]
    )


def _announce(glass: RotatingGlass) -> None:
    """Print what lies on the glass whenever that changes; never returns by itself."""
    before: NamedImpression | None = None
    click.echo("on the glass: nothing")
    while True:
        now = glass.now()
        if now is not before:
            click.echo(f"on the glass: {now.name if now is not None else 'nothing'}")
            before = now
        time.sleep(_LOOK_S)


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
