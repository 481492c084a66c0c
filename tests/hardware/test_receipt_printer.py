"""Slips on paper: by the dummy printer's bytes and an interpreter of our own, and by a simulated network printer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from escpos_paper import FONT, interpret
from usb.backend import IBackend

from hardware.drivers import make_printer, printer_lines
from hardware.drivers.receipt_printer import EscPosPrinter, plain
from hardware.ports import Slip
from hardware.simulation.printer_emulator import SimulatedPrinter
from models.errors import ConfigurationError, DeviceError, DeviceNotFound, DeviceTimeout, DeviceUnplugged

SLIP = Slip(
    "模拟县司法局", ("时间 2026-03-02 09:01", "编号 000012"), symbol="MR1/k-1/12/" + "x" * 180, foot=("请保留",)
)

needs_font = pytest.mark.skipif(not FONT.exists(), reason="fonts-noto-cjk is not installed")


@pytest.fixture
def printer() -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter() as running:
        yield running


@pytest.fixture
def driver(printer: SimulatedPrinter) -> Iterator[EscPosPrinter]:
    with EscPosPrinter("network", address=printer.address, timeout_s=1.0) as opened:
        yield opened


def came_out(printer: SimulatedPrinter) -> list[bytes]:
    from time import monotonic, sleep

    until = monotonic() + 5
    while not printer.slips and monotonic() < until:
        sleep(0.005)
    return printer.slips


@pytest.mark.parametrize("width_px", [576, 384])
def test_what_is_printed_can_be_read_and_scanned(width_px: int) -> None:
    with EscPosPrinter("dummy", width_px=width_px) as dummy:
        dummy.print(SLIP)
        assert dummy.info().simulated
        paper = interpret(dummy.printed, width_px=width_px)
    assert paper.text.split("\n")[:4] == ["模拟县司法局", "", "时间 2026-03-02 09:01", "编号 000012"]
    assert "请保留" in paper.text and paper.cut
    assert paper.content[0] == ("模拟县司法局", 2, "center")
    assert paper.symbol() == SLIP.symbol


@needs_font
def test_a_printer_without_chinese_letters_gets_them_as_a_picture() -> None:
    with EscPosPrinter("dummy", text="raster") as dummy:
        dummy.print(SLIP)
        paper = interpret(dummy.printed)
    assert paper.text.strip() == "" and paper.cut
    assert paper.symbol() == SLIP.symbol
    ink = sum(255 - level for level in paper.pictures[0].crop((0, 0, 576, 150)).tobytes())
    assert ink > 100_000  # something is written above the symbol


def test_nothing_in_a_text_commands_the_printer() -> None:
    assert plain("县\x1b@\x10\x04\x01\n局\u202e") == "县@局"
    with EscPosPrinter("dummy") as dummy:
        dummy.print(Slip("a\x1bc", ("\x1dV\x00",)))
        assert interpret(dummy.printed).text.startswith("ac\n\nV\n")


def test_a_slip_comes_out_of_a_printer_in_the_network(printer: SimulatedPrinter, driver: EscPosPrinter) -> None:
    driver.print(SLIP)
    paper = interpret(came_out(printer)[0])
    assert paper.symbol() == SLIP.symbol and "编号 000012" in paper.text
    assert len(printer.slips) == 1


@pytest.mark.parametrize(
    ("fault", "code"), [("paper", "paper_out"), ("cover_closed", "cover_open"), ("failed", "printer_failed")]
)
def test_what_is_wrong_with_the_printer_has_a_code(
    printer: SimulatedPrinter, driver: EscPosPrinter, fault: str, code: str
) -> None:
    driver.check()
    setattr(printer, fault, fault == "failed")
    with pytest.raises(DeviceError) as failed:
        driver.print(SLIP)
    assert failed.value.code == code and printer.slips == []
    setattr(printer, fault, fault != "failed")
    driver.print(SLIP)
    assert len(came_out(printer)) == 1


def test_a_printer_that_stops_answering_is_noticed(printer: SimulatedPrinter, driver: EscPosPrinter) -> None:
    driver.check()
    printer.talks = False
    with pytest.raises(DeviceTimeout):
        driver.check()


def test_a_printer_that_never_answers_is_taken_to_be_well(printer: SimulatedPrinter, driver: EscPosPrinter) -> None:
    printer.talks = False
    driver.print(SLIP)
    assert interpret(came_out(printer)[0]).cut


def test_a_printer_that_went_away_is_noticed_and_can_be_opened_again(
    printer: SimulatedPrinter, driver: EscPosPrinter
) -> None:
    driver.check()
    printer.unplug()
    with pytest.raises(DeviceError) as gone:
        driver.print(SLIP)
    assert isinstance(gone.value, DeviceUnplugged | DeviceTimeout)
    driver.close()
    with pytest.raises(DeviceNotFound):
        driver.open()
    printer.plug()
    driver.open()
    driver.print(SLIP)
    assert len(came_out(printer)) == 1


class NothingPlugged(IBackend):
    """pyusb's own interface to libusb, of a machine where nothing is plugged in."""

    def enumerate_devices(self) -> Iterator[Any]:
        return iter(())


def usb_through(monkeypatch: pytest.MonkeyPatch, backend: IBackend | None) -> None:
    """Let pyusb find this backend, and not the libusb that this machine may have or not."""
    for name in ("libusb1", "openusb", "libusb0"):
        monkeypatch.setattr(f"usb.backend.{name}.get_backend", lambda: backend)


def test_a_printer_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usb_through(monkeypatch, NothingPlugged())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = taken.getsockname()[1]
        for options in (
            {"connection": "network", "address": f"127.0.0.1:{nobody}", "timeout_s": 0.5},
            {"connection": "file", "address": str(tmp_path / "no" / "lp0")},
            {"connection": "usb", "address": "1d6b:ffff"},
        ):
            printer = make_printer("escpos", **options)
            with pytest.raises(DeviceNotFound):
                printer.open()
            printer.close()
            printer.close()


def test_a_machine_without_libusb_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    usb_through(monkeypatch, None)
    printer = make_printer("escpos", connection="usb", address="1d6b:ffff")
    with pytest.raises(DeviceError, match=r"libusb-1\.0-0"):
        printer.open()


def test_a_printer_at_a_device_file_is_written_to(tmp_path: Path) -> None:
    with EscPosPrinter("file", address=str(tmp_path / "lp0")) as printer:
        printer.print(SLIP)
    assert interpret((tmp_path / "lp0").read_bytes()).symbol() == SLIP.symbol


@pytest.mark.parametrize(
    "options",
    [
        {"connection": "usb"},
        {"connection": "usb", "address": "04b8"},
        {"connection": "network"},
        {"connection": "network", "address": "printer:many"},
        {"connection": "file"},
        {"connection": "bluetooth"},
        {"connection": "dummy", "text": "gbk"},
        {"connection": "dummy", "text": "raster", "font": "/nowhere.ttf"},
        {"connection": "dummy", "width_px": 80},
        {"conection": "dummy"},
    ],
)
def test_a_printer_that_cannot_be_meant_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        make_printer("escpos", **options)


def test_a_printer_that_is_switched_off_says_so() -> None:
    disabled = make_printer("disabled")
    disabled.open()
    for call in (disabled.check, lambda: disabled.print(SLIP)):
        with pytest.raises(DeviceError) as refused:
            call()
        assert refused.value.code == "device_disabled"


def test_a_printer_at_a_device_file_that_takes_nothing_more_is_gone_after_a_while(tmp_path: Path) -> None:
    """Without paper its buffer fills; a plain write would wait for a new roll."""
    fifo = tmp_path / "lp0"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)  # and nobody reads
    try:
        with EscPosPrinter("file", address=str(fifo), timeout_s=0.2) as printer, pytest.raises(DeviceUnplugged):
            for _ in range(50):
                printer.print(SLIP)
    finally:
        os.close(reader)


class End:
    def __init__(self, address: int, kind: int = 2) -> None:
        self.bEndpointAddress, self.bmAttributes = address, kind


class Interface(list[End]):
    def __init__(self, kind: int, *ends: End) -> None:
        super().__init__(ends)
        self.bInterfaceClass = kind


@pytest.mark.parametrize(
    ("interfaces", "found"),
    [
        ([Interface(7, End(0x02), End(0x81))], (0x02, 0x81)),
        ([Interface(8, End(0x05), End(0x85)), Interface(7, End(0x83, 3), End(0x81), End(0x01))], (0x01, 0x81)),
        ([Interface(7, End(0x03))], (0x03, None)),
        ([Interface(255, End(0x01), End(0x82))], None),
        (None, None),
    ],
)
def test_a_usb_printer_is_spoken_to_where_it_says(interfaces: Any, found: Any) -> None:
    """Vendors number endpoints as they like, and some printers answer nothing."""
    device = SimpleNamespace(get_active_configuration=lambda: interfaces)
    assert printer_lines._bulk_endpoints(device) == found
