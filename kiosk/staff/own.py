"""A staff member's own face or finger, compared 1:1. Owns nothing but the comparison's frame; refuses PINs.

The same steps as for everybody compare: the presentation check where the site's policy asks for one, the site's own
thresholds of a verification, the site's people as cohort. A finger is always compared from its picture, because only
there the site's false match rate is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from kiosk.face_step import FaceStep
from kiosk.finger_step import FingerStep
from kiosk.staff.members import Member
from kiosk.staff.records import of_subject
from kiosk.staffing import StationTools
from kiosk.verdict import Finding, Found
from matcher.gallery import Gallery
from models.attendance import Evidence, Subject
from models.biometrics import Modality, Reference
from models.errors import TemplateError

log = structlog.get_logger("kiosk.staff")

TRIES = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing came to. ``broken`` says that a device failed: that is nobody's wrong try."""

    matched: bool
    modality: Modality
    evidence: tuple[Evidence, ...]
    at_s: float
    broken: bool = False


def possible(tools: StationTools, member: Member) -> tuple[Modality, ...]:
    """What this member can be compared by here and now: a reference that this kiosk's engine reads, and a device."""
    checkin = tools.checkin
    faces = checkin.face is not None and any(
        item.modality is Modality.FACE and item.template.format == checkin.face.engine.format
        for item in member.references
    )
    fingers = checkin.finger is not None and any(
        item.modality is Modality.FINGER and item.template.format == checkin.finger.engine.format
        for item in member.references
    )
    broken = {device[0] for device in checkin.screen.state().devices if not device[1]}
    found = [Modality.FACE] if faces and "camera" not in broken else []
    return tuple([*found, Modality.FINGER] if fingers and "sensor" not in broken else found)


def compare(tools: StationTools, member: Member, modality: Modality) -> Comparison:
    """Ask for the face or the finger and compare it. Raises BrokenOff if something is asked for meanwhile."""
    visit = tools.visit(member.as_claimed())
    gallery = _gallery(tools, member, modality)
    if modality is Modality.FACE:
        found = _face_step(tools, gallery).run(visit, tries=TRIES)
    else:
        found = _finger_step(tools, gallery).run(visit, replace(member.as_claimed(), sensor_references=()), tries=TRIES)
    return Comparison(
        found.matched,
        modality,
        of_subject(found.evidence, Subject.STAFF),
        tools.checkin.clock.seconds(),
        found.finding is Finding.BROKEN or _nobody_came(found),
    )


def _nobody_came(found: Found) -> bool:
    return found.finding in (Finding.ABSENT, Finding.NOT_ACQUIRED) and not found.evidence


def _gallery(tools: StationTools, member: Member, modality: Modality) -> Gallery:
    """The member among the site's people, who are the cohort of a face; a finger needs none."""
    checkin = tools.checkin
    gallery = Gallery(
        face_engine=checkin.face.engine if checkin.face is not None and modality is Modality.FACE else None,
        finger_engine=checkin.finger.engine if checkin.finger is not None and modality is Modality.FINGER else None,
    )
    others = [item for item in tools.fresh().references() if item.modality is Modality.FACE]
    fill(gallery, [*(others if modality is Modality.FACE else []), *member.references])
    return gallery


def fill(gallery: Gallery, references: Sequence[Reference]) -> None:
    """Hold these references, without those that cannot be read: a damaged one must not keep the staff out."""
    try:
        gallery.replace(references)
    except TemplateError:
        gallery.replace([item for item in references if _readable(gallery, item)])


def _readable(gallery: Gallery, reference: Reference) -> bool:
    try:
        gallery.replace([reference])
    except TemplateError as error:
        log.error("template_unreadable", reference_id=reference.reference_id, reason=error.code)
        return False
    return True


def _face_step(tools: StationTools, gallery: Gallery) -> FaceStep:
    """The kiosk's own, for pictures taken from now on: whoever stood here before may be on the newest."""
    face = tools.checkin.face
    assert face is not None  # noqa: S101 - ``possible`` said so
    newest = None if tools.camera is None else tools.camera.peek(-1, 0.0)
    return replace(face, gallery=gallery, last_seen=face.last_seen if newest is None else newest.sequence + 1)


def _finger_step(tools: StationTools, gallery: Gallery) -> FingerStep:
    assert tools.checkin.finger is not None  # noqa: S101 - ``possible`` said so
    return replace(tools.checkin.finger, gallery=gallery, how=replace(tools.checkin.finger.how, compare="image"))
