"""The rewritten network answers what the file answers, and its own writer writes what onnxruntime reads."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from hardware.simulation.fingers import SimulatedFinger
from matcher import weights
from matcher.engines.leader import SCORE_THRESHOLD, LeaderNetwork
from matcher.engines.leader_graph import dense_network
from matcher.engines.onnx_file import Graph, Node, read_graph, write_graph
from models.errors import WeightsError


@pytest.fixture(scope="module")
def content() -> bytes:
    return weights.path("leader").read_bytes()


def answers(content: bytes, picture: np.ndarray) -> np.ndarray:
    """(H, W, 4): what the file itself says of a picture, run without any change."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": picture[None, :, :, None].astype(np.float32)})[0][0]


@pytest.mark.parametrize("condition", ["normal", "dry"])
def test_the_rewritten_network_finds_what_the_file_finds(content, condition):
    """Also at the border of the picture, where convolutions see zeros."""
    picture = np.ascontiguousarray(SimulatedFinger(21).impression(1, condition=condition)[40:168, 50:210])
    expected = answers(content, picture)
    y, x = np.nonzero(expected[..., 3] >= SCORE_THRESHOLD)
    found = LeaderNetwork().find(picture)
    order = np.lexsort((found.xy[:, 0], found.xy[:, 1]))
    assert len(y) >= 8
    assert np.array_equal(found.xy[order], np.stack([x, y], axis=1))
    assert found.score[order] == pytest.approx(expected[y, x, 3], abs=1e-4)
    assert np.abs(np.exp(1j * found.angle[order]) - np.exp(1j * expected[y, x, 1])).max() < 1e-3
    assert np.array_equal(found.kind[order] == 1, expected[y, x, 2] >= 0.5)


def test_a_minutia_at_the_very_border_is_described_as_the_file_describes_it(content):
    network = LeaderNetwork()
    picture = np.random.default_rng(3).integers(0, 256, (64, 96), dtype=np.uint8)
    expected = answers(content, picture)
    _, features = network._dense.run(None, {"picture": picture[None, None].astype(np.float32)})
    y, x = (places.ravel() for places in np.mgrid[0:64:9, 0:96:5])
    y, x = np.append(y, [63, 63, 0]), np.append(x, [95, 0, 95])
    angle, ending = network._described(features[0], y, x)
    assert np.abs(ending - expected[y, x, 2]).max() < 1e-4
    turned = np.abs(np.exp(1j * angle) - np.exp(1j * expected[y, x, 1]))
    assert np.median(turned) < 1e-4
    assert turned.max() < 0.05  # where the direction is hardly one, rounding turns it


def test_a_file_of_another_network_is_refused_with_one_sentence():
    other = Graph(
        (Node("Relu", ("in",), ("out",)),), {"unused": np.zeros(2, np.float32)}, {"in": (1, 2)}, {"out": (1, 2)}
    )
    with pytest.raises(WeightsError, match="not the LEADER network"):
        dense_network(write_graph(other))


@pytest.mark.parametrize("damaged", [b"", b"\x00", b"not a network", b"\x3a\xff\xff\xff\xff\x0f", b"\x3a\x02\x0b\x00"])
def test_bytes_that_are_no_network_are_refused(damaged):
    with pytest.raises(WeightsError, match="not readable as ONNX"):
        read_graph(damaged)


def test_a_truncated_network_is_refused(content):
    for length in (10, 1000, len(content) - 1):
        with pytest.raises(WeightsError):
            dense_network(content[:length])


def test_what_is_written_is_read_back_and_run_by_onnxruntime():
    nodes = (
        Node("Transpose", ("in",), ("turned",), {"perm": (1, 0)}),
        Node("LeakyRelu", ("turned",), ("bent",), {"alpha": 0.5}),
        Node("Slice", ("bent", "from", "to", "axis"), ("out",)),
    )
    bounds = {"from": np.array([-2]), "to": np.array([2**40]), "axis": np.array([0])}
    graph = Graph(nodes, bounds, {"in": ("rows", 3)}, {"out": (2, "rows")})
    content = write_graph(graph)
    again = read_graph(content)
    assert [(node.kind, node.inputs, node.outputs) for node in again.nodes] == [
        (node.kind, node.inputs, node.outputs) for node in nodes
    ]
    assert {name: tensor.tolist() for name, tensor in again.tensors.items()} == {
        "from": [-2],
        "to": [2**40],
        "axis": [0],
    }
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    answer = session.run(None, {"in": np.array([[1, -2, 3], [4, 5, -6]], np.float32)})[0]
    assert answer.tolist() == [[-1.0, 5.0], [3.0, -3.0]]
