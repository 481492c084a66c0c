"""Writing the ledger as one file that proves itself. Owns the export; the check is ``models.bundle``.

A bundle is lines of canonical JSON: a header (the newest signed head and the registry it covers), then the records in
the order of the log, each with the nodes of the hash tree that open the way from the root down to it, and between
them the earlier heads where they were signed. About 100 bytes a record go to the tree.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import merkle
from models.attendance import canonical, format_time
from models.errors import LedgerError, StoreError
from models.ledger import LOG, TreeHead, event_leaf, record_line
from models.ledger_store import head_of, latest_head
from models.store.center import EventRow, RegistryRow, TreeHeadRow, TreeNodeRow
from models.text import encode_bytes

_AT_ONCE = 1000  # rows fetched at a time


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into a bundle. ``unsigned`` records came after the newest head and stayed out."""

    events: int
    heads: int
    unsigned: int
    head: TreeHead


def export_bundle(session: Session, path: Path, *, progress: Callable[[int, int], None] | None = None) -> Exported:
    """Write the log up to its newest signed head to ``path``, whole or not at all.

    ``progress(done, of)`` is called as records are written. Raises LedgerError before the first head, StoreError if
    the file cannot be written.
    """
    head = latest_head(session)
    if head is None:
        raise LedgerError("The ledger has no signed tree head yet; start the center once.", code="head_missing")
    leaves = _leaves(session)
    tree = _tree(session, leaves, head)
    heads = [head_of(row) for row in session.scalars(select(TreeHeadRow).order_by(TreeHeadRow.size))][:-1]
    _write(path, _lines(session, head, heads, tree, progress))
    return Exported(head.size, len(heads) + 1, len(leaves) - head.size, head)


def openings(tree: merkle.MerkleTree, size: int) -> Iterator[list[str]]:
    """For each leaf, the pairs of child hashes that open the tree from what earlier leaves opened down to it.

    Every inner node is opened once, at its first leaf: the root and the left spine at leaf 0, nothing at odd leaves.
    """
    waiting = [(0, size)] if size else []
    while waiting:
        start, count = waiting.pop()
        path = []
        while count > 1:
            left = merkle.split(count)
            for part in ((start, left), (start + left, count - left)):
                path.append(encode_bytes(merkle.subtree_root(*part, tree.node_at)))
            waiting.append((start + left, count - left))
            count = left
        yield path


def _lines(
    session: Session,
    head: TreeHead,
    heads: list[TreeHead],
    tree: merkle.MerkleTree,
    progress: Callable[[int, int], None] | None,
) -> Iterator[bytes]:
    yield _header(session, head)
    opened = openings(tree, head.size)
    earlier = iter([*heads, None])
    upcoming = next(earlier)
    rows = session.execute(_events(head.size).execution_options(yield_per=_AT_ONCE))
    paths: dict[int, list[str]] = {}
    for row in rows:
        while upcoming is not None and upcoming.size <= row.leaf_index:
            yield canonical({"head": upcoming.to_json()})
            upcoming = next(earlier)
        while row.leaf_index not in paths:
            paths = {max(paths, default=-1) + 1: next(opened)}
        yield record_line(
            row.leaf_index,
            row.body.encode(),
            row.hash,
            row.signature,
            received_at=format_time(row.received_at),
            path=paths[row.leaf_index],
        )
        if progress is not None:
            progress(row.leaf_index + 1, head.size)


def _header(session: Session, head: TreeHead) -> bytes:
    registry = session.get(RegistryRow, head.registry)
    if registry is None:
        raise LedgerError("The registry that the newest tree head covers is missing.", code="ledger_rewritten")
    return canonical({"format": LOG, "head": head.to_json()})[:-1] + b',"registry":%b}' % registry.body.encode()


def _events(size: int) -> Any:
    columns = (EventRow.leaf_index, EventRow.body, EventRow.hash, EventRow.signature, EventRow.received_at)
    return select(*columns).where(EventRow.leaf_index < size).order_by(EventRow.leaf_index)


def _leaves(session: Session) -> list[bytes]:
    nodes = select(TreeNodeRow.hash).where(TreeNodeRow.level == 0).order_by(TreeNodeRow.position)
    return list(session.scalars(nodes))


def _tree(session: Session, leaves: list[bytes], head: TreeHead) -> merkle.MerkleTree:
    """The signed tree; if the stored hashes are not it, those of the records themselves are tried."""
    if all(len(leaf) == merkle.HASH_BYTES for leaf in leaves):  # else a node was damaged
        tree = merkle.MerkleTree(leaves[: head.size])
        if len(tree) == head.size and tree.root().hex() == head.root:
            return tree
    again = merkle.MerkleTree(
        [
            event_leaf(row.body.encode(), row.hash, row.signature, received_at=format_time(row.received_at))
            for row in session.execute(_events(head.size))
        ]
    )
    if len(again) != head.size:
        raise LedgerError(
            f"The ledger holds {len(again)} of the {head.size} records that were signed, and its hash tree is damaged.",
            code="ledger_rewritten",
        )
    return again


def _write(path: Path, lines: Iterator[bytes]) -> None:
    if path.exists() and not path.is_file():  # a device would be replaced by a file
        raise StoreError(f"The bundle cannot be written to {path.name}, which is no file.", code="store_full")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            for line in lines:
                stream.write(line + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise StoreError(f"The bundle {path.name} cannot be written: {reason}.", code="store_full") from error
    finally:
        draft.unlink(missing_ok=True)
