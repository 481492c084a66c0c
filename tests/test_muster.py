"""The command line as a whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import muster

SHOWS = "import os, sys, muster; sys.argv = ['muster', '--version']\n"
TELLS = "try:\n    muster.main()\nexcept SystemExit:\n    import numpy\n    print(os.environ['OPENBLAS_NUM_THREADS'])"


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("3", "3")])
def test_numpy_is_loaded_for_one_thread_unless_somebody_said_otherwise(before: str | None, after: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in muster._THREADS}
    environment |= {} if before is None else {"OPENBLAS_NUM_THREADS": before}
    command = [sys.executable, "-c", SHOWS + TELLS]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment).stdout
    assert shown.split()[-1] == after


def test_no_room_is_loaded_before_the_threads_are_set() -> None:
    command = [sys.executable, "-c", "import sys, muster; print('numpy' in sys.modules, 'cv2' in sys.modules)"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert shown.split() == ["False", "False"]
