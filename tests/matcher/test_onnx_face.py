"""The engine for a site's own embedder: on networks made here, and on SFace itself, which must come out the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matcher import scales, weights
from matcher.engines import load_engine, onnx_file
from matcher.engines.onnx_file import Graph, Node, Shape, write_graph
from matcher.engines.onnx_settings import read_settings
from matcher.gallery import Gallery
from matcher.ports import DetectedFace, FaceEngine
from models.biometrics import UInt8Array
from models.errors import ConfigurationError, InputError, TemplateError, WeightsError
from tests.matcher.faces import face_reference, portrait

POOLED = (Node("AveragePool", ("face",), ("pooled",), {"kernel_shape": [14, 14], "strides": [14, 14]}),)
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "input": {"channels": "rgb", "layout": "nchw", "mean": 127.5, "std": 127.5},
    "output": {"metric": "cosine"},
}
FACE = DetectedFace(
    (0, 0, 112, 112), np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]], np.float32), 0.9
)

Write = Callable[..., Path]


def network(
    *nodes: Node, input_shape: Shape = (1, 3, 112, 112), outputs: Mapping[str, Shape] | None = None, numbers: int = 32
) -> bytes:
    """A small embedder: the face averaged to 8 x 8 pixels, three channels, mixed into ``numbers`` numbers."""
    mixing = np.random.default_rng(1).normal(size=(192, numbers)).astype(np.float32)
    usual = (*POOLED, Node("Flatten", ("pooled",), ("flat",)), Node("MatMul", ("flat", "mixing"), ("vector",)))
    shapes = outputs or {"vector": (1, numbers)}
    return write_graph(Graph(nodes or usual, {"mixing": mixing}, {"face": input_shape}, shapes))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: bytes, *, sha256: str | None = None, **tables: Mapping[str, Any]) -> Path:
        """A network and settings beside it; ``tables`` replace single keys, None leaves one out."""
        (tmp_path / "embedder.onnx").write_bytes(content)
        digest = sha256 or hashlib.sha256(content).hexdigest()
        lines = ['file = "embedder.onnx"', f'sha256 = "{digest}"', 'license = "bought for this site"']
        for table in ("input", "output", "scores"):
            keys = {**SETTINGS.get(table, {}), **tables.get(table, {})}
            if keys:
                lines.append(f"[{table}]")
                lines += [f"{name} = {_toml(value)}" for name, value in keys.items() if value is not None]
        (tmp_path / "face.toml").write_text("\n".join(lines), "utf-8")
        return tmp_path / "face.toml"

    return written


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def load(file: Path) -> FaceEngine:
    engine: FaceEngine = load_engine(f"onnx:{file}")
    return engine


def noise(seed: int) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (112, 112, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def sface_settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SFace described as a site would describe its own network."""
    file = tmp_path_factory.mktemp("sface") / "face.toml"
    place = weights.path("sface")
    file.write_text(
        f'file = "{place}"\nsha256 = "{weights.entry("sface").sha256}"\nlicense = "Apache-2.0"\n'
        '[input]\nchannels = "rgb"\nlayout = "nchw"\nmean = 0\nstd = 1\n[output]\nmetric = "cosine"\n',
        "utf-8",
    )
    return file


def test_sface_as_a_sites_own_network_gives_the_vectors_of_sface(sface: FaceEngine, sface_settings: Path) -> None:
    own = load(sface_settings)
    pixels = portrait("1a")
    face = own.detect(pixels)[0]
    assert (face.landmarks == sface.detect(pixels)[0].landmarks).all()
    row = own.vectors([own.extract(pixels, face)])[0]
    same = sface.vectors([sface.extract(pixels, face)])[0]
    assert float(row @ same) == pytest.approx(1.0, abs=1e-4)


def test_a_template_is_never_compared_with_another_networks(sface: FaceEngine, sface_settings: Path) -> None:
    """Not even with the same network under its shipped name: nobody promised that both are fed alike."""
    own = load(sface_settings)
    pixels = portrait("1a")
    template = own.extract(pixels, own.detect(pixels)[0])
    with pytest.raises(TemplateError):
        sface.vectors([template])
    with pytest.raises(TemplateError):
        own.vectors([sface.extract(pixels, sface.detect(pixels)[0])])


class TestFormat:
    def test_it_is_bound_to_the_network_and_to_how_it_is_fed(self, write: Write) -> None:
        formats = [
            load(write(network())).format,
            load(write(network(numbers=48))).format,
            load(write(network(), input={"channels": "bgr"})).format,
            load(write(network(), input={"mean": 127.0})).format,
            load(write(network(), input={"std": [128, 128, 127]})).format,
        ]
        assert len(set(formats)) == len(formats)
        assert all(item.name.startswith("onnx-") for item in formats)

    def test_license_place_and_metric_change_nothing(self, write: Write, tmp_path: Path) -> None:
        one = load(write(network())).format
        assert load(write(network(), output={"metric": "euclidean"})).format == one
        moved = tmp_path / "elsewhere"
        moved.mkdir()
        (moved / "face.toml").write_text((tmp_path / "face.toml").read_text("utf-8"), "utf-8")
        (moved / "embedder.onnx").write_bytes(network())
        assert load(moved / "face.toml").format == one

    def test_references_of_a_replaced_network_are_ignored_until_people_are_enrolled_anew(self, write: Write) -> None:
        before, after = load(write(network())), load(write(network(numbers=48)))
        gallery = Gallery(face_engine=after)
        gallery.replace([face_reference("r1", "p1", before.extract(noise(1), FACE))])
        assert gallery.ignored == 1
        assert len(gallery) == 0


class TestFeeding:
    def test_channels_layout_mean_and_std_are_as_the_settings_say(self, write: Write) -> None:
        """The network hands back the corner of what it is fed, so that it can be looked at."""
        crop = noise(2)
        corner = Node("Slice", ("face", "from", "to", "axes"), ("corner",))
        tensors = {"from": np.array([0, 0]), "to": np.array([4, 4]), "shape": np.array([1, 48])}

        def fed(layout: str, channels: str) -> Any:
            axes = np.array([2, 3] if layout == "nchw" else [1, 2])
            shape: Shape = (1, 3, 112, 112) if layout == "nchw" else (1, 112, 112, 3)
            flat = Node("Reshape", ("corner", "shape"), ("vector",))
            graph = Graph((corner, flat), {**tensors, "axes": axes}, {"face": shape}, {"vector": (1, 48)})
            wanted = {"channels": channels, "layout": layout, "mean": [10, 20, 30], "std": [2, 4, 8]}
            engine = load(write(write_graph(graph), input=wanted))
            return engine.vectors([engine.extract(crop, FACE)])[0]

        from matcher.engines.alignment import aligned_face

        seen = aligned_face(crop, FACE.landmarks)[:4, :4].astype(np.float32)
        for channels, ordered in (("rgb", seen), ("bgr", seen[:, :, ::-1])):
            expected = (ordered - (10, 20, 30)) / (2, 4, 8)
            for layout, laid in (("nchw", expected.transpose(2, 0, 1)), ("nhwc", expected)):
                flat = laid.ravel() / np.linalg.norm(laid)
                assert fed(layout, channels) == pytest.approx(flat, abs=1e-5)

    def test_the_same_face_scores_one_and_another_less(self, write: Write) -> None:
        engine = load(write(network()))
        one, again, other = (engine.extract(noise(seed), FACE) for seed in (1, 1, 2))
        assert engine.compare(one, again) == pytest.approx(1.0, abs=1e-6)
        assert engine.compare(one, other) < 0.999

    def test_a_length_that_the_network_leaves_open_is_fine(self, write: Write) -> None:
        assert load(write(network(input_shape=("batch", 3, "height", "width")))).format

    def test_an_output_is_chosen_by_name(self, write: Write) -> None:
        content = network(outputs={"vector": (1, 32), "flat": (1, 192)})
        assert load(write(content, output={"name": "flat"})).extract(noise(1), FACE).payload.__len__() == 4 * 192
        with pytest.raises(WeightsError, match=r"has the outputs vector, flat; say which one in output.name"):
            load(write(content))
        with pytest.raises(WeightsError, match="has no output 'face', only vector, flat"):
            load(write(content, output={"name": "face"}))


class TestRefusals:
    def test_another_file_than_the_one_named(self, write: Write) -> None:
        with pytest.raises(
            WeightsError, match=r"is not the one named in .*face.toml: its SHA-256 is [0-9a-f]{12}…, not 0"
        ):
            load(write(network(), sha256="0" * 64))

    def test_a_file_that_is_missing(self, write: Write) -> None:
        file = write(network())
        (file.parent / "embedder.onnx").unlink()
        with pytest.raises(WeightsError, match=r"embedder.onnx is missing; .*face.toml names it"):
            load(file)

    def test_a_file_that_is_a_folder(self, write: Write) -> None:
        file = write(network())
        (file.parent / "embedder.onnx").unlink()
        (file.parent / "embedder.onnx").mkdir()
        with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
            load(file)

    @pytest.mark.parametrize("content", [b"", b"no network at all", network()[:500]])
    def test_a_file_that_is_no_network(self, write: Write, content: bytes) -> None:
        with pytest.raises(WeightsError, match="is no ONNX file that runs here"):
            load(write(content))

    def test_a_network_that_keeps_numbers_in_a_second_file_which_no_hash_covers(
        self, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """TensorProto: field 13 names a file, field 14 says that the numbers are there."""
        mixing = np.ones((192, 32), np.float32)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "numbers.bin").write_bytes(mixing.tobytes())
        write_field, write_tensor = onnx_file._message, onnx_file._tensor_bytes
        place = write_field(13, write_field(1, b"location") + write_field(2, b"numbers.bin"))
        elsewhere = place + onnx_file._number(14, 1)

        def outside(name: str, tensor: Any) -> bytes:
            inside = write_tensor(name, tensor)
            return inside.removesuffix(write_field(9, tensor.astype("<f4").tobytes())) + elsewhere

        monkeypatch.setattr(onnx_file, "_tensor_bytes", outside)
        with pytest.raises(WeightsError, match="runs here by itself"):
            load(write(network()))

    @pytest.mark.parametrize(
        ("shape", "said"),
        [
            ((1, 3, 160, 160), "takes an input of 1 x 3 x 160 x 160, not of 1 x 3 x 112 x 112"),
            ((1, 112, 112, 3), "takes an input of 1 x 112 x 112 x 3, not of 1 x 3 x 112 x 112"),
            ((1, 1, 112, 112), "takes an input of 1 x 1 x 112 x 112"),
            ((3, 112, 112), "takes an input of 3 x 112 x 112"),
        ],
    )
    def test_a_network_for_other_pictures(self, write: Write, shape: Shape, said: str) -> None:
        flat = Node("Flatten", ("face",), ("vector",))
        with pytest.raises(WeightsError, match=said):
            load(write(network(flat, input_shape=shape, outputs={"vector": ("a", "b")})))

    def test_a_network_whose_output_is_a_picture(self, write: Write) -> None:
        with pytest.raises(WeightsError, match=r"gives an output of shape \(1, 3, 8, 8\), not one vector"):
            load(write(network(*POOLED, outputs={"pooled": (1, 3, 8, 8)})))

    def test_a_network_whose_output_is_too_short_for_a_face(self, write: Write) -> None:
        with pytest.raises(WeightsError, match=r"not one vector of 16 to 4096 numbers"):
            load(write(network(numbers=8)))

    def test_a_network_that_fails_on_a_face(self, write: Write) -> None:
        wrong = Node("MatMul", ("face", "mixing"), ("vector",))
        with pytest.raises(WeightsError, match="cannot be"):
            load(write(network(wrong, input_shape=(1, 3, "a", "b"), outputs={"vector": ("c", "d")})))

    def test_a_network_with_two_inputs(self, write: Write) -> None:
        both = Node("Add", ("face", "second"), ("vector",))
        shapes: Any = {"face": (1, 3, 112, 112), "second": (1, 3, 112, 112)}
        with pytest.raises(WeightsError, match="has 2 inputs"):
            load(write(write_graph(Graph((both,), {}, shapes, {"vector": (1, 3, 112, 112)}))))

    def test_the_engine_without_a_file_says_how_it_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match=r"onnx:FILE\.toml"):
            load_engine("onnx")

    def test_an_engine_that_takes_no_file(self) -> None:
        with pytest.raises(ConfigurationError, match="'sface' takes no file"):
            load_engine("sface:face.toml")


class TestSettings:
    @pytest.mark.parametrize(
        ("tables", "said"),
        [
            ({"input": {"channels": "RGB"}}, "input.channels must be one of rgb, bgr, not 'RGB'"),
            ({"input": {"channels": None}}, "input.channels is missing"),
            ({"input": {"layout": "chw"}}, "input.layout must be one of nchw, nhwc"),
            ({"input": {"mean": None}}, "input.mean is missing"),
            ({"input": {"mean": [1, 2]}}, "input.mean must be one number or three"),
            ({"input": {"mean": "x"}}, "input.mean must be a number, not 'x'"),
            ({"input": {"std": 0}}, "input.std must be above 0"),
            ({"input": {"std": "nan"}}, "input.std must be a number"),
            ({"input": {"chanels": "rgb"}}, "no key 'input.chanels'; did you mean 'channels'"),
            ({"output": {"metric": "manhattan"}}, "output.metric must be one of cosine, euclidean"),
            ({"scores": {"floor": 0.4}}, "scores.near is missing"),
            ({"scores": {"floor": 0.4, "near": 0.1, "apart": 0.1}}, "scores.steps must be a list of pairs"),
            (
                {"scores": {"floor": 0.4, "near": 0.1, "apart": 0.1, "steps": [[1e-4, 0.3], [1e-3, 0.4]]}},
                "must begin with the highest false match rate",
            ),
            (
                {"scores": {"floor": 0.4, "near": 0.1, "apart": 0.1, "steps": [[1e-3, 0.4], [1e-4, 0.3]]}},
                "are not cosine thresholds that grow stricter",
            ),
            (
                {"scores": {"floor": 40, "near": 0.1, "apart": 0.1, "steps": [[1e-3, 40], [1e-4, 50]]}},
                "are not cosine thresholds",
            ),
        ],
    )
    def test_a_wrong_key_is_named_with_its_file(self, write: Write, tables: Any, said: str) -> None:
        with pytest.raises(ConfigurationError, match=said) as raised:
            read_settings(write(b"", **tables))
        assert "face.toml: " in str(raised.value)

    @pytest.mark.parametrize(
        "content", ["file = ", 'file = "a"', "file = 3\ninput = 1\noutput = 2", "[input]\n[output]"]
    )
    def test_a_file_that_is_not_of_the_kind_is_told_in_a_sentence(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "face.toml").write_text(content, "utf-8")
        with pytest.raises(ConfigurationError, match=r"face\.toml: "):
            read_settings(tmp_path / "face.toml")

    def test_a_file_that_is_missing_or_no_text(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
            read_settings(tmp_path / "none.toml")
        (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigurationError, match="is not UTF-8"):
            read_settings(tmp_path / "bytes.toml")

    def test_a_hash_that_is_none(self, write: Write) -> None:
        with pytest.raises(ConfigurationError, match="sha256 must be 64 hexadecimal digits"):
            read_settings(write(b"", sha256="abc"))


class TestDeclaredScores:
    def test_thresholds_told_as_distances_are_the_cosines_of_the_same_vectors(self, write: Write) -> None:
        steps = [[1e-3, 1.20], [1e-4, 1.10]]
        scores = {"floor": 1.1, "near": 0.05, "apart": 0.1, "steps": steps}
        settings = read_settings(write(b"", output={"metric": "euclidean"}, scores=scores))
        assert settings.scale is not None
        assert settings.scale.floor == pytest.approx(1 - 1.1**2 / 2)
        assert [threshold for _, threshold in settings.scale.steps] == pytest.approx([0.28, 0.395])
        assert settings.scale.near == pytest.approx(1.1 * 0.05)

    def test_the_engine_declares_them_for_its_own_format_alone(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scales, "SCALES", dict(scales.SCALES))
        monkeypatch.setattr(scales, "SIMILARITIES", dict(scales.SIMILARITIES))
        undeclared = load(write(network(numbers=48)))
        with pytest.raises(InputError, match="No threshold is known"):
            scales.score_scale(undeclared.format)
        scores = {"floor": 0.4, "near": 0.05, "apart": 0.08, "steps": [[1e-3, 0.32], [1e-4, 0.38]]}
        engine = load(write(network(), scores=scores))
        assert scales.score_scale(engine.format).floor == 0.4
        assert scales.similarity_threshold(engine.format, 1e-4) == 0.4
        with pytest.raises(ConfigurationError, match="cannot be declared"):
            scales.declare_scale(load_engine("sface").format, scales.score_scale(engine.format))
