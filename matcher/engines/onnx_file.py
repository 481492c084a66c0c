"""ONNX files, as far as a network must be read and written again: nodes, attributes and tensors.

Owns the wire format (protocol buffers, the messages of ``onnx.proto3``, opset 17); refuses to run anything. The
``onnx`` package would do the same, but it and its protobuf are needed for nothing else at run time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from models.errors import WeightsError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_FLOAT, _INT64 = 1, 7  # TensorProto.DataType
_ELEMENTS: Final[Mapping[int, np.dtype[Any]]] = {_FLOAT: np.dtype("<f4"), 6: np.dtype("<i4"), _INT64: np.dtype("<i8")}
_IR_VERSION: Final = 8
_OPSETS: Final = (("", 17), ("com.microsoft", 1))
_ATTRIBUTE_TYPES: Final = {"f": 1, "i": 2, "s": 3, "ints": 7}

Shape = tuple[int | str, ...]  # a name stands for a length that is known when the network runs


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: its type, the names it reads and writes, and, when written, its attributes and operator set."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """A network: its operations in order, its constant tensors, and the shapes of its float32 inputs and outputs."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, np.ndarray[Any, Any]]
    inputs: Mapping[str, Shape] = field(default_factory=dict)
    outputs: Mapping[str, Shape] = field(default_factory=dict)


def read_graph(content: bytes) -> Graph:
    """Nodes (without attributes) and tensors of an ONNX file's bytes. Raises WeightsError if it is not one."""
    try:
        body = _only(content, 7)  # ModelProto.graph
        nodes = tuple(_node(value) for number, value in _fields(body) if number == 1)
        tensors = dict(_tensor(value) for number, value in _fields(body) if number == 5)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise WeightsError("The network's file is not readable as ONNX.") from error
    return Graph(nodes, tensors)


def write_graph(graph: Graph) -> bytes:
    """The bytes of an ONNX file that holds ``graph``."""
    body = b"".join(_message(1, _node_bytes(node)) for node in graph.nodes)
    body += _message(2, b"muster")
    body += b"".join(_message(5, _tensor_bytes(name, tensor)) for name, tensor in graph.tensors.items())
    body += b"".join(_message(11, _value_bytes(name, shape)) for name, shape in graph.inputs.items())
    body += b"".join(_message(12, _value_bytes(name, shape)) for name, shape in graph.outputs.items())
    opsets = (_message(1, domain.encode()) + _number(2, version) for domain, version in _OPSETS)
    return _number(1, _IR_VERSION) + _message(7, body) + b"".join(_message(8, opset) for opset in opsets)


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Every field of a message: its number, and bytes or the integer. Raises ValueError, IndexError."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        if key & 7 == _VARINT:
            value, place = _varint(content, place)
            yield key >> 3, value
            continue
        if key & 7 == _BYTES:
            length, place = _varint(content, place)
        elif key & 7 in (_FIXED32, _FIXED64):
            length = 4 if key & 7 == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {key & 7}")
        if place + length > len(content):
            raise ValueError("a field longer than its message")
        yield key >> 3, content[place : place + length]
        place += length


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _only(content: bytes, number: int) -> bytes:
    found = [value for field_number, value in _fields(content) if field_number == number]
    if len(found) != 1 or not isinstance(found[0], bytes):
        raise ValueError("not one graph")
    return found[0]


def _node(content: bytes) -> Node:
    texts: dict[int, list[str]] = {1: [], 2: [], 4: []}
    for number, value in _fields(content):
        if number in texts:
            texts[number].append(value.decode())
    return Node(texts[4][0], tuple(texts[1]), tuple(texts[2]))


def _tensor(content: bytes) -> tuple[str, np.ndarray[Any, Any]]:
    shape: list[int] = []
    name, kind, raw = "", 0, b""
    for number, value in _fields(content):
        if number == 1:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == 2:
            kind = value
        elif number == 8:
            name = value.decode()
        elif number == 9:
            raw = value
    return name, np.frombuffer(raw, _ELEMENTS[kind]).reshape(shape)


def _packed(content: bytes) -> list[int]:
    values, place = [], 0
    while place < len(content):
        value, place = _varint(content, place)
        values.append(value)
    return values


def _node_bytes(node: Node) -> bytes:
    parts = [_message(1, name.encode()) for name in node.inputs]
    parts += [_message(2, name.encode()) for name in node.outputs]
    parts += [_message(3, node.outputs[0].encode()), _message(4, node.kind.encode())]
    parts += [_message(5, _attribute_bytes(name, value)) for name, value in node.attributes.items()]
    return b"".join(parts) + (_message(7, node.domain.encode()) if node.domain else b"")


def _attribute_bytes(name: str, value: Any) -> bytes:
    if isinstance(value, float):
        kind, body = "f", _key(2, _FIXED32) + struct.pack("<f", value)
    elif isinstance(value, int):
        kind, body = "i", _number(3, value)
    elif isinstance(value, str):
        kind, body = "s", _message(4, value.encode())
    else:
        kind, body = "ints", b"".join(_number(8, int(item)) for item in value)
    return _message(1, name.encode()) + body + _number(20, _ATTRIBUTE_TYPES[kind])


def _tensor_bytes(name: str, tensor: np.ndarray[Any, Any]) -> bytes:
    kind = {"f": _FLOAT, "i": _INT64}[tensor.dtype.kind]
    shape = b"".join(_number(1, length) for length in tensor.shape)
    return shape + _number(2, kind) + _message(8, name.encode()) + _message(9, tensor.astype(_ELEMENTS[kind]).tobytes())


def _value_bytes(name: str, shape: Shape) -> bytes:
    lengths = b"".join(
        _message(1, _number(1, length) if isinstance(length, int) else _message(2, length.encode())) for length in shape
    )
    return _message(1, name.encode()) + _message(2, _message(1, _number(1, _FLOAT) + _message(2, lengths)))


def _key(number: int, wire_type: int) -> bytes:
    return _varint_bytes(number << 3 | wire_type)


def _number(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _varint_bytes(value)


def _message(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint_bytes(len(content)) + content


def _varint_bytes(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are ten bytes long
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
