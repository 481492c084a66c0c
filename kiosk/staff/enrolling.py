"""Enrolling at the kiosk, guided: number, notice, faces, fingers, a look at whoever is similar, and the parcel.

Owns the order; ``enrollment.session`` owns the rules. Until the last step everything is in memory: a power cut leaves
nothing behind. Then the sealed references and the event that names them are stored in one transaction. They count at
this kiosk once the center has taken them and sent them back with its gallery: only the center knows all sites' people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from enrollment.handover import handover_of, pack_enrollment
from enrollment.notice import NOTICE_VERSION, Notice
from enrollment.session import Enrollment, EnrollmentSession
from kiosk.roster import SitePerson
from kiosk.staff.capturing import Capturing
from kiosk.staff.numbers import ask_number
from kiosk.staff.own import fill
from kiosk.staff.parts import DeskParts
from kiosk.staff.printing import give_notice
from kiosk.staff.records import Acts, StaffAct, act_details
from kiosk.staff.sign_in import SignedIn, SignIn
from kiosk.staff.talk import Back, Talk
from matcher.gallery import Gallery
from models.attendance import Detail, EventType
from models.biometrics import Modality
from models.parcels import ParcelKind

if TYPE_CHECKING:
    from matcher.ports import FaceEngine, FingerEngine


@dataclass(frozen=True, slots=True)
class Enrolling:
    """The act. Used in the matcher thread."""

    parts: DeskParts
    sign_in: SignIn

    def person(self, talk: Talk, signed_in: SignedIn) -> None:
        """Enroll a person, or enroll one again. Raises Back, Over, StoreError, DeviceError."""
        person = ask_number(talk)
        if not person.active:
            talk.say("enroll_refused", why="person_inactive")
            return
        signed_in = self.sign_in.fresh(talk, signed_in)
        known = bool(person.references or person.sensor_references)
        act = StaffAct.RE_ENROLL if known else StaffAct.ENROLL
        self._enroll(talk, signed_in, person, act, talk.tools.gallery)

    def own(self, talk: Talk, signed_in: SignedIn) -> None:
        """A staff member enrolls the own self. Whoever signed in by the PIN alone needs somebody else's approval.

        Raises as ``person``.
        """
        member = signed_in.member
        signed_in = self.sign_in.fresh(talk, signed_in)
        approval = {} if signed_in.comparison is not None else self._approval(talk, signed_in)
        person = replace(member.as_claimed(), wrapped_key=member.wrapped_key)
        self._enroll(talk, signed_in, person, StaffAct.ENROLL_SELF, self._everybody_else(talk, signed_in), **approval)

    def _everybody_else(self, talk: Talk, signed_in: SignedIn) -> Gallery:
        """Colleagues and supervised people: one face behind two accounts would be one's own second witness."""
        roster, gallery = (
            talk.tools.fresh(),
            Gallery(face_engine=self.parts.face_engine, finger_engine=self.parts.finger_engine),
        )
        colleagues = [member for member in roster.staff.values() if member.staff_id != signed_in.staff_id]
        fill(gallery, [*roster.references(), *(item for member in colleagues for item in member.references)])
        return gallery

    def _approval(self, talk: Talk, signed_in: SignedIn) -> dict[str, Detail]:
        """Who approves, and by what: an own face or finger; a PIN only where nobody here can be compared yet.

        Raises Back, Over, StoreError.
        """
        second = self.sign_in.identify(talk, page="approve", besides={signed_in.staff_id})
        if second.comparison is None and self.sign_in.anybody_comparable(talk):
            talk.say("approval_needs_face")
            raise Back
        return {"approved_by": second.staff_id, "approved_with": second.by}

    def _enroll(
        self,
        talk: Talk,
        signed_in: SignedIn,
        person: SitePerson,
        act: StaffAct,
        everyone: Gallery,
        **more: Detail,
    ) -> None:
        shown: dict[str, Any] = {"number": person.number or None, "shown_name": person.shown_name[-1:]}
        language = give_notice(self.parts, talk, signed_in, last="told", **shown)
        notice = Notice(NOTICE_VERSION, language, talk.tools.checkin.clock.now(), signed_in.staff_id)

        def fresh() -> EnrollmentSession:
            return EnrollmentSession(
                person.person_id,
                # where a device is missing its engine is never called: that modality is left out with a reason
                face_engine=cast("FaceEngine", self.parts.face_engine),
                finger_engine=cast("FingerEngine", self.parts.finger_engine),
                everyone=everyone,
                vault=self.parts.vault,
                wrapped=person.wrapped_key,
                clock=talk.tools.checkin.clock.now,
            )

        taken = Capturing(self.parts, talk).run(fresh)
        if taken is None:
            self._stopped(talk, signed_in, person, "incomplete", 0)
            return
        session, missing = taken
        cleared = self._looked_at(talk, signed_in, person, session)
        if cleared is None:
            return
        enrollment = session.complete(notice, missing_reason=missing, cleared_by=cleared or None)
        self._stored(talk, signed_in, person, act, enrollment, **more)
        own = act is StaffAct.ENROLL_SELF
        talk.say("enroll_done", own=own, faces=_faces(enrollment), fingers=_fingers(enrollment), **shown)

    def _looked_at(self, talk: Talk, signed_in: SignedIn, person: SitePerson, session: EnrollmentSession) -> str | None:
        """Who looked at similar people: a staff id, "" if there are none; None if the enrollment stops here."""
        talk.show("working")
        similar = session.duplicates()
        if not similar:
            return ""
        roster = talk.tools.fresh()
        shown = []
        for item in similar[:3]:
            other = roster.person(item.person_id) or roster.staff.get(item.person_id)
            shown.append({"shown_name": other.shown_name[-1:] if other else "", "modality": item.modality.value})
        if talk.pick("similar", ["stop", "somebody_else"], similar=shown, count=len(similar)) == "somebody_else":
            return self._cleared_by(talk, signed_in, person, {item.person_id for item in similar})
        self._stopped(talk, signed_in, person, "similar", len({item.person_id for item in similar}))
        return None

    def _cleared_by(self, talk: Talk, signed_in: SignedIn, person: SitePerson, similar: set[str]) -> str:
        """Who says that it is somebody else: nobody says so of themselves, nor does whoever it looks like.

        Raises Back, Over, StoreError.
        """
        if person.person_id != signed_in.staff_id:
            return signed_in.staff_id
        colleague = self.sign_in.identify(talk, page="approve", besides={signed_in.staff_id, *similar})
        if colleague.comparison is None:
            talk.say("approval_needs_face")
            raise Back
        return colleague.staff_id

    def _stopped(self, talk: Talk, signed_in: SignedIn, person: SitePerson, why: str, similar: int) -> None:
        Acts(talk.tools).record(
            StaffAct.ENROLL_STOPPED,
            staff_id=signed_in.staff_id,
            person_id=_recorded_person(person, signed_in),
            why=why,
            similar=similar,
        )
        talk.say("enroll_stopped", why=why)

    def _stored(
        self,
        talk: Talk,
        signed_in: SignedIn,
        person: SitePerson,
        act: StaffAct,
        enrollment: Enrollment,
        **more: Detail,
    ) -> None:
        """The parcel and the event that names it, in one transaction. Raises StoreError: then there is neither."""
        handover = handover_of(enrollment, person.wrapped_key, re_enroll=act is not StaffAct.ENROLL)
        content = pack_enrollment(handover)
        tools, devices = talk.tools, [item for item in (self.parts.sensor, talk.tools.camera) if item is not None]
        draft = tools.recorder.draft(
            EventType.STAFF,
            person_id=_recorded_person(person, signed_in),
            policy_version=tools.fresh().policy.version,
            details=act_details(
                act,
                staff_id=signed_in.staff_id,
                faces=_faces(enrollment),
                fingers=_fingers(enrollment),
                references=len(enrollment.references),
                similar=len({item.person_id for item in enrollment.duplicates}),
                cleared=True if enrollment.cleared_by else None,
                cleared_by=None if enrollment.cleared_by == signed_in.staff_id else enrollment.cleared_by,
                missing=None if enrollment.missing_reason is None else enrollment.missing_reason.value,
                notice=enrollment.notice.version,
                language=enrollment.notice.language,
                simulated=True if any(item.info().simulated for item in devices) else None,
                **more,
            ),
        )
        tools.recorder.store(
            draft,
            beside=lambda store: {
                "parcel": self.parts.parcels.add(ParcelKind.ENROLLMENT, person.person_id, content, session=store).sha256
            },
        )
        tools.wake()


def _recorded_person(person: SitePerson, signed_in: SignedIn) -> str | None:
    """Whom the event is about; a staff member is nobody who reports, and is named in the details."""
    return None if person.person_id == signed_in.staff_id else person.person_id


def _faces(enrollment: Enrollment) -> int:
    return sum(item.modality is Modality.FACE for item in enrollment.references)


def _fingers(enrollment: Enrollment) -> int:
    return len({item.position for item in enrollment.references if item.modality is Modality.FINGER})
