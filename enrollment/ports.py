"""What enrollment asks of the rooms below. Owns the ports; refuses any implementation.

Engines are ``matcher.ports.FaceEngine`` and ``FingerEngine``, handed in; so is whoever searches everyone enrolled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from models.biometrics import CandidateList, Template


class Everyone(Protocol):
    """Everyone who is enrolled anywhere; ``matcher.gallery.Gallery`` is one."""

    def __len__(self) -> int:
        """How many people can be found."""

    def identify_face(self, templates: Sequence[Template]) -> CandidateList:
        """The people with a face, best first."""

    def identify_finger(self, template: Template | Sequence[Template]) -> CandidateList:
        """The people with a finger, best first, whatever finger they called it."""
