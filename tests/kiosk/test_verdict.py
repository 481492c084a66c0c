"""How a visit ends when something could not be compared: a missing factor is never waived, a person never blamed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk import verdict
from kiosk.verdict import Finding, Found, settle_both, settle_face, settle_left
from matcher.decision import Answer, Doubt, Identification
from models.attendance import CheckInOutcome, Evidence, Method
from models.biometrics import Candidate, OperatingPoint, TemplateFormat
from models.supervision import SecondFactor, SitePolicy
from web.shared.words import NOTES

POINT = OperatingPoint(TemplateFormat("sface", 1), 0.5, None, None, "test")
FACE_ALONE = SitePolicy(face_alone=True)
NO_FINGER_ALONE = SitePolicy(face_alone=True, finger_alone=False)
BOTH = SitePolicy(face_alone=False, second_factor=SecondFactor.ALWAYS)


def matched(person: str = "p1", *, doubt: bool = False) -> Found:
    doubts = frozenset({Doubt.NEAR_THRESHOLD}) if doubt else frozenset()
    candidate = Candidate(person, "r1", 0.8)
    return Found(Finding.COMPARED, Identification(Answer.MATCH, candidate, None, POINT, doubts))


UNKNOWN = Found(Finding.COMPARED, Identification(Answer.UNKNOWN, Candidate("p1", "r1", 0.2), None, POINT))


@pytest.mark.parametrize(
    ("policy", "face", "claimed", "possible", "expected"),
    [
        (FACE_ALONE, matched(), None, True, (CheckInOutcome.ACCEPTED, "p1", Method.FACE)),
        (FACE_ALONE, matched(), "p1", True, (CheckInOutcome.ACCEPTED, "p1", Method.CLAIM_FACE)),
        (FACE_ALONE, matched(doubt=True), None, True, None),
        (FACE_ALONE, matched(doubt=True), None, False, (CheckInOutcome.REFERRED_TO_STAFF, "p1", Method.FACE)),
        (BOTH, matched(), None, False, (CheckInOutcome.REFERRED_TO_STAFF, "p1", Method.FACE)),
        (FACE_ALONE, UNKNOWN, None, True, (CheckInOutcome.NOT_IDENTIFIED, None, Method.FACE)),
        (FACE_ALONE, UNKNOWN, "p1", True, None),
        (FACE_ALONE, UNKNOWN, "p1", False, (CheckInOutcome.NOT_VERIFIED, "p1", Method.CLAIM_FACE)),
        (BOTH, UNKNOWN, "p1", True, (CheckInOutcome.NOT_VERIFIED, "p1", Method.CLAIM_FACE)),
        (FACE_ALONE, Found(Finding.ATTACK), "p1", True, (CheckInOutcome.ATTACK_SUSPECTED, "p1", Method.NONE)),
        (FACE_ALONE, Found(Finding.NOT_ACQUIRED), None, True, (CheckInOutcome.FAILURE_TO_ACQUIRE, None, Method.NONE)),
        (FACE_ALONE, Found(Finding.ABSENT), "p1", True, None),
        (BOTH, Found(Finding.ABSENT), "p1", True, (CheckInOutcome.FAILURE_TO_ACQUIRE, "p1", Method.NONE)),
        (NO_FINGER_ALONE, Found(Finding.ABSENT), "p1", True, (CheckInOutcome.FAILURE_TO_ACQUIRE, "p1", Method.NONE)),
        (NO_FINGER_ALONE, Found(Finding.SKIPPED), "p1", True, (CheckInOutcome.REFERRED_TO_STAFF, "p1", Method.NONE)),
        (NO_FINGER_ALONE, UNKNOWN, "p1", True, (CheckInOutcome.NOT_VERIFIED, "p1", Method.CLAIM_FACE)),
        (FACE_ALONE, Found(Finding.UNDECIDED), None, True, (CheckInOutcome.REFERRED_TO_STAFF, None, Method.NONE)),
        (FACE_ALONE, Found(Finding.BROKEN), None, True, None),
        (BOTH, Found(Finding.BROKEN), None, True, (CheckInOutcome.REFERRED_TO_STAFF, None, Method.NONE)),
        (FACE_ALONE, Found(Finding.SKIPPED), "p1", False, (CheckInOutcome.REFERRED_TO_STAFF, "p1", Method.NONE)),
    ],
)
def test_after_the_face(
    policy: SitePolicy,
    face: Found,
    claimed: str | None,
    possible: bool,
    expected: tuple[CheckInOutcome, str | None, Method] | None,
) -> None:
    """None means: a finger is wanted now."""
    settled = settle_face(policy, face, claimed=claimed, finger_possible=possible)
    assert (settled and (settled.outcome, settled.person_id, settled.method)) == expected


@pytest.mark.parametrize(
    ("policy", "face", "finger", "claimed", "outcome", "method"),
    [
        (BOTH, matched(), matched(), None, CheckInOutcome.ACCEPTED, Method.FACE_FINGER),
        (BOTH, matched(), UNKNOWN, None, CheckInOutcome.NOT_VERIFIED, Method.FACE_FINGER),
        (BOTH, matched("p1"), matched("p2"), None, CheckInOutcome.REFERRED_TO_STAFF, Method.FACE_FINGER),
        (FACE_ALONE, Found(Finding.ABSENT), matched(), "p1", CheckInOutcome.ACCEPTED, Method.CLAIM_FINGER),
        (FACE_ALONE, Found(Finding.BROKEN), matched(), None, CheckInOutcome.ACCEPTED, Method.FINGER),
        (BOTH, matched(), Found(Finding.ABSENT), None, CheckInOutcome.FAILURE_TO_ACQUIRE, Method.FACE),
        (BOTH, matched(), Found(Finding.BROKEN), None, CheckInOutcome.REFERRED_TO_STAFF, Method.FACE),
        (FACE_ALONE, UNKNOWN, Found(Finding.BROKEN), "p1", CheckInOutcome.REFERRED_TO_STAFF, Method.CLAIM_FACE),
        (FACE_ALONE, UNKNOWN, Found(Finding.ABSENT), "p1", CheckInOutcome.NOT_VERIFIED, Method.CLAIM_FACE),
        (FACE_ALONE, Found(Finding.ABSENT), Found(Finding.NOT_ACQUIRED), "p1", CheckInOutcome.FAILURE_TO_ACQUIRE,
         Method.NONE),
        (FACE_ALONE, Found(Finding.BROKEN), Found(Finding.BROKEN), "p1", CheckInOutcome.REFERRED_TO_STAFF,
         Method.NONE),
    ],
)  # fmt: skip
def test_after_face_and_finger(
    policy: SitePolicy,
    face: Found,
    finger: Found,
    claimed: str | None,
    outcome: CheckInOutcome,
    method: Method,
) -> None:
    settled = settle_both(policy, face, finger, claimed=claimed)
    assert (settled.outcome, settled.method) == (outcome, method)


SEEN = (
    Evidence(
        modality="face", engine="sface", template_format="sface/1", score=None, threshold=None, matched=False,
        quality=None, operation="identify",
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("face", "finger", "claimed", "outcome"),
    [
        (Found(Finding.SKIPPED), Found(Finding.SKIPPED), "p1", None),
        (Found(Finding.NOT_ACQUIRED), Found(Finding.SKIPPED), None, None),
        (replace(UNKNOWN, evidence=SEEN), Found(Finding.SKIPPED), None, CheckInOutcome.NOT_IDENTIFIED),
        (replace(UNKNOWN, evidence=SEEN), Found(Finding.SKIPPED), "p1", CheckInOutcome.NOT_VERIFIED),
        (replace(matched(), evidence=SEEN), Found(Finding.ABSENT), None, CheckInOutcome.FAILURE_TO_ACQUIRE),
        (Found(Finding.UNDECIDED, evidence=SEEN), Found(Finding.SKIPPED), None, CheckInOutcome.REFERRED_TO_STAFF),
        (Found(Finding.SKIPPED), replace(UNKNOWN, evidence=SEEN), "p1", CheckInOutcome.NOT_VERIFIED),
        (Found(Finding.SKIPPED), replace(matched(), evidence=SEEN), "p1", CheckInOutcome.REFERRED_TO_STAFF),
    ],
)
def test_a_visit_that_was_broken_off_is_recorded_once_something_was_tried_and_never_accepted(
    face: Found, finger: Found, claimed: str | None, outcome: CheckInOutcome | None
) -> None:
    settled = settle_left(FACE_ALONE, face, finger, claimed=claimed)
    assert (settled and settled.outcome) == outcome
    assert settled is None or settled.note == "broken_off"


def test_every_note_of_a_visit_has_a_word_for_the_console() -> None:
    """Whoever reads the log in Chinese meets no English code."""
    said = "".join(path.read_text("utf-8") for path in Path(verdict.__file__).parent.glob("*.py"))
    notes = set(re.findall(r'note=\(?"([a-z_]+)"|note = "([a-z_]+)" if', said))
    codes = {code for pair in notes for code in pair if code} | {note for _, note in verdict._WITHOUT_FACE.values()}
    assert len(codes) >= 10
    assert codes <= set(NOTES)


@pytest.mark.parametrize("policy", [BOTH, FACE_ALONE])
def test_an_attack_on_the_camera_is_one_whosever_finger_was_laid_on_before(policy: SitePolicy) -> None:
    """It names nobody but whoever was claimed: the finger's owner may not be who held the photograph up."""
    attack = Found(Finding.ATTACK, evidence=SEEN)
    settled = settle_both(policy, attack, matched(), claimed=None)
    assert (settled.outcome, settled.person_id) == (CheckInOutcome.ATTACK_SUSPECTED, None)
    left = settle_left(policy, attack, matched(), claimed=None)
    assert left is not None
    assert (left.outcome, left.person_id) == (CheckInOutcome.ATTACK_SUSPECTED, None)
