"""The identity card reader's driver against a simulated reader at a real pseudo-terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from hardware.drivers import make_card_reader
from hardware.drivers.sam_v import SamVReader
from hardware.ports import CardKind, CardText
from hardware.sam_v.codes import decode_text, encode_text
from hardware.simulation.sam_v_emulator import SamVEmulator
from hardware.simulation.sam_v_module import invented_card
from models.errors import (
    CaptureRetry,
    ConfigurationError,
    DeviceBusy,
    DeviceError,
    DeviceNotFound,
    DeviceProtocolError,
    DeviceTimeout,
    DeviceUnplugged,
    RetryReason,
)
from models.id_card import card_key, digest

CARD = invented_card(7)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[SamVEmulator]:
    with SamVEmulator(link=tmp_path / "card") as running:
        yield running


@pytest.fixture
def reader(emulator: SamVEmulator) -> Iterator[SamVReader]:
    with SamVReader(emulator.port, timeout_s=0.4) as opened:
        yield opened


def test_a_reader_says_what_it_is_and_that_it_is_simulated(emulator: SamVEmulator, reader: SamVReader) -> None:
    info = reader.info()
    assert (info.device_id, info.kind, info.driver, info.simulated) == (emulator.port, "card_reader", "sam_v", True)
    assert not SamVReader("/nowhere").info().simulated


def test_no_card_is_a_value(reader: SamVReader) -> None:
    assert reader.read(timeout_s=0) is None


def test_the_text_of_a_card_is_read_and_no_fingerprint_is_asked_for(emulator: SamVEmulator, reader: SamVReader) -> None:
    emulator.lay(CARD)
    assert reader.read(timeout_s=1) == CARD
    assert emulator.module.orders[-3:] == ["FIND", "SELECT", "READ"]


def test_a_card_shows_nothing_of_itself() -> None:
    assert repr(CARD) == str(CARD) == f"{CARD}" == "CardText(...)"
    assert CARD.number not in repr({"card": CARD}) and CARD.name not in repr([CARD])


def test_a_card_is_read_once_for_each_time_it_is_laid_on(emulator: SamVEmulator, reader: SamVReader) -> None:
    emulator.lay(CARD)
    assert reader.read(timeout_s=0) == CARD
    assert reader.read(timeout_s=0) is None
    emulator.take()
    emulator.lay(CARD)
    assert reader.read(timeout_s=0) == CARD


@pytest.mark.parametrize("kind", CardKind)
@pytest.mark.parametrize("until", [None, date(2040, 2, 29)])
def test_every_kind_of_card_is_understood(
    emulator: SamVEmulator, reader: SamVReader, kind: CardKind, until: date | None
) -> None:
    card = invented_card(12, kind=kind, valid_until=until)
    emulator.lay(card)
    assert reader.read(timeout_s=0) == card


def test_an_invented_card_has_a_number_that_a_kiosk_takes() -> None:
    assert len({digest(invented_card(serial).number, card_key(bytes(32))) for serial in range(50)}) == 50


def test_a_card_that_is_taken_away_too_soon_is_asked_for_again(emulator: SamVEmulator, reader: SamVReader) -> None:
    emulator.lay(CARD)
    emulator.moving()
    with pytest.raises(CaptureRetry) as retry:
        reader.read(timeout_s=0)
    assert retry.value.reason is RetryReason.LAY_CARD
    emulator.moving(False)
    assert reader.read(timeout_s=0) == CARD


def test_noise_and_damage_are_survived_within_the_deadline(emulator: SamVEmulator, reader: SamVReader) -> None:
    emulator.lay(CARD)
    emulator.noise(500)
    emulator.corrupt_checksum(answers=1)
    assert reader.read(timeout_s=0) == CARD
    emulator.take()
    emulator.lay(CARD)
    emulator.corrupt_length()
    assert reader.read(timeout_s=0) == CARD


def test_damage_without_end_is_an_error(emulator: SamVEmulator, reader: SamVReader) -> None:
    emulator.corrupt_checksum(answers=1_000_000)
    with pytest.raises(DeviceProtocolError):
        reader.read(timeout_s=0)


def test_silence_is_a_timeout_and_the_reader_can_be_opened_again(emulator: SamVEmulator, reader: SamVReader) -> None:
    emulator.silence()
    with pytest.raises(DeviceTimeout):
        reader.read(timeout_s=0)
    emulator.silence(False)
    reader.close()
    reader.open()
    assert reader.read(timeout_s=0) is None


def test_a_pulled_cable_is_noticed_and_a_new_one_works(emulator: SamVEmulator, reader: SamVReader) -> None:
    emulator.unplug()
    with pytest.raises(DeviceUnplugged):
        reader.read(timeout_s=0)
    reader.close()
    with pytest.raises(DeviceNotFound):
        reader.open()
    emulator.plug()
    reader.open()
    emulator.lay(CARD)
    assert reader.read(timeout_s=0) == CARD


def test_the_port_belongs_to_one_program(emulator: SamVEmulator, reader: SamVReader) -> None:
    with pytest.raises(DeviceBusy):
        SamVReader(emulator.port).open()
    reader.open()
    reader.close()
    reader.close()
    with pytest.raises(DeviceUnplugged):
        reader.read()


def test_a_terminal_that_echoes_is_no_reader() -> None:
    master, far = os.openpty()
    try:
        with pytest.raises((DeviceProtocolError, DeviceTimeout)):
            SamVReader(os.ttyname(far), timeout_s=0.3).open()
    finally:
        os.close(master)
        os.close(far)


def test_a_reader_is_chosen_by_name() -> None:
    assert isinstance(make_card_reader("sam_v", port="/dev/nothing"), SamVReader)
    disabled = make_card_reader("disabled")
    disabled.open()
    with pytest.raises(DeviceError) as refused:
        disabled.read()
    assert refused.value.code == "device_disabled"
    for name, options in (("samv", {}), ("sam_v", {"prot": "x"}), ("sam_v", {"baud": 57_000})):
        with pytest.raises(ConfigurationError):
            make_card_reader(name, **options)


def test_a_text_that_is_no_cards_is_refused_without_repeating_it() -> None:
    good = encode_text(CARD)
    for spoilt in (good[:-1], bytes(256), good[:248] + "Q".encode("utf-16-le") + good[250:], b"\xff\xdf" * 128):
        with pytest.raises(ValueError) as refused:
            decode_text(spoilt)
        assert CARD.number not in str(refused.value)


def test_a_field_that_does_not_fit_is_not_written() -> None:
    with pytest.raises(ValueError):
        encode_text(CardText(CardKind.CITIZEN, "1" * 19, "", "", "", date(2000, 1, 1), "", "", date(2000, 1, 1), None))
