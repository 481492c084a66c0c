"""Breaking a witness on purpose, to see that nobody is let through then. Owns nothing but that."""

from __future__ import annotations

from collections.abc import Callable

from matcher.ports import DetectedFace
from matcher.presentation import PresentationCheck, PresentationWitness
from models.attendance import PresentationEvidence
from models.biometrics import UInt8Array
from models.errors import InputError


class BrokenOnPurposeError(RuntimeError):
    """What a sabotaged witness raises."""


class _Broken:
    """A witness of the same name that raises whenever it sees a frame."""

    def __init__(self, witness: PresentationWitness) -> None:
        self.name = witness.name
        self._witness = witness

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Break."""
        raise BrokenOnPurposeError(self.name)

    def verdict(self) -> PresentationEvidence:
        """What the witness itself would say; it saw nothing."""
        return self._witness.verdict()


def saboteur(name: str | None) -> Callable[[PresentationCheck], None]:
    """Something that breaks the witness called ``name`` in every check it is handed; None breaks nothing.

    It raises InputError for a check without such a witness: a run that broke nothing would prove nothing.
    """

    def sabotage(check: PresentationCheck) -> None:
        if name is not None:
            known = sorted(item.name for item in check.witnesses)
            if name not in known:
                raise InputError(f"There is no witness {name!r}; known: {', '.join(known)}.", code="witness_unknown")
            check.witnesses = [_Broken(item) if item.name == name else item for item in check.witnesses]

    return sabotage
