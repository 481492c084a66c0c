"""Characteristics: a sensor's own bytes wrapped, a simulated sensor's minutiae packed into 512 bytes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.engines import on_chip
from matcher.engines.minutiae import MinutiaeEngine
from models.biometrics import Template
from models.errors import TemplateError
from tests.matcher.minutiae_sets import random_minutiae

ENGINE = MinutiaeEngine()


def test_a_sensors_characteristics_come_back_as_they_were_sent():
    characteristics = bytes(range(256)) * 2
    template = on_chip.wrap(characteristics)
    assert str(template.format) == "zfm-characteristics/1"
    assert on_chip.unwrap(template) == characteristics


def test_only_the_sensor_compares_its_characteristics():
    template = on_chip.wrap(bytes(512))
    with pytest.raises(TemplateError, match="sensor alone"):
        on_chip.compare(template, template)


@pytest.mark.parametrize("length", [0, 511, 513, 768])
def test_characteristics_of_another_length_are_refused(length):
    with pytest.raises(TemplateError):
        on_chip.wrap(bytes(length))


def test_a_template_of_minutiae_is_not_sent_to_a_sensor():
    with pytest.raises(TemplateError):
        on_chip.unwrap(ENGINE.template(random_minutiae(1)))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(0, 60))
def test_packed_minutiae_come_back_up_to_rounding(seed, count):
    minutiae = random_minutiae(seed, count=count)
    packed = on_chip.pack_characteristics(minutiae)
    assert len(packed) == 512
    back = on_chip.unpack_characteristics(packed)
    best = np.argsort(-minutiae.score, kind="stable")
    assert back.size == minutiae.size
    assert np.abs(back.xy - minutiae.xy[best]).max(initial=0) <= 0.5
    assert np.abs(np.angle(np.exp(1j * (back.angle - minutiae.angle[best])))).max(initial=0) <= math.pi / 512 + 1e-5
    assert (back.kind == minutiae.kind[best]).all()


def test_of_too_many_minutiae_the_best_are_kept():
    minutiae = random_minutiae(1, count=130, size=(400, 500))
    back = on_chip.unpack_characteristics(on_chip.pack_characteristics(minutiae))
    assert len(back.xy) == on_chip.MAX_COUNT
    assert back.score.min() >= np.sort(minutiae.score)[-on_chip.MAX_COUNT] - 1 / 127


def test_a_packed_finger_still_matches_itself():
    template = ENGINE.template(random_minutiae(2))
    again = ENGINE.from_characteristics(ENGINE.to_characteristics(template))
    assert ENGINE.compare(template, again) > 0.6


@settings(deadline=None)
@given(st.data())
def test_garbage_is_noticed(data):
    packed = bytearray(on_chip.pack_characteristics(random_minutiae(3)))
    where = data.draw(st.integers(0, 511))
    packed[where] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TemplateError):
        ENGINE.from_characteristics(bytes(packed))


@given(st.binary(min_size=512, max_size=512))
def test_a_real_sensors_bytes_are_not_taken_for_minutiae(characteristics):
    with pytest.raises(TemplateError):
        on_chip.unpack_characteristics(characteristics)


def test_the_wrapping_format_is_not_the_engines():
    with pytest.raises(TemplateError):
        ENGINE.prepare(Template(on_chip.FORMAT, bytes(512)))
