"""One contract over both face indexes; then the choice between them and what faiss adds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import structlog
from structlog.testing import capture_logs

from matcher import enrolled_faces
from matcher import face_index as face_index_module
from matcher.enrolled_faces import EnrolledFaces
from matcher.face_index import FaceIndex, NumpyFaceIndex, face_index
from models.errors import InputError

HAS_FAISS = importlib.util.find_spec("faiss") is not None
ROWS = 12_000  # enough for the product codes to be trained


def units(count: int, *, seed: int, dimensions: int = 128) -> Any:
    rows = np.random.default_rng(seed).standard_normal((count, dimensions), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def faiss_index(dimensions: int = 128) -> FaceIndex:
    pytest.importorskip("faiss")
    from matcher.faiss_index import FaissFaceIndex

    return FaissFaceIndex(dimensions)


def seen_again(rows: Any, *, seed: int, share: float = 0.65) -> Any:
    """Probes whose cosine with their row is about ``share``, which is a genuine pair's on photographs in the wild."""
    noise = units(len(rows), seed=seed)
    return share * rows + np.sqrt(1 - share**2) * noise


@pytest.fixture(params=["numpy", "faiss"])
def make(request: pytest.FixtureRequest) -> Callable[..., FaceIndex]:
    return NumpyFaceIndex if request.param == "numpy" else faiss_index


@pytest.fixture(scope="module")
def rows() -> Any:
    return units(ROWS, seed=1)


class TestEveryFaceIndex:
    def test_finds_the_nearest_row_and_gives_its_dot_product(self, make: Callable[..., FaceIndex], rows: Any) -> None:
        index = make(128)
        index.add(rows, np.arange(ROWS) + 7)
        probes = np.concatenate([seen_again(rows[:150], seed=2), units(150, seed=3)])  # half of them strangers
        scores, ids = index.search(probes, 5)
        exact = probes @ rows.T
        assert np.mean(ids[:, 0] == exact.argmax(axis=1) + 7) >= 0.99
        assert scores == pytest.approx(np.take_along_axis(exact, ids - 7, axis=1), abs=2e-4)
        assert (np.diff(scores, axis=1) <= 0).all()

    def test_rows_added_in_pieces_are_found_like_those_added_at_once(
        self, make: Callable[..., FaceIndex], rows: Any
    ) -> None:
        index = make(128)
        for start in range(0, ROWS, 5_000):
            index.add(rows[start : start + 5_000], np.arange(start, min(ROWS, start + 5_000)))
        index.add(units(1, seed=9), np.array([ROWS]))
        assert len(index) == ROWS + 1
        chosen = np.append(np.arange(0, ROWS, 61), ROWS)
        probes = np.concatenate([rows, units(1, seed=9)])[chosen]
        assert index.search(probes, 1)[1][:, 0].tolist() == chosen.tolist()

    @pytest.mark.parametrize("held", [400, ROWS])
    def test_a_removed_row_is_gone_from_the_answers_and_the_others_stay(
        self, make: Callable[..., FaceIndex], rows: Any, held: int
    ) -> None:
        index = make(128)
        index.add(rows[:held], np.arange(held))
        gone = np.arange(0, held, 3)
        index.remove(gone)
        index.remove(np.array([held - 2]))
        assert len(index) == held - len(gone) - 1
        scores, ids = index.search(rows[:held:7], 3)
        assert not np.isin(ids, gone).any()
        assert held - 2 not in ids
        kept = [place for place in range(0, held, 7) if place % 3 and place != held - 2]
        assert ids[[place // 7 for place in kept], 0].tolist() == kept
        assert scores[0, 0] < 0.99

    def test_a_row_comes_back_under_its_old_id(self, make: Callable[..., FaceIndex], rows: Any) -> None:
        index = make(128)
        index.add(rows, np.arange(ROWS))
        index.remove(np.array([3, ROWS - 1]))
        index.add(rows[[3]], np.array([3]))
        scores, ids = index.search(rows[[3, ROWS - 1]], 1)
        assert ids[0, 0] == 3
        assert scores[0, 0] == pytest.approx(1.0, abs=2e-4)
        assert ids[1, 0] != ROWS - 1

    def test_everyone_may_leave_and_others_come(self, make: Callable[..., FaceIndex], rows: Any) -> None:
        index = make(128)
        index.add(rows, np.arange(ROWS))
        index.remove(np.arange(ROWS))
        assert index.search(rows[:1], 2)[1].tolist() == [[-1, -1]]
        index.add(rows[5:8], np.array([50, 60, 70]))
        assert index.search(rows[6:7], 1)[1].tolist() == [[60]]

    def test_more_places_than_rows_are_left_empty(self, make: Callable[..., FaceIndex]) -> None:
        index = make(3)
        assert index.search(np.ones((1, 3), np.float32), 2)[1].tolist() == [[-1, -1]]
        index.add(np.eye(3, dtype=np.float32)[:2], np.array([10, 11]))
        scores, ids = index.search(np.array([[0.2, 0.9, 0.0]], np.float32), 4)
        assert ids.tolist() == [[11, 10, -1, -1]]
        assert scores[0, :2] == pytest.approx([0.9, 0.2], abs=1e-4)
        assert np.isneginf(scores[0, 2:]).all()

    @pytest.mark.parametrize("ids", [[1, 1], [5, 0], [-1, 2], [1], [1, 2, 3]])
    def test_ids_that_are_taken_twice_negative_or_too_few_change_nothing(
        self, make: Callable[..., FaceIndex], ids: list[int]
    ) -> None:
        index = make(4)
        index.add(units(1, seed=1, dimensions=4), np.array([0]))
        with pytest.raises(InputError):
            index.add(units(2, seed=2, dimensions=4), np.array(ids))
        assert len(index) == 1

    def test_removing_what_is_not_there_removes_nothing(self, make: Callable[..., FaceIndex], rows: Any) -> None:
        index = make(128)
        index.add(rows[:50], np.arange(50))
        for ids in ([3, 50], list(range(1, 51)), [4, 4]):
            with pytest.raises(InputError):
                index.remove(np.array(ids))
        assert len(index) == 50

    @pytest.mark.parametrize("wrong", [np.ones((2, 5)), np.ones(4), np.full((1, 4), np.nan), np.full((1, 4), np.inf)])
    def test_rows_of_another_shape_or_without_numbers_are_refused(
        self, make: Callable[..., FaceIndex], wrong: Any
    ) -> None:
        index = make(4)
        with pytest.raises(InputError):
            index.add(wrong, np.arange(len(wrong)))
        with pytest.raises(InputError):
            index.search(wrong, 1)
        with pytest.raises(InputError, match="at least one row"):
            index.search(np.ones((1, 4), np.float32), 0)
        assert len(index) == 0


# What a disk image or a dump of the process would show, so private arrays are read here.
def bytes_of(index: Any) -> bytes:
    """Every array that the index holds, spare room included."""
    arrays = [value for value in vars(index).values() if isinstance(value, np.ndarray)]
    held = b"".join(array.tobytes() for array in [*arrays, index._slots._ids])
    return held + (index.packed_codes().tobytes() if hasattr(index, "packed_codes") else b"")


def test_no_byte_of_a_removed_row_stays_in_numpys_memory(rows: Any) -> None:
    index = NumpyFaceIndex(128, capacity=1_000)
    index.add(rows[:1_000], np.arange(1_000) + 77_000)
    assert rows[5].tobytes() in bytes_of(index)
    index.remove(np.array([77_005, 77_999]))
    left = bytes_of(index)
    for place in (5, 999):
        assert rows[place].tobytes() not in left
        assert np.int64(77_000 + place).tobytes() not in left
    assert rows[6].tobytes() in left


def test_no_byte_of_a_removed_row_stays_in_faiss_memory(rows: Any) -> None:
    """Upper bytes, lower bytes and product codes: the same as if the row had never been added."""
    index: Any = faiss_index()
    index.add(rows, np.arange(ROWS) + 77_000)
    upper, lower = index._upper[5].tobytes(), index._lower[5].tobytes()
    full = bytes_of(index)
    assert upper in full
    assert lower in full
    index.remove(np.arange(77_000 + 5, 77_000 + ROWS))
    left = bytes_of(index)
    assert upper not in left
    assert lower not in left
    assert np.int64(77_005).tobytes() not in left
    assert not index._upper[5:].any()
    assert not index.packed_codes()[1:].any()
    block = index.packed_codes()[0]  # two rows share a byte
    assert 0 < np.count_nonzero(block & 15) + np.count_nonzero(block >> 4) <= 5 * 64
    assert index.search(rows[:5], 1)[1][:, 0].tolist() == [77_000, 77_001, 77_002, 77_003, 77_004]


def test_memory_is_not_left_behind_when_an_index_grows(rows: Any) -> None:
    """The array that became too small is cleared, for somebody may still hold it."""
    index: Any = NumpyFaceIndex(128, capacity=10)
    index.add(rows[:10], np.arange(10))
    before = index._rows
    index.add(rows[10:20], np.arange(10, 20))
    assert not before.any()
    assert index.memory_bytes() >= rows[:20].nbytes


def test_an_odd_number_of_dimensions_is_as_good_as_an_even_one() -> None:
    index = faiss_index(33)
    held = units(ROWS, seed=4, dimensions=33)
    index.add(held, np.arange(ROWS))
    assert index.search(held[:20], 1)[1][:, 0].tolist() == list(range(20))


def test_the_index_is_chosen_by_size() -> None:
    assert face_index(0).name == "numpy"
    assert face_index(50_000).name == "numpy"
    if HAS_FAISS:
        assert face_index(50_001).name == "faiss PQ4 fast-scan + SQ8 refine"
    with pytest.raises(InputError):
        face_index(-1)


def test_without_faiss_the_search_stays_exact_and_says_why_it_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_index_module, "find_spec", lambda _: None)
    structlog.reset_defaults()  # a test before may have silenced warnings
    with capture_logs() as logs:
        index = face_index(60_000, 16)
        face_index(50_000, 16)
    assert index.name == "numpy"
    assert [(entry["event"], entry["rows"]) for entry in logs] == [("face_index_without_faiss", 60_000)]
    assert "pip install 'muster[scale]'" in logs[0]["sentence"]


def test_a_large_gallery_searches_by_index_and_names_the_same_people(
    monkeypatch: pytest.MonkeyPatch, rows: Any
) -> None:
    """Three references each of 4,000 people; the index takes the place of comparing with everybody's middle."""
    pytest.importorskip("faiss")
    owner = np.repeat(np.arange(ROWS // 3), 3)
    people, probes = ROWS // 3, rows[1::240]
    exact = EnrolledFaces(rows, owner, people=people, background=None, fusion="centroid")
    monkeypatch.setattr(face_index_module, "NUMPY_UP_TO", 1_000)
    monkeypatch.setattr(enrolled_faces, "NUMPY_UP_TO", 1_000)
    monkeypatch.setattr("matcher.faiss_index.TRAINED_FROM", 2_000)
    indexed: Any = EnrolledFaces(rows, owner, people=people, background=None, fusion="centroid")
    assert indexed._index.packed_codes().any()
    for probe in probes:
        expected, found = exact.search(probe)[:3], indexed.search(probe)[:3]
        assert [(hit.person, hit.reference) for hit in found] == [(hit.person, hit.reference) for hit in expected]
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=2e-4)
