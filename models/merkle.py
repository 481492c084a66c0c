"""The hash tree of the log: hashing, proofs and their checks. Owns the mathematics; refuses records and keys.

Written from RFC 9162 sections 2.1.1 to 2.1.4 (SHA-256; a leaf is prefixed with 0x00, a node with 0x01). A tree of n
leaves splits at the largest power of two below n, so its left part is always complete: complete subtrees, addressed by
(level, position), are all that is ever stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

NodeAt = Callable[[int, int], bytes]  # (level, position) -> hash of the complete subtree of 2**level leaves


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf (RFC 9162 section 2.1.1)."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 9162 section 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two smaller than ``size`` (at least 2): how many leaves the left part has."""
    return 1 << (size - 1).bit_length() - 1


def subtree_root(start: int, size: int, node_at: NodeAt) -> bytes:
    """The root over ``size`` leaves from ``start``, where ``start`` is a multiple of the largest part's size."""
    if size == 0:
        return EMPTY_ROOT
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node_at(level, start >> level)
    left = split(size)
    return node_hash(subtree_root(start, left, node_at), subtree_root(start + left, size - left, node_at))


def completed_nodes(index: int, leaf: bytes, node_at: NodeAt) -> list[tuple[int, int, bytes]]:
    """The complete subtrees (level, position, hash) that come into being when ``leaf`` is appended at ``index``."""
    nodes, level, position, current = [(0, index, leaf)], 0, index, leaf
    while position & 1:
        current = node_hash(node_at(level, position - 1), current)
        level, position = level + 1, position >> 1
        nodes.append((level, position, current))
    return nodes


def inclusion_path(index: int, size: int, node_at: NodeAt) -> list[bytes]:
    """The proof that leaf ``index`` is in the tree of ``size`` leaves (RFC 9162 section 2.1.3.1), lowest node first.

    Raises ValueError if there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path, start = [], 0
    while size > 1:
        left = split(size)
        if index < left:
            path.append(subtree_root(start + left, size - left, node_at))
            size = left
        else:
            path.append(subtree_root(start, left, node_at))
            start, index, size = start + left, index - left, size - left
    return path[::-1]


def consistency_path(first: int, second: int, node_at: NodeAt) -> list[bytes]:
    """The proof that the tree of ``second`` leaves continues that of ``first`` (RFC 9162 section 2.1.4.1).

    Raises ValueError unless 0 < first <= second.
    """
    if not 0 < first <= second:
        raise ValueError(f"no consistency proof from {first} to {second} leaves")
    path, start, whole = [], 0, True
    while first != second:
        left = split(second)
        if first <= left:
            path.append(subtree_root(start + left, second - left, node_at))
            second = left
        else:
            path.append(subtree_root(start, left, node_at))
            start, first, second, whole = start + left, first - left, second - left, False
    if not whole:
        path.append(subtree_root(start, second, node_at))
    return path[::-1]


def inclusion_holds(leaf: bytes, index: int, *, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` leads from the leaf to the root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, current = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            current = node_hash(step, current)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            current = node_hash(current, step)
        at, last = at >> 1, last >> 1
    return last == 0 and current == root


def consistency_holds(first: int, second: int, *, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` shows that the second tree continues the first (RFC 9162 section 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


class Frontier:
    """The root of a growing log in O(log n) memory: the complete subtrees from left to right."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add one leaf's hash."""
        current, position = leaf, self.size
        while position & 1:
            current, position = node_hash(self._peaks.pop(), current), position >> 1
        self._peaks.append(current)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        current = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            current = node_hash(peak, current)
        return current


class MerkleTree:
    """A whole tree in memory, 64 bytes a leaf; hands out roots and proofs of any earlier size."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf: bytes) -> None:
        """Add one leaf's hash. Raises ValueError if it is not 32 bytes long."""
        if len(leaf) != HASH_BYTES:
            raise ValueError("a leaf's hash has 32 bytes")
        for level, _position, current in completed_nodes(len(self), leaf, self.node_at):
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += current

    def node_at(self, level: int, position: int) -> bytes:
        """The hash of a complete subtree."""
        return bytes(self._levels[level][position * HASH_BYTES : (position + 1) * HASH_BYTES])

    def root(self, size: int | None = None) -> bytes:
        """The root over the first ``size`` leaves, or over all."""
        return subtree_root(0, len(self) if size is None else size, self.node_at)

    def inclusion_path(self, index: int, *, size: int | None = None) -> list[bytes]:
        """See the function of the same name."""
        return inclusion_path(index, len(self) if size is None else size, self.node_at)

    def consistency_path(self, first: int, second: int | None = None) -> list[bytes]:
        """See the function of the same name."""
        return consistency_path(first, len(self) if second is None else second, self.node_at)
