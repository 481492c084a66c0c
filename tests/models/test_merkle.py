"""The hash tree against its own definition, and proofs against everything they must refuse."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.merkle import (
    EMPTY_ROOT,
    Frontier,
    MerkleTree,
    consistency_holds,
    inclusion_holds,
    leaf_hash,
    node_hash,
    split,
)


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


CONTENTS = [str(n).encode() for n in range(70)]
TREE = MerkleTree([leaf_hash(content) for content in CONTENTS])


@pytest.mark.parametrize("size", range(71))
def test_the_root_of_every_size_is_the_defined_one(size):
    frontier = Frontier()
    for content in CONTENTS[:size]:
        frontier.append(leaf_hash(content))
    assert frontier.root() == TREE.root(size) == defined_root(CONTENTS[:size])
    assert frontier.size == size


def test_known_hashes():
    """The empty tree's root and a single empty leaf's, as every RFC 9162 log publishes them."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(leaf_hash(b""), leaf_hash(b"\x00")).hex() == (
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    )


@pytest.mark.parametrize(("size", "left"), [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8)])
def test_a_tree_splits_at_the_largest_power_of_two_below_its_size(size, left):
    assert split(size) == left


@given(st.data())
def test_every_leaf_has_a_proof_and_it_proves_nothing_else(data):
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    leaf, root, path = leaf_hash(CONTENTS[index]), TREE.root(size), TREE.inclusion_path(index, size=size)
    assert inclusion_holds(leaf, index, size=size, root=root, path=path)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index) if size > 1 else st.just(70))
    assert not inclusion_holds(leaf, other, size=size, root=root, path=path)
    assert not inclusion_holds(leaf_hash(b"x"), index, size=size, root=root, path=path)
    assert not inclusion_holds(leaf, index, size=size, root=root, path=[*path, root])
    if path:
        assert not inclusion_holds(leaf, index, size=size, root=root, path=path[:-1])


@settings(max_examples=200)
@given(st.data())
def test_every_tree_continues_its_earlier_ones_and_no_others(data):
    second = data.draw(st.integers(1, 70))
    first = data.draw(st.integers(1, second))
    path = TREE.consistency_path(first, second)
    roots = {"first_root": TREE.root(first), "second_root": TREE.root(second)}
    assert consistency_holds(first, second, path=path, **roots)
    assert not consistency_holds(first, second, path=path, **(roots | {"first_root": leaf_hash(b"x")}))
    assert not consistency_holds(first, second, path=path, **(roots | {"second_root": leaf_hash(b"x")}))
    assert not consistency_holds(first, second, path=[*path, EMPTY_ROOT], **roots)


def test_there_is_no_proof_of_what_is_not_there():
    with pytest.raises(ValueError, match="no leaf 70"):
        TREE.inclusion_path(70)
    with pytest.raises(ValueError, match="no consistency proof"):
        TREE.consistency_path(0, 5)
    assert not inclusion_holds(EMPTY_ROOT, 0, size=0, root=EMPTY_ROOT, path=[])
    assert not consistency_holds(5, 3, first_root=b"", second_root=b"", path=[])
    with pytest.raises(ValueError, match="32 bytes"):
        TREE.append(b"short")
