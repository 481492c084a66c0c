"""Staff of a real center with a PIN and references of their own, and hands that use the staff's pages of a kiosk."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from center_parts import RealCenter, Site, utc, wait_until
from kiosk_parts import Cast, RunningKiosk

from enrollment.staff_repository import bump_for_staff, save_staff_references
from hardware.simulation.scene import Visitor
from kiosk.clock import Clock
from models.attendance import AttendanceEvent, EventType, SignedEvent, uuid7, verify_event
from models.biometrics import FingerPosition, Modality, Reference, Template
from models.store.center import StaffRow
from models.wire import decode_key

PIN_HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PIN, OTHER_PIN = "271828", "314159"
NUMBERS = itertools.count(70_001)  # one center serves every test, and a number is one person's


def hire(
    site: Site,
    name: str,
    pin: str,
    *,
    faces: Sequence[Template] = (),
    fingers: Sequence[tuple[FingerPosition, Template]] = (),
    expires_at: datetime | None = None,
) -> str:
    """A staff member of this site; the staff_id."""
    staff_id, center = uuid7(utc()), site.real.center
    key = site.vault.new_person_key(staff_id)
    rows = [(Modality.FACE, None, template) for template in faces]
    rows += [(Modality.FINGER, position, template) for position, template in fingers]
    with center.writing() as session:
        session.add(
            StaffRow(
                staff_id=staff_id,
                login=staff_id,
                name=name,
                password_hash="none",
                role="staff",
                site_id=site.site_id,
                expires_at=expires_at,
                pin_hash=PIN_HASHER.hash(pin),
            )
        )
        session.flush()
        if rows:
            sealed = tuple(
                site.vault.seal(Reference(uuid7(utc()), staff_id, modality, position, template, 0.9, utc()), key)
                for modality, position, template in rows
            )
            save_staff_references(session, sealed, key=key, site_id=site.site_id, now=utc())
        else:
            bump_for_staff(session, {site.site_id}, utc())
    return staff_id


class JumpingClock:
    """The machine's clock, which can be set forward."""

    def __init__(self) -> None:
        self._ahead_ns = 0
        self.clock = Clock(monotonic_ns=lambda: time.monotonic_ns() + self._ahead_ns, boot_id="test")

    def forward(self, seconds: float) -> None:
        self._ahead_ns += int(seconds * 1e9)


@dataclass
class Hands:
    """What staff press at a kiosk, and what they see."""

    running: RunningKiosk

    def press(self, act: str, **fields: str) -> None:
        self.running.kiosk.screen.staff_act(act, fields)

    def pick(self, code: str, **fields: str) -> None:
        self.press("pick", code=code, **fields)

    @property
    def view(self) -> dict[str, Any]:
        state = self.running.state
        return dict(state.staff) if state.step == "staff" and state.staff else {}

    def sees(self, page: str, *, timeout_s: float = 90.0, **values: Any) -> dict[str, Any]:
        """The view, once it is this page with these values."""

        def there() -> dict[str, Any] | None:
            view = self.view
            return view if view.get("page") == page and values.items() <= view.items() else None

        try:
            return wait_until(there, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"not {page} {values}, but {self.running.state.step} {self.view}") from error

    def names(self) -> list[str]:
        """Who can be chosen."""
        return [item["label"] for item in self.view["items"]]

    def choose_self(self, name: str, page: str = "who") -> None:
        view = self.sees(page)
        self.pick(next(item["code"] for item in view["items"] if item["label"] == name))

    def sign_in(self, name: str, pin: str, visitor: Visitor | None = None, *, by: str = "face") -> None:
        """Up to the choice of what to do; by the own face or finger, or by the PIN alone without a ``visitor``."""
        self.press("open")
        self.identify(name, pin, visitor, by=by)
        self.sees("home")

    def identify(
        self, name: str, pin: str, visitor: Visitor | None, *, by: str = "face", page: str = "who", ways: int = 1
    ) -> None:
        self.choose_self(name, page)
        self.sees("pin")
        if visitor is not None and by == "face":
            self.running.scene.show(visitor, "stand")
        self.press("pin", pin=pin)
        if ways > 1:
            self.sees("how")
            self.pick(by)
        if visitor is not None and by == "finger":
            self.running.wait_step("finger")
            self.running.scene.lay_finger(visitor.finger("right_index"), number=7)

    def hear_notice(self, last: str = "told") -> None:
        """Every line of the notice."""
        for line in range(1, 8):
            self.sees("notice", line=line)
            self.pick("next" if line < 7 else last, language="zh_CN")

    def lay_fingers(self, visitor: Visitor) -> None:
        """Lay and lift as the page says, until another page comes."""
        wait_until(lambda: self.view.get("page") in ("enroll_face", "enroll_finger"), 90.0)
        laid, number = "", 20
        while (view := self.view).get("page") in ("enroll_finger", "enroll_face", "working") or not view:
            if view.get("page") != "enroll_finger":
                time.sleep(0.005)
            elif view.get("hint") == "lift_finger" and laid:
                self.running.scene.lift_finger()
                laid = ""
            elif view.get("hint") != "lift_finger" and not laid:
                laid, number = view["finger"], number + 1
                self.running.scene.lay_finger(visitor.finger(laid), number=number)
            time.sleep(0.005)
        self.running.scene.lift_finger()


def ledger(site: Site, running: RunningKiosk) -> list[AttendanceEvent]:
    """Every event of the kiosk as the center's ledger holds it, each one's signature checked."""
    running.delivered()
    key = decode_key(site.kiosk_key(running.pairing.kiosk_id))
    rows = site.real.events(running.pairing.kiosk_id)
    return [verify_event(SignedEvent(json.loads(row.body), row.hash, row.signature), key) for row in rows]


def acts(site: Site, running: RunningKiosk) -> list[str]:
    """The acts of staff, in order; a witnessed check-in is one, too."""
    told = []
    for event in ledger(site, running):
        if event.type is EventType.STAFF:
            told.append(str(event.details["act"]))
        elif event.type is EventType.WITNESSED_CHECK_IN:
            told.append("witness")
    return told


def staffed(real_center: RealCenter, cast: Cast, **policy: Any) -> Any:
    """A site with one person, and a staff member who is visitor 2."""
    site = real_center.new_site(**policy)
    site.number = str(next(NUMBERS))  # type: ignore[attr-defined]
    site.person_id = site.enroll(site.number, faces=cast.faces["visitor_1"])  # type: ignore[attr-defined]
    site.staff_id = hire(site, "陈静", PIN, faces=cast.faces["visitor_2"])  # type: ignore[attr-defined]
    return site


def vouch(hands: Hands, number: str, reason: str, *, until: str | None = None, was_here: bool | None = None) -> Any:
    """A typing error, the number, the reason, the word; the result, or None once page ``until`` is there.

    ``was_here``: what is said of a visit that names nobody, if one is asked about.
    """
    hands.pick("witness")
    hands.sees("number")
    hands.press("number", number="404")
    hands.sees("number", hint="number_unknown")
    hands.press("number", number=number)
    if was_here is not None:
        assert hands.sees("here")["number"] == number
        hands.pick("was_here" if was_here else "was_not_here")
    assert hands.sees("reason")["shown_name"] == "明"
    if reason not in [item["code"] for item in hands.view["items"]]:
        hands.pick("more")
        wait_until(lambda: reason in [item["code"] for item in hands.view["items"]])
    hands.pick(reason)
    hands.sees("vouch", reason=reason)
    hands.pick("vouch")
    if until is not None:
        hands.sees(until)
        return None
    return hands.running.result()
