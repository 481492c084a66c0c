"""Errors survive the way between processes with everything they carry."""

from __future__ import annotations

import copy
import pickle

import pytest

from models.errors import CaptureRetry, DeviceTimeout, RetryReason


@pytest.mark.parametrize("carried", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])  # noqa: S301
def test_an_error_sent_to_another_process_is_the_same_there(carried):
    retry = carried(CaptureRetry(RetryReason.TOO_DARK, seen=3))
    assert (retry.reason, retry.details, str(retry)) == (RetryReason.TOO_DARK, {"seen": 3}, "too_dark")
    error = carried(DeviceTimeout("It is silent.", code="quiet", seconds=2))
    assert (error.code, error.details, str(error)) == ("quiet", {"seconds": 2}, "It is silent.")
