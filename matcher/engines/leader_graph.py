"""The LEADER network written anew, so that it does the same with less: what is computed stays, how is chosen here.

Owns the rewriting of ``LEADER.onnx`` into two networks. ``dense_network`` looks at the whole picture and answers where
minutiae are, and features; ``local_network`` reads the features around each minutia and answers its direction and kind,
which the file computes for every pixel. Refuses to run them (``leader``), and changes no weight but by exact algebra:

* layer norms and GELUs, spelled out in the file in 20 operations each, become one operation each, channels last;
* convolutions with holes, spelled out as a rearranging of the picture, become one operation;
* linear steps that follow each other (reduce, adjust, first of the head) are multiplied into one matrix;
* pointwise steps after doubling the picture are done before it, and the 5×5 convolution after it becomes four of 3×3;
* channels are padded with zeros to multiples of eight, so that onnxruntime keeps its blocked layout throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.engines.onnx_file import Graph, Node, read_graph
from models.errors import WeightsError

FEATURES: Final = 56  # channels of the dense network's features, 52 of them in use
PATCH: Final = 9  # side of the features that the local network reads, in pixels of half resolution
_EPSILON: Final = 1e-3  # of every layer norm in the file
_PREFIX: Final = "functional_1/"
_BLOCK: Final = 8  # channels
_DEPTH: Final = 4  # levels of each of the two U-shaped networks
# Where the channels of the file lie here, once the skipped part comes first: 32 of the way down, then 20 of the way up.
_FEATURE_ORDER: Final = np.concatenate([20 + np.arange(32), np.arange(20)])

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class _Linear:
    """A pointwise linear step: ``matrix`` (out, in) and ``bias`` (out,)."""

    matrix: Array
    bias: Array

    def after(self, first: _Linear) -> _Linear:
        return _Linear(self.matrix @ first.matrix, self.matrix @ first.bias + self.bias)


@dataclass(slots=True)
class _Draft:
    """A network being written, with the file's weights at hand by the names of the steps that use them."""

    source: Graph
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Array] = field(default_factory=dict)
    _made: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._made = {name: node for node in self.source.nodes for name in node.outputs}

    def step(self, kind: str, *inputs: str, domain: str = "", name: str = "", **attributes: Any) -> str:
        output = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(Node(kind, inputs, (output,), attributes, domain))
        return output

    def tensor(self, value: Any) -> str:
        name = f"tensor_{len(self.tensors)}"
        value = np.asarray(value)
        self.tensors[name] = value.astype(np.float32) if value.dtype.kind == "f" else value
        return name

    def weight(self, step: str, index: int = 1) -> Array:
        """An input of the file's step (as float64), so that it is found by what it does and not by a number."""
        try:
            return self.source.tensors[self._made[step].inputs[index]].astype(np.float64)
        except (KeyError, IndexError) as error:
            raise WeightsError("The network's file is not the LEADER network that is known here.") from error

    def linear(self, step: str) -> _Linear:
        output = f"{_PREFIX}{step}_1/BiasAdd:0"
        kernel = self.weight(output)
        return _Linear(kernel.reshape(kernel.shape[:2]), self.weight(output, 2))


def dense_network(content: bytes) -> Graph:
    """From ``picture`` (1, 1, H, W), gray levels and H and W multiples of 32, to ``places`` (1, 1, H, W), how likely a
    minutia lies there, and ``features`` (1, FEATURES, H/2, W/2). Raises WeightsError if ``content`` is not the file."""
    draft = _Draft(read_graph(content))
    coarse = draft.step("MaxPool", _stem(draft, "stem0"), kernel_shape=(2, 2), strides=(2, 2))
    fine = draft.step("AveragePool", _stem(draft, "stem1"), kernel_shape=(2, 2), strides=(2, 2))
    seen = _attention(draft, _first_u(draft, coarse))
    features = _second_u(draft, draft.step("Concat", seen, fine, axis=1))
    head = _head(draft, features, "head_0", _dense_block)
    phases = draft.step("Sigmoid", _convolved(draft, head, *_four_phases(draft, "Conv__3172:0"), pads=(1, 1, 1, 1)))
    draft.step("DepthToSpace", phases, blocksize=2, name="places")
    draft.step("Identity", features, name="features")
    return Graph(
        tuple(draft.nodes),
        draft.tensors,
        {"picture": (1, 1, "height", "width")},
        {"places": (1, 1, "height", "width"), "features": (1, FEATURES, "half_height", "half_width")},
    )


def local_network(content: bytes) -> Graph:
    """From ``patches`` (N, FEATURES, PATCH, PATCH) of the features and ``inside`` (N, 1, 3, 3), 0 where a pixel at
    their middle lies outside the picture, to ``direction`` (N, 8) and ``ending`` (N, 4).

    Of each, the last axis is the four pixels of full resolution in one of half resolution (top left, top right, bottom
    left, bottom right); directions are four cosines, then four sines. Raises WeightsError as ``dense_network``.
    """
    draft = _Draft(read_graph(content))
    for head, last, name in (("head_1", _PREFIX + "head_conv_dir_1/BiasAdd:0", "direction"),
                             ("head_2", "Conv__3000:0", "ending")):  # fmt: skip
        found = draft.step("Mul", _head(draft, "patches", head, _local_block), "inside")
        phases = _convolved(draft, found, *_four_phases(draft, last), pads=(0, 0, 0, 0))
        if name == "ending":
            phases = draft.step("Sigmoid", phases)
        draft.step("Flatten", phases, axis=1, name=name)
    return Graph(
        tuple(draft.nodes),
        draft.tensors,
        {"patches": ("count", FEATURES, PATCH, PATCH), "inside": ("count", 1, 3, 3)},
        {"direction": ("count", 8), "ending": ("count", 4)},
    )


def _stem(draft: _Draft, name: str) -> str:
    """Two 5×5 convolutions of the picture, one with holes; norm and GELU, at full resolution."""
    plain, holed = f"{_PREFIX}{name}_conv_1/BiasAdd:0", f"{_PREFIX}{name}_dilated_conv_1/"
    parts = (
        _convolved(draft, "picture", draft.weight(plain), draft.weight(plain, 2), pads=(2, 2, 2, 2)),
        _convolved(draft, "picture", draft.weight(holed + "convolution:0"), draft.weight(holed + "BiasAdd:0").ravel(),
                   pads=(4, 4, 4, 4), dilations=(2, 2)),
    )  # fmt: skip
    rows = _rows(draft, draft.step("Concat", *parts, axis=1))
    return _planes(draft, _gelu(draft, _norm(draft, rows, f"{name}_ln")))


def _first_u(draft: _Draft, planes: str) -> str:
    """Down by pooling and up again by repeating, with separable convolutions; half resolution."""
    skipped = []
    for level in range(_DEPTH):
        skipped.append(_separable(draft, planes, f"enc0_{level}"))
        planes = _pooled(draft, skipped[-1])
    for level in reversed(range(_DEPTH)):
        small = _separable(draft, planes, f"dec0_{level}")
        planes = draft.step("Concat", _doubled(draft, small), skipped[level], axis=1)
    return planes


def _separable(draft: _Draft, planes: str, name: str) -> str:
    kernel = draft.weight(f"{_PREFIX}{name}_conv_1/separable_conv2d/depthwise:0")
    each = _convolved(draft, planes, kernel, pads=(2, 2, 2, 2), group=len(kernel))
    mixed = _pointwise(draft, each, draft.linear(f"{name}_conv"))
    return _planes(draft, _gelu(draft, _norm(draft, _rows(draft, mixed), f"{name}_ln")))


def _attention(draft: _Draft, planes: str) -> str:
    """What the first network found, weighted by what lies 1, 3 and 6 pixels around."""
    found = []
    for holes in (1, 3, 6):
        made = f"{_PREFIX}attention_conv_d{holes}_1/"
        kernel = draft.weight(made + ("BiasAdd:0" if holes == 1 else "convolution:0"))
        bias = draft.weight(made + "BiasAdd:0", 2 if holes == 1 else 1).ravel()
        around = _convolved(draft, planes, kernel, bias, pads=(holes,) * 4, dilations=(holes, holes))
        found.append(_gelu(draft, around))
    weights = draft.step(
        "Sigmoid", _pointwise(draft, draft.step("Concat", *found, axis=1), draft.linear("attention_s"))
    )
    return draft.step("Mul", planes, weights)


def _second_u(draft: _Draft, planes: str) -> str:
    """The same shape again with wider steps. On the way up, the skipped part comes first, then the padding."""
    skipped, channels = [], 64
    order = np.arange(channels)
    for level in range(_DEPTH):
        adjust = draft.linear(f"enc1_{level}_conv_adj")
        skipped.append((_dense_block(draft, planes, f"enc1_{level}", adjust, order), len(adjust.bias)))
        planes = _pooled(draft, skipped[-1][0])
        order = np.arange(len(adjust.bias))
    for level in reversed(range(_DEPTH)):
        adjust = draft.linear(f"dec1_{level}_conv_adj")
        small, made = _dense_block(draft, planes, f"dec1_{level}", adjust, order), len(adjust.bias)
        planes = draft.step("Concat", skipped[level][0], _doubled(draft, small), axis=1)
        order = np.concatenate([made + np.arange(skipped[level][1]), np.arange(made)])
    return planes


def _head(draft: _Draft, planes: str, name: str, block: Any) -> str:
    """The pointwise part of a head, before the picture is doubled: (N, 4, H/2, W/2)."""
    first = draft.linear(f"{name}_conv1").after(draft.linear(f"{name}_ibc_conv_adj"))
    found = block(draft, planes, f"{name}_ibc", first, _FEATURE_ORDER, padded=False)
    rows = _norm(draft, _rows(draft, found), f"{name}_ln")
    second = draft.linear(f"{name}_conv2")
    return _planes(draft, _gelu(draft, draft.step("MatMul", rows, draft.tensor(second.matrix.T)), second.bias))


def _dense_block(
    draft: _Draft, planes: str, name: str, last: _Linear, order: NDArray[np.intp], *, padded: bool = True
) -> str:
    around = _depthwise(draft, planes, name, order, pads=(3, 3, 3, 3))
    return _block(draft, planes, around, name, last, order, padded=padded)


def _local_block(
    draft: _Draft, patches: str, name: str, last: _Linear, order: NDArray[np.intp], *, padded: bool = False
) -> str:
    around = _depthwise(draft, patches, name, order, pads=(0, 0, 0, 0))
    bounds = [draft.tensor(np.array(values, np.int64)) for values in ([3, 3], [6, 6], [2, 3])]
    return _block(draft, draft.step("Slice", patches, *bounds), around, name, last, order, padded=padded)


def _depthwise(draft: _Draft, planes: str, name: str, order: NDArray[np.intp], *, pads: tuple[int, ...]) -> str:
    """A 7×7 convolution of each channel, the channels in the order in which they lie, the padding left zero."""
    kernel = draft.weight(f"{_PREFIX}{name}_depthwise_conv_1/depthwise:0")[order]
    kernel = np.pad(kernel, ((0, -len(kernel) % _BLOCK), (0, 0), (0, 0), (0, 0)))
    return _convolved(draft, planes, kernel, pads=pads, group=len(kernel))


def _block(
    draft: _Draft, planes: str, around: str, name: str, last: _Linear, order: NDArray[np.intp], *, padded: bool
) -> str:
    """An inverted bottleneck with its shortcut, and ``last``, the linear step after both, multiplied into them."""
    rows = _rows(draft, around)
    if len(order) % _BLOCK:
        bounds = [draft.tensor(np.array([value], np.int64)) for value in (0, len(order), -1)]
        rows = draft.step("Slice", rows, *bounds)
    expand, reduce = draft.linear(f"{name}_conv_exp"), draft.linear(f"{name}_conv_red")
    wide = draft.step("MatMul", _norm(draft, rows, f"{name}_ln", order), draft.tensor(expand.matrix[:, order].T))
    narrow = last.after(reduce)
    more, unused = -len(narrow.bias) % _BLOCK if padded else 0, -len(order) % _BLOCK
    matrix = np.pad(narrow.matrix, ((0, more), (0, 0)))
    back = draft.step("MatMul", _gelu(draft, wide, expand.bias), draft.tensor(matrix.T))
    shortcut = _Linear(np.pad(last.matrix[:, order], ((0, more), (0, unused))), np.pad(narrow.bias, (0, more)))
    return draft.step("Add", _planes(draft, back), _pointwise(draft, planes, shortcut))


def _four_phases(draft: _Draft, step: str) -> tuple[Array, Array]:
    """A 5×5 convolution of a picture doubled by repeating, as a 3×3 one of the picture with four times the answers."""
    kernel, bias = draft.weight(step), draft.weight(step, 2)
    phases = np.zeros((len(kernel), 4, kernel.shape[1], 3, 3))
    for row in range(2):
        for column in range(2):
            for y in range(5):
                for x in range(5):
                    phases[:, 2 * row + column, :, (row + y) // 2, (column + x) // 2] += kernel[:, :, y, x]
    return phases.reshape(-1, *phases.shape[2:]), np.repeat(bias, 4)


def _convolved(draft: _Draft, planes: str, kernel: Array, bias: Array | None = None, **attributes: Any) -> str:
    weights = [draft.tensor(kernel)] + ([] if bias is None else [draft.tensor(bias)])
    return draft.step("Conv", planes, *weights, kernel_shape=kernel.shape[2:], **attributes)


def _pointwise(draft: _Draft, planes: str, step: _Linear) -> str:
    return _convolved(draft, planes, step.matrix[:, :, None, None], step.bias)


def _pooled(draft: _Draft, planes: str) -> str:
    """Half the channels by their largest value in 2×2 pixels, half by their mean."""
    halves = [f"{planes}_largest", f"{planes}_mean"]
    draft.nodes.append(Node("Split", (planes,), tuple(halves), {"axis": 1}))
    largest = draft.step("MaxPool", halves[0], kernel_shape=(2, 2), strides=(2, 2))
    mean = draft.step("AveragePool", halves[1], kernel_shape=(2, 2), strides=(2, 2))
    return draft.step("Concat", largest, mean, axis=1)


def _doubled(draft: _Draft, planes: str) -> str:
    scales = draft.tensor(np.array([1, 1, 2, 2], np.float32))
    return draft.step(
        "Resize", planes, "", scales,
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _norm(draft: _Draft, rows: str, name: str, order: NDArray[np.intp] | None = None) -> str:
    made = f"{_PREFIX}{name}_1/"
    scale, shift = draft.weight(made + "mul:0").ravel(), draft.weight(made + "add_1:0").ravel()
    if order is not None:
        scale, shift = scale[order], shift[order]
    weights = draft.tensor(scale), draft.tensor(shift)
    return draft.step("LayerNormalization", rows, *weights, axis=-1, epsilon=_EPSILON)


def _gelu(draft: _Draft, rows: str, bias: Array | None = None) -> str:
    weights = () if bias is None else (draft.tensor(bias),)
    return draft.step("FastGelu", rows, *weights, domain="com.microsoft")


def _rows(draft: _Draft, planes: str) -> str:
    """Channels last."""
    return draft.step("Transpose", planes, perm=(0, 2, 3, 1))


def _planes(draft: _Draft, rows: str) -> str:
    """Channels first."""
    return draft.step("Transpose", rows, perm=(0, 3, 1, 2))
