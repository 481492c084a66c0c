"""``muster evaluate attack``: which folders are recordings, and what the error rates count."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from skull import Skull

from matcher.commands import evaluate
from matcher.evaluation.attack import LEAST_SOLID, Judged, find_sequences, report, solidity
from matcher.liveness_network import NetworkManifest
from models.errors import InputError


def recordings(root: Path, *names: str) -> None:
    for name in names:
        place = root / name
        place.mkdir(parents=True)
        for number in (10, 2, 1):
            (place / f"frame_{number}.jpg").write_bytes(b"")


def test_every_folder_of_pictures_is_a_recording_in_order_of_time(tmp_path: Path) -> None:
    recordings(tmp_path, "live/0001_00_00_01", "print/0001_00_03_02", "mask/deep/down")
    found = find_sequences(tmp_path)
    assert [(item.kind, item.name, item.is_attack, item.motion) for item in found] == [
        ("live", "0001_00_00_01", False, "00"),
        ("mask", "down", True, None),
        ("print", "0001_00_03_02", True, "03"),
    ]
    assert [path.stem for path in found[0].pictures] == ["frame_1", "frame_2", "frame_10"]


@pytest.mark.parametrize("names", [(), ("live/a",), ("print/a",)])
def test_a_folder_without_both_sorts_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    recordings(tmp_path, *names)
    with pytest.raises(InputError, match="must hold a folder"):
        find_sequences(tmp_path)


def test_a_mistyped_folder_is_told_at_once(tmp_path: Path) -> None:
    result = CliRunner().invoke(evaluate, ["attack", str(tmp_path / "nothing")])
    assert isinstance(result.exception, InputError) and "is not a folder" in str(result.exception)


JUDGED = [
    Judged("live", False, None, 9, 2.0, 0.5),
    Judged("live", False, None, 9, -3.0, 0.5),
    Judged("live", False, None, 0, None, None),
    Judged("print", True, "03", 9, -6.0, 0.1),
    Judged("print", True, "03", 9, -6.0, 0.9),
    Judged("screen", True, None, 9, 1.0, 0.1),
    Judged("screen", True, None, 9, -1.0, 0.1),
]


def test_rates_count_what_was_let_through_by_kind_and_the_worst_kind_leads() -> None:
    network = SimpleNamespace(manifest=NetworkManifest("mine", "0" * 64, threshold=0.5))
    found = report(JUDGED, network)  # type: ignore[arg-type]
    assert (found["apcer"], found["bpcer"], found["sequences"]) == (0.5, pytest.approx(2 / 3), 7)
    assert found["with_network"]["apcer_by_kind"]["print"]["rate"] == 0.0
    assert found["without_network"]["apcer_by_kind"]["print"] == {
        "rate": 0.5, "low": pytest.approx(0.0126, abs=1e-3), "high": pytest.approx(0.987, abs=1e-3), "errors": 1,
        "sequences": 2,
    }  # fmt: skip
    assert found["without_network"]["apcer_by_motion"]["03"]["sequences"] == 2
    assert found["with_network"]["without_a_face"] == 1


def test_without_a_network_the_rates_are_those_of_the_movement_and_it_says_so() -> None:
    found = report(JUDGED, None)
    assert (found["apcer"], found["bpcer"]) == (0.5, pytest.approx(1 / 3))
    assert found["network"] is None and "with_network" not in found
    assert "No network was given" in found["said"]


def test_a_head_moves_as_a_solid_and_a_sheet_does_not() -> None:
    way = [(18 * np.sin(number / 3), 8 * np.sin(number / 5)) for number in range(24)]
    head = solidity([Skull(seed=1).seen(yaw_deg=yaw, pitch_deg=pitch) for yaw, pitch in way])
    sheet = solidity([Skull(depth=0.0).seen(yaw_deg=2 * yaw, pitch_deg=2 * pitch) for yaw, pitch in way])
    assert head is not None and sheet is not None
    assert sheet < LEAST_SOLID < head
    assert solidity([Skull().seen()] * 2) is None
