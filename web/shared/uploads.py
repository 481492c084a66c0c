"""Uploads that never touch the disk. Owns where the parts of a form are kept while they are read.

Werkzeug would write a part of more than half a megabyte into a temporary file; a face must not lie there, not even for
a moment. The server before it would, too: see ``web.center.serving``.
"""

from __future__ import annotations

import io
from typing import IO

from flask import Request


class MemoryRequest(Request):
    """A request whose files stay in memory; their sum is limited by ``MAX_CONTENT_LENGTH``."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()
