"""Engines are loaded once for this room's tests."""

from __future__ import annotations

import pytest

from matcher.engines import load_engine
from matcher.ports import FaceEngine


@pytest.fixture(scope="session")
def sface() -> FaceEngine:
    return load_engine("sface")


@pytest.fixture(scope="session")
def dlib_engine() -> FaceEngine:
    pytest.importorskip("dlib")
    return load_engine("dlib")
