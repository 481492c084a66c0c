"""How a face and a finger add up to one answer under a site's policy. Owns the rule; refuses scores and sensors.

Each modality has its own threshold, and two that both answer must name the same person. Face and finger are taken as
independent, so their log-likelihood ratios add up: a finger that follows a matching face needs to bring only what the
face lacks (``matcher.decision.second_factor_point``), and a face a little below its threshold may be made up for by its
person's finger. But there is a veto: below the score of ``VETO_FMR`` a modality cannot be outweighed by any other, so a
stolen face does not pay for a wrong finger, however perfect it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from matcher.decision import Doubt, Identification
from models.attendance import Method
from models.biometrics import Modality
from models.supervision import SecondFactor, SitePolicy


class Verdict(StrEnum):
    """What is to happen next."""

    ACCEPTED = "accepted"
    FINGER_WANTED = "finger_wanted"  # a second factor for the person found so far
    CLAIM_WANTED = "claim_wanted"  # nobody is found by searching: ask for the number
    NOT_IDENTIFIED = "not_identified"
    NOT_VERIFIED = "not_verified"
    CONFLICT = "conflict"  # two answers that name different people: for a staff member
    SECOND_FACTOR_MISSING = "second_factor_missing"  # one modality that is not enough for this person: staff too


@dataclass(frozen=True, slots=True)
class Fused:
    """The verdict, the person it is about (None where nobody is), and the method that was in fact used."""

    verdict: Verdict
    person_id: str | None
    method: Method


def fuse(
    policy: SitePolicy,
    *,
    face: Identification | None = None,
    finger: Identification | None = None,
    claimed: str | None = None,
    finger_available: bool = True,
) -> Fused:
    """One verdict from what was compared so far.

    ``claimed`` is the person whose number was given; both answers are then verifications of that person. ``None`` for
    a modality means it was not compared (yet). ``finger_available`` is False where the sensor is missing or the person
    has no finger enrolled: a second factor that is demanded then ends with staff (``NOT_VERIFIED``), never waived.
    """
    method = _method(face, finger, claimed)
    if claimed is None and policy.claim_first and (face or finger):
        return Fused(Verdict.CLAIM_WANTED, None, method)
    answered = [item for item in (face, finger) if item is not None]
    if not answered:
        return Fused(Verdict.CLAIM_WANTED if claimed is None else Verdict.FINGER_WANTED, claimed, method)
    named = {item.person_id for item in answered if item.person_id is not None} | ({claimed} - {None})
    if len(named) > 1:
        return Fused(Verdict.CONFLICT, None, method)
    person = next(iter(named), None)
    if finger is not None:
        return _with_finger(policy, face, finger, person, claimed, method)
    assert face is not None  # noqa: S101 - one of the two answered
    return _face_only(policy, face, person, claimed, finger_available, method)


def _with_finger(
    policy: SitePolicy, face: Identification | None, finger: Identification, person: str | None, claimed: str | None,
    method: Method,
) -> Fused:  # fmt: skip
    if not finger.matched:
        return Fused(_refusal(claimed, person), person if claimed else None, method)
    if face is not None and face.matched:
        return Fused(Verdict.ACCEPTED, person, method)
    if face is not None and adds_up(face, finger):
        return Fused(Verdict.ACCEPTED, person, method)
    enough = finger_suffices(policy)
    if enough and finger.doubts & {Doubt.LOOK_ALIKE, Doubt.RUNNER_UP_CLOSE}:  # it may as well be somebody else's
        return Fused(Verdict.SECOND_FACTOR_MISSING, person, method)
    # A face that was compared and did not match is no veto where a finger alone suffices: hats, masks, bad light.
    if enough:
        return Fused(Verdict.ACCEPTED, person, _method(None, finger, claimed))
    return Fused(_refusal(claimed, person), person if claimed else None, method)


def _face_only(
    policy: SitePolicy, face: Identification, person: str | None, claimed: str | None, finger_available: bool,
    method: Method,
) -> Fused:  # fmt: skip
    if not face.matched:
        if finger_available and claimed is not None:
            return Fused(Verdict.FINGER_WANTED, claimed, method)
        return Fused(Verdict.NOT_VERIFIED if claimed else Verdict.CLAIM_WANTED, claimed, method)
    if not finger_wanted(policy, face):
        return Fused(Verdict.ACCEPTED, person, method)
    if finger_available:
        return Fused(Verdict.FINGER_WANTED, person, method)
    return Fused(Verdict.NOT_VERIFIED, person, method)


def finger_wanted(policy: SitePolicy, face: Identification) -> bool:
    """Whether a matched face must be backed by a finger: always, in doubt, or because a face alone decides nothing."""
    if policy.second_factor is SecondFactor.ALWAYS or not policy.face_alone:
        return True
    return policy.second_factor is SecondFactor.DOUBT and face.second_factor_wanted


def finger_suffices(policy: SitePolicy) -> bool:
    """Whether a finger without a face can be accepted."""
    return policy.finger_alone and policy.second_factor is not SecondFactor.ALWAYS


def may_add_up(face: Identification) -> bool:
    """Whether a face that did not match may still be made up for by a finger: it says something, and is no veto."""
    return face.llr is not None and not face.vetoed and face.operating_point.target_fmr is not None


def adds_up(face: Identification, finger: Identification) -> bool:
    """Whether both together reach the wanted rate for one and the same person, and neither forbids it.

    The sum of log-likelihood ratios must reach -log(FMR): then impostors reach it no more often than that.
    """
    if not (may_add_up(face) and may_add_up(finger)) or face.best is None or finger.best is None:
        return False
    if face.best.person_id != finger.best.person_id:
        return False
    wanted_fmr = min(face.operating_point.target_fmr or 0.0, finger.operating_point.target_fmr or 0.0)
    return (face.llr or 0.0) + (finger.llr or 0.0) >= -math.log(wanted_fmr)


def _refusal(claimed: str | None, person: str | None) -> Verdict:
    return Verdict.NOT_VERIFIED if claimed is not None or person is not None else Verdict.NOT_IDENTIFIED


def _method(face: Identification | None, finger: Identification | None, claimed: str | None) -> Method:
    """Named by what was compared and by nothing else."""
    modalities = [
        modality.value for modality, item in ((Modality.FACE, face), (Modality.FINGER, finger)) if item is not None
    ]
    if not modalities:
        return Method.NONE
    return Method("+".join((["claim"] if claimed is not None else []) + modalities))
