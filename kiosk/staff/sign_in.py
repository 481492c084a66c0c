"""Signing in: choose yourself, type the PIN, show an own face or finger. Owns the order; refuses to say what was wrong.

A name that is not there, a PIN that is wrong and an account that has ended are answered alike, with the same words and
after the same work. A staff member with a PIN and no references yet signs in by the PIN alone, and may then do one
thing: enroll the own self, which somebody else of the staff has to approve.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from kiosk.staff.members import Member, Right, members, rights_of
from kiosk.staff.own import Comparison, compare, possible
from kiosk.staff.pins import FREE_TRIES, NOBODY, BackOff, pin_matches
from kiosk.staff.records import Acts, StaffAct
from kiosk.staff.talk import PICK, PIN, Back, Talk
from kiosk.visit import BrokenOff
from models.attendance import Evidence

MOST_PIN_CHARACTERS = 16
FRESH_S = 60.0  # who vouches or enrolls was seen this short a while ago, or is compared again


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, how, and what follows from it. ``comparison`` is None for a PIN alone."""

    member: Member
    rights: frozenset[Right]
    comparison: Comparison | None
    at_s: float

    @property
    def staff_id(self) -> str:
        """The staff member's id."""
        return self.member.staff_id

    @property
    def by(self) -> str:
        """What was compared: face, finger, or only the PIN."""
        return "pin" if self.comparison is None else self.comparison.modality.value

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What that comparison rests on."""
        return () if self.comparison is None else self.comparison.evidence


@dataclass(frozen=True, slots=True)
class SignIn:
    """The way in. One per kiosk; used in the matcher thread."""

    back_off: BackOff

    def run(self, talk: Talk) -> SignedIn:
        """A session for whoever signs in; recorded. Raises Back, Over, StoreError."""
        signed_in = self.identify(talk, page="who")
        Acts(talk.tools).record(
            StaffAct.SIGN_IN,
            staff_id=signed_in.staff_id,
            evidence=signed_in.evidence,
            by=signed_in.by,
            named_by="center" if signed_in.member.by_center else "configuration",
        )
        return signed_in

    def identify(self, talk: Talk, *, page: str, besides: Collection[str] = ()) -> SignedIn:
        """Somebody of the staff, other than ``besides``. Refusals are recorded. Raises Back, Over, StoreError."""
        member = self._chosen(talk, page, besides)
        self._pin(talk, member)
        if member is None:
            raise Back
        comparison = self._compared(talk, member) if member.comparable else None
        self.back_off.right(member.staff_id)
        rights = rights_of(member, compared=comparison is not None)
        return SignedIn(member, rights, comparison, talk.tools.checkin.clock.seconds())

    def fresh(self, talk: Talk, signed_in: SignedIn) -> SignedIn:
        """The same staff member, compared once more unless that was a moment ago: a session that was left open must
        suffice for nothing that stands in somebody else's record. Whoever signed in without a comparison cannot be
        compared now either. Raises Back, Over, StoreError.
        """
        comparison = signed_in.comparison
        if comparison is None or talk.tools.checkin.clock.seconds() - comparison.at_s <= FRESH_S:
            return signed_in
        comparison = self._compared(talk, signed_in.member)
        return SignedIn(signed_in.member, signed_in.rights, comparison, signed_in.at_s)

    def anybody_comparable(self, talk: Talk) -> bool:
        """Whether anybody who may sign in here now has a face or a finger to compare with."""
        return any(item.comparable for item in _listed(talk))

    def _chosen(self, talk: Talk, page: str, besides: Collection[str]) -> Member | None:
        there = [item for item in _listed(talk) if item.staff_id not in besides]
        if not there:
            talk.say("nobody")
            raise Back
        labels = _labels(there)
        return dict(zip(labels, there, strict=True)).get(talk.pick(page, list(labels), labels=labels))

    def _pin(self, talk: Talk, member: Member | None) -> None:
        """Until the PIN is right. Raises Back, Over, StoreError."""
        staff_id, refused = NOBODY if member is None else member.staff_id, 0
        while True:
            pin = talk.ask_digits(PIN, refused, hint="sign_in_refused")[:MOST_PIN_CHARACTERS]
            right = self._right(talk, member, pin)
            if self.back_off.wait_s(staff_id) > 0:  # asked after the work: a wait is not told from a wrong PIN by time
                self._wait(talk, staff_id)
            if not right:
                self._wrong(talk, staff_id, why="pin")
            talk.drop_answers()  # only once a wrong one is counted: it can raise Back
            if right:
                return
            refused += 1

    def _right(self, talk: Talk, member: Member | None, pin: str) -> bool:
        right = pin_matches(None if member is None else member.pin_hash, pin)
        return right and member is not None and still_there(talk, member)

    def _compared(self, talk: Talk, member: Member) -> Comparison:
        ways = possible(talk.tools, member)
        if not ways:
            talk.say("no_way_to_compare")
            raise Back
        if self.back_off.wait_s(member.staff_id) > 0:
            self._wait(talk, member.staff_id)
        chosen = ways[0] if len(ways) == 1 else ways[[way.value for way in ways].index(_way(talk, ways))]
        try:
            comparison = compare(talk.tools, member, chosen)
        except BrokenOff as broken:
            talk.heard(broken.request)
            raise Back from broken
        finally:
            talk.touched()
        if comparison.matched:
            return comparison
        if not comparison.broken:
            self._wrong(talk, member.staff_id, why="not_verified", evidence=comparison.evidence)
        talk.say("not_compared" if comparison.broken else "refused")
        raise Back

    def _wrong(self, talk: Talk, staff_id: str, *, why: str, evidence: tuple[Evidence, ...] = ()) -> None:
        """Count it; recorded from the third wrong PIN on, and whenever a face or a finger was another's."""
        count = self.back_off.wrong(staff_id)
        if count >= FREE_TRIES or evidence:
            Acts(talk.tools).record(
                StaffAct.SIGN_IN_REFUSED, staff_id=staff_id or None, evidence=evidence, why=why, wrong=count
            )

    def _wait(self, talk: Talk, staff_id: str) -> None:
        minutes = math.ceil(self.back_off.wait_s(staff_id) / 60.0)
        talk.ask("wait", {PICK}, items=[{"code": "ok"}], minutes=minutes)
        raise Back


def still_there(talk: Talk, member: Member) -> bool:
    """Whether the newest list still has this member with this PIN, and the account has not ended."""
    return any(item.staff_id == member.staff_id and item.pin_hash == member.pin_hash for item in _listed(talk))


def _listed(talk: Talk) -> list[Member]:
    """Whose account has not ended, of the newest list."""
    tools = talk.tools
    listed = members(tools.fresh(), tools.config.witnesses, pin_alone=tools.config.staff.pin_alone)
    return [item for item in listed if item.usable(tools.checkin.clock.now())]


def _way(talk: Talk, ways: tuple[object, ...]) -> str:
    return talk.pick("how", [str(way) for way in ways])


def _labels(listed: Collection[Member]) -> dict[str, str]:
    """What each is called on the screen, by place; a number behind it where two are called alike."""
    called: dict[str, int] = {}
    labels = {}
    for place, item in enumerate(listed):
        called[item.shown_name] = called.get(item.shown_name, 0) + 1
        labels[str(place)] = item.shown_name
    for place, item in enumerate(listed):
        if called[item.shown_name] > 1:
            labels[str(place)] = f"{item.shown_name} {place + 1}"
    return labels
