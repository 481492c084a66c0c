"""How a network is opened with ONNX Runtime, in one place. Owns threads, log and where numbers may come from.

Refuses to say what an error means: whoever opens a network knows whose it is and what to tell.
"""

from __future__ import annotations

import os
from typing import Any

import onnxruntime


def open_session(content: bytes) -> Any:
    """A session on one thread, for the bytes of an ONNX file. Raises whatever kind of its own ONNX Runtime chooses."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Numbers kept in a second file are not covered by the hash, so there is no folder in which one would be found.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
