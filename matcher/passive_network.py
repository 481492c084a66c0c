"""The witness ``passive_network``: what a site's own network makes of a visit's faces. Owns the visit's one number.

One look every tenth of a second, each another view of the face (crop a little larger or smaller, mirrored or not), so
that no single crop decides. Passes or fails on the mean log-odds without the extremes; between the two thresholds it is
undecided, and nobody is called an attacker. Refuses to know how a face moves.
"""

from __future__ import annotations

from matcher.liveness_network import VIEWS, LivenessNetwork, settled
from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array

NAME = "passive_network"


class PassiveNetwork:
    """Judges the frames of one visit with ``network``, after ``least`` looks. Not safe across threads."""

    name = NAME

    def __init__(self, network: LivenessNetwork, *, least: int = 8, every_s: float = 0.1) -> None:
        self._network, self._least, self._every_s = network, least, every_s
        self._seen: list[float] = []
        self._next_s = float("-inf")

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Look at a frame, unless the last look was just now."""
        if t_s < self._next_s:
            return
        self._next_s = t_s + self._every_s
        view = VIEWS[len(self._seen) % len(VIEWS)]
        self._seen.append(float(self._network.log_odds(pixels, face.box, [view])[0]))

    def verdict(self) -> PresentationEvidence:
        """Passed, failed or undecided; the measures are log-odds of a living face."""
        manifest = self._network.manifest
        measures = {"looks": float(len(self._seen)), "threshold": round(manifest.least_log_odds, 3)}
        verdict = WitnessVerdict.UNDECIDED
        if self._seen:
            measures["log_odds"] = round(settled(self._seen), 3)
        if len(self._seen) >= self._least:
            value = settled(self._seen)
            if value >= manifest.least_log_odds:
                verdict = WitnessVerdict.PASSED
            elif value < manifest.attack_log_odds:
                verdict = WitnessVerdict.FAILED
        return PresentationEvidence(NAME, verdict, measures)
