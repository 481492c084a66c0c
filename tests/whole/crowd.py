"""More people for long runs: a crowd with one finger each, identity cards, absentees and a staff member.

Owns who they are and their rows at the center. Their references are sealed and stored without an enrollment's session:
enrolling is not what a long run is about.
"""

from __future__ import annotations

from collections.abc import Sequence

from enrollment.repository import bump_gallery
from enrollment.staff_repository import save_staff_references
from enrollment.vault import SiteKey, Vault
from hardware.ports import CardText
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.sam_v_module import invented_card
from kiosk.demonstration.center import SITE_ID, DemoCenter
from kiosk.demonstration.visits import PEOPLE
from kiosk.finger_step import SENSOR_DPI
from matcher.engines import load_engine
from matcher.ports import FingerEngine
from models import id_card
from models.attendance import utc_now, uuid7
from models.biometrics import FingerPosition, Modality, Reference
from models.errands import USUAL_ERRANDS
from models.questions import Question
from models.store.center import PersonKeyRow, PersonRow, ReferenceRow, StaffRow
from web.center.keys import site_key_path
from web.center.sites import change_visit
from web.center.vaults import site_key

CROWD = tuple(str(number) for number in range(2001, 2031))  # one enrolled finger each
ABSENT = tuple(str(number) for number in range(3001, 3061))  # nothing enrolled: staff vouch for them
STRANGER, STAFF = "stranger", "staff"  # as labels of fingers
STAFF_NAME, STAFF_PIN = "值班员", "730419"
UNKNOWN_CARD = 900
POSITION = FingerPosition.RIGHT_INDEX
_TOUCHES = (101, 102, 103)  # impressions that nobody makes at a kiosk again
_STRANGERS_SEED, _STAFFS_SEED, _CROWDS_SEED = 990_001, 880_001, 40


def finger_of(label: str) -> SimulatedFinger:
    """The finger of a number, of a stranger or of the staff member."""
    if label == STRANGER:
        return SimulatedFinger(_STRANGERS_SEED)
    if label == STAFF:
        return SimulatedFinger(_STAFFS_SEED)
    seeds = {person.number: person.finger_seed for person in PEOPLE}
    seeds |= {number: _CROWDS_SEED + place for place, number in enumerate(CROWD)}
    return SimulatedFinger(seeds[label] * 100 + int(POSITION))


def card_of(number: str) -> CardText:
    """The identity card of a person's number."""
    return invented_card(CROWD.index(number) + 1)


def gather(center: DemoCenter, questions: Sequence[Question]) -> None:
    """Enter them all, and have the site ask ``questions``."""
    engine = load_engine("minutiae")
    vault = Vault(SiteKey.load(site_key_path(center.center.settings.keys_folder(), SITE_ID)))
    for number in CROWD:
        _enter(center, vault, engine, number)
    for number in ABSENT:
        center.add_person(uuid7(utc_now()), number, "未录")
    _hire(center, vault, engine)
    with center.writing() as session:
        offered = [errand.value for errand in USUAL_ERRANDS]
        change_visit(center.center, session, SITE_ID, questions=[item.value for item in questions], errands=offered)


def _references(owner: str, label: str, engine: FingerEngine) -> list[Reference]:
    finger = finger_of(label)
    templates = [engine.extract(finger.impression(touch), dpi=SENSOR_DPI) for touch in _TOUCHES]
    return [Reference(uuid7(utc_now()), owner, Modality.FINGER, POSITION, item, 0.9, utc_now()) for item in templates]


def _enter(center: DemoCenter, vault: Vault, engine: FingerEngine, number: str) -> None:
    """One of the crowd, with a finger and a card."""
    person_id = uuid7(utc_now())
    center.add_person(person_id, number, "众人")
    key = vault.new_person_key(person_id)
    card = id_card.digest(card_of(number).number, id_card.card_key(site_key(center.center, SITE_ID).key))
    with center.writing() as session:
        session.get_one(PersonRow, person_id).id_card = card
        session.add(PersonKeyRow(person_id=person_id, key_id=key.key_id, nonce=key.nonce, ciphertext=key.ciphertext))
        session.flush()
        for reference in _references(person_id, number, engine):
            sealed = vault.seal(reference, key)
            session.add(
                ReferenceRow(
                    reference_id=sealed.reference_id,
                    person_id=person_id,
                    modality=Modality.FINGER.value,
                    position=int(POSITION),
                    format=str(sealed.format),
                    quality=sealed.quality,
                    enrolled_at=sealed.enrolled_at,
                    nonce=sealed.nonce,
                    ciphertext=sealed.ciphertext,
                    source="image",
                )
            )
        bump_gallery(session, SITE_ID, utc_now())


def _hire(center: DemoCenter, vault: Vault, engine: FingerEngine) -> None:
    """The staff member, with a PIN and a finger."""
    staff_id = uuid7(utc_now())
    key = vault.new_person_key(staff_id)
    sealed = tuple(vault.seal(reference, key) for reference in _references(staff_id, STAFF, engine))
    with center.writing() as session:
        session.add(
            StaffRow(
                staff_id=staff_id,
                login="on-duty",
                name=STAFF_NAME,
                password_hash="none",
                role="staff",
                site_id=SITE_ID,
                pin_hash=center.center.hasher.hash(STAFF_PIN),
            )
        )
        session.flush()
        save_staff_references(session, sealed, key=key, site_id=SITE_ID, now=utc_now())
