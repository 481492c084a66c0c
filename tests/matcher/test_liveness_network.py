"""A site's own network: known by its hash, required where it is configured, and never silently missing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from matcher import liveness_network
from matcher.liveness_network import (
    NetworkManifest,
    hash_of,
    import_network,
    imported,
    known_networks,
    log_odds,
    manifest_of,
    open_network,
    settled,
    square,
)
from matcher.passive_network import PassiveNetwork
from matcher.ports import DetectedFace
from models.attendance import WitnessVerdict
from models.errors import WeightsError

FACE = DetectedFace((100, 100, 80, 100), np.zeros((5, 2), np.float32), 0.9)
PICTURE = np.zeros((300, 300, 3), np.uint8)


class Answers:
    """A network with fixed log-odds."""

    def __init__(self, values: Sequence[float], *, threshold: float = 0.5, attack: float = 0.01) -> None:
        self.manifest = NetworkManifest("fixed", "0" * 64, threshold=threshold, attack=attack)
        self._values, self.views = list(values), []

    def log_odds(self, pixels: np.ndarray, box: Sequence[float], views: Sequence[tuple[float, bool]]) -> np.ndarray:
        self.views += list(views)
        return np.array([self._values.pop(0)])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0] * 12, WitnessVerdict.PASSED),
        ([3.0] * 5, WitnessVerdict.UNDECIDED),
        ([-1.0] * 12, WitnessVerdict.UNDECIDED),
        ([-8.0] * 12, WitnessVerdict.FAILED),
        ([3.0] * 10 + [-90.0, -90.0], WitnessVerdict.PASSED),
        ([float("nan")] * 12, WitnessVerdict.UNDECIDED),
    ],
)
def test_a_visit_is_judged_by_the_middle_of_its_looks(values: list[float], expected: WitnessVerdict) -> None:
    network = Answers(values)
    witness = PassiveNetwork(network)  # type: ignore[arg-type]
    for number in range(len(values)):
        witness.observe(PICTURE, FACE, number * 0.11)
    assert witness.verdict().verdict is expected
    assert len(set(network.views)) == min(6, len(values))


def test_a_look_is_taken_ten_times_a_second_at_most() -> None:
    witness = PassiveNetwork(Answers([1.0] * 40))  # type: ignore[arg-type]
    for number in range(40):
        witness.observe(PICTURE, FACE, number * 0.025)
    assert witness.verdict().measures["looks"] <= 11


def test_an_attack_threshold_above_the_other_one_is_no_trap() -> None:
    manifest = NetworkManifest("odd", "0" * 64, threshold=0.2, attack=0.9)
    assert manifest.attack_log_odds == manifest.least_log_odds == pytest.approx(log_odds(0.2))


def test_extremes_do_not_count() -> None:
    assert settled([0, 0, 0, 0, 100]) == 0
    assert settled([1.0]) == 1


def test_the_square_round_a_face_is_reflected_at_the_border() -> None:
    picture = np.arange(40 * 40 * 3, dtype=np.uint32).reshape(40, 40, 3).astype(np.uint8)
    assert square(picture, (-5, 2, 20, 24), factor=1.5, side=32).shape == (32, 32, 3)
    whole = square(picture, (10, 10, 20, 20), factor=1.0, side=20)
    assert np.array_equal(whole, picture[10:30, 10:30])
    with pytest.raises(ValueError, match="outside"):
        square(picture, (200, 200, 10, 10), factor=1.0, side=8)


def test_what_is_wrong_with_a_file_is_said_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    with pytest.raises(WeightsError, match="There is no network file"):
        open_network(file)
    file.write_bytes(b"not a network")
    with pytest.raises(WeightsError, match="is none that is known here"):
        open_network(file)
    with pytest.raises(WeightsError, match="is not the one named"):
        open_network(file, NetworkManifest("other", "f" * 64))
    with pytest.raises(WeightsError, match="cannot be used"):
        open_network(file, NetworkManifest("broken", hash_of(file)))
    with pytest.raises(WeightsError, match="cannot be read"):
        hash_of(tmp_path)


def test_a_known_network_is_imported_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_WEIGHTS", str(tmp_path / "weights"))
    file = tmp_path / "download.bin"
    file.write_bytes(b"a network")
    assert import_network(file) is None and imported() is None
    known = NetworkManifest("mine", hashlib.sha256(b"a network").hexdigest())
    monkeypatch.setattr(liveness_network, "known_networks", lambda: (known,))
    assert import_network(file) == known
    place = imported()
    assert place is not None and place.read_bytes() == b"a network"


def test_networks_are_known_by_whole_hashes() -> None:
    for item in known_networks():
        assert len(item.sha256) == 64 and manifest_of(item.sha256.upper()) == item
        assert 0 < item.attack <= item.threshold < 1
