"""From the page to the ledger: a real Chromium, a whole kiosk, and a center that holds what came of it.

Faces stand before the simulated camera, fingers lie on the simulated sensor behind its real serial protocol, every
touch is a click in the kiosk's own page, and every path ends in what the center's ledger has.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from center_parts import OPEN_ALL_DAY, RealCenter, Site, utc, wait_until
from kiosk_parts import Cast, StartKiosk
from page_parts import PANEL, PATIENT, TEXTS, KioskPage, OpenPage, in_short, recorded
from sqlalchemy import func, select
from staff_parts import ledger

from enrollment.repository import bump_gallery
from hardware.drivers.receipt_printer import EscPosPrinter
from hardware.drivers.sam_v import SamVReader
from hardware.simulation.papers import Paper
from hardware.simulation.printer_emulator import SimulatedPrinter
from hardware.simulation.sam_v_emulator import SamVEmulator
from hardware.simulation.sam_v_module import invented_card
from hardware.simulation.scene import Visitor
from models.bundle import verify_bundle
from models.errands import DueItem, Errand
from models.export import export_bundle
from models.id_card import card_key, digest
from models.receipt import Receipt
from models.receipt_check import check_receipt
from models.store.center import ParcelRow, PersonRow
from models.supervision import SitePolicy
from tests.hardware.escpos_paper import interpret
from web.center.access import Account
from web.center.due import enter_due
from web.center.heads import sign_tree_head_now
from web.center.sites import change_visit

pytestmark = pytest.mark.browser

OFFICE = Account("setup", "setup", "", "admin", None)
GOOD, WAIT = TEXTS["outcome"]["accepted"]["title"], TEXTS["outcome"]["not_identified"]["title"]
AGAIN = TEXTS["outcome"]["already_present"]["title"]
FACE = ("report_in_person", "accepted", "face")
TOO_SELDOM = 8.0  # pictures a second: fewer may show too little of a turn to any witness


@pytest.fixture
def card_reader(tmp_path: Path) -> Iterator[SamVEmulator]:
    with SamVEmulator(link=tmp_path / "card") as running:
        yield running


def ask(site: Site, *questions: str) -> None:
    """The office asks these questions and offers everything."""
    with site.real.center.writing() as session:
        change_visit(
            site.real.center, session, site.site_id, questions=list(questions), errands=[item.value for item in Errand]
        )


def enter(site: Site, person_id: str, errand: Errand) -> None:
    """The office entered something for this person."""
    day = utc().date()
    item = DueItem(errand, day - timedelta(days=1), day + timedelta(days=1))
    with site.real.center.writing() as session:
        enter_due(site.real.center, session, OFFICE, person_id, item=item, note=None)


def give_card(site: Site, person_id: str, number: str) -> str:
    """The center knows a person's card; its digest."""
    with site.real.center.writing() as session:
        known = digest(number, card_key(site.site_key.key))
        session.get_one(PersonRow, person_id).id_card = known
        bump_gallery(session, site.site_id, utc())
    return known


def test_a_visit_by_face_with_everything_the_office_offers(
    real_center: RealCenter,
    start_kiosk: StartKiosk,
    open_page: OpenPage,
    cast: Cast,
    printer: SimulatedPrinter,
    tmp_path: Path,
) -> None:
    """Prompts obeyed, questions, what is due first, a page loaded again, every errand, a call for help, a receipt."""
    site = real_center.new_site(challenge_required=True)
    person_id = site.enroll("84001", faces=cast.faces["visitor_1"])
    ask(site, "address_changed", "job_changed")
    enter(site, person_id, Errand.EDUCATION_IN)
    slips = EscPosPrinter("network", address=printer.address, timeout_s=1.0)
    running = start_kiosk(site, printer=slips, panel=PANEL, visit=PATIENT)
    at = open_page(running)
    at.sees("idle")
    in_vain = steps_up_until_recognised(at, site, cast["visitor_1"])
    assert len([prompt for prompt in at.prompts if prompt != "look_here"]) > 1
    assert (at.words("#result-title"), at.words("#result-name")) == (GOOD, "明")
    receipts = [at.result(GOOD)]
    for question, answer in (("address_changed", "yes"), ("job_changed", "no")):
        at.reads("#question-title", TEXTS["question"][question])
        at.choose(answer)
    assert at.menu()[0] == "education_in"
    assert at.page.get_attribute("#choices button >> nth=0", "data-due") is not None
    receipts.append(at.does("education_in"))
    offered = at.menu()
    assert offered[0] == "education_out" and "report_in_person" not in offered
    at.loads_again()
    assert at.menu() == offered
    receipts += [at.does("service_in"), at.does("leave_return"), hands_in_a_page(at)]
    receipts += [at.does("education_out"), at.does("service_out")]
    at.menu()
    at.choose("help_request")
    at.sees("help")
    at.leaves()

    events = ledger(site, running)
    assert [in_short(event)[:2] for event in events[:in_vain]] == [("failed_attempt", "referred_to_staff")] * in_vain
    first, answers, *later = events = events[in_vain:]
    assert in_short(first) == FACE
    assert [item.matched for item in first.evidence] == [True]
    assert answers.details == {"visit": first.event_id, "address_changed": True, "job_changed": False}
    assert [event.type.value for event in later] == [
        "education_in", "service_in", "leave_return", "written_report", "education_out", "service_out", "help_request",
    ]  # fmt: skip
    assert {(event.person_id, event.details["visit"]) for event in later} == {(person_id, first.event_id)}
    assert {event.outcome and event.outcome.value for event in later} == {"accepted", "referred_to_staff"}
    assert receipts == [event.seq for event in events if event.type.value not in ("answers", "help_request")]
    wait_until(lambda: pages_held(real_center, person_id) == 1)
    wait_until(lambda: len(printer.slips) == len(receipts))
    printed = [Receipt.parse(interpret(slip).symbol()) for slip in printer.slips]
    assert [receipt.seq for receipt in printed] == receipts
    hold_against_the_ledger(real_center, printed, tmp_path / "ledger")


def steps_up_until_recognised(at: KioskPage, site: Site, visitor: Visitor) -> int:
    """Step up and obey, again only if the machine was too busy to look often enough, which the record itself must say.

    How many visits were in vain.
    """
    for in_vain in range(3):
        at.scene.show(visitor, "approach")
        at.does_as_told("result")
        if at.words("#result-title") != WAIT:
            return in_vain
        at.press("#cancel")
        at.leaves()
        rate = at.looks_a_second(ledger(site, at.running)[-1])
        assert rate < TOO_SELDOM, f"a genuine visitor was refused, though looked at {rate:.1f} times a second"
    raise AssertionError("a genuine visitor was not recognised in three visits")


def hands_in_a_page(at: KioskPage) -> int:
    """A written report of one page, held before the camera; its receipt's number."""
    at.menu()
    at.choose("written_report")
    at.sees("document")
    at.scene.hold_page(Paper(7))
    at.choose("take")
    at.reads("#pages", "1")
    at.scene.lower_page()
    at.choose("done")
    return at.result(TEXTS["recorded"]["written_report"])


def pages_held(real_center: RealCenter, person_id: str) -> int:
    """How many parcels the center holds of a person."""
    with real_center.center.reading() as session:
        held = select(func.count()).select_from(ParcelRow).where(ParcelRow.person_id == person_id)
        return session.scalar(held) or 0


def hold_against_the_ledger(real_center: RealCenter, printed: list[Receipt], bundle: Path) -> None:
    """As anybody can with an exported ledger, without a network."""
    sign_tree_head_now(real_center.center)
    with real_center.center.reading() as session:
        export_bundle(session, bundle)
    key = real_center.center.key.public_key()
    assert verify_bundle(bundle, center_key=key).ok
    assert all(check_receipt(receipt, bundle, center_key=key).ok for receipt in printed)


def test_nobody_need_touch_anything_and_a_second_visit_that_day_counts_nothing_twice(
    real_center: RealCenter, start_kiosk: StartKiosk, open_page: OpenPage, cast: Cast
) -> None:
    """By the finger alone, later by the face alone, then by the finger again: one report."""
    site = real_center.new_site()
    person_id = site.enroll("84101", faces=cast.faces["visitor_3"], fingers=cast.fingers("visitor_3"))
    running = start_kiosk(site, panel=PANEL, visit=PATIENT | {"rest_s": 1.5, "away_after_s": 1.0})
    at = open_page(running)
    at.sees("idle")
    for words, shown in ((GOOD, False), (AGAIN, True), (AGAIN, False)):
        if shown:
            running.scene.show(cast["visitor_3"], "stand")
        else:
            at.touches_the_sensor(cast["visitor_3"].finger("right_index"))
        at.sees("result")
        at.reads("#result-title", words)
        at.leaves()
    assert recorded(site, running) == [
        ("report_in_person", "accepted", "finger"),
        ("report_in_person", "already_present", "face"),
        ("report_in_person", "already_present", "finger"),
    ]
    assert {event.person_id for event in ledger(site, running)} == {person_id}


def test_a_number_then_the_finger_and_a_face_then_the_finger_that_is_asked_for(
    real_center: RealCenter, start_kiosk: StartKiosk, open_page: OpenPage, cast: Cast
) -> None:
    """A mistyped number is asked for again; the finger is the one that the page names, compared on the sensor."""
    site = real_center.new_site(face_alone=False)
    claims = site.enroll("84201", sensor_fingers=cast.sensor_fingers("visitor_3"))
    looks = site.enroll(
        "84202", faces=cast.faces["visitor_2"], sensor_fingers=cast.sensor_fingers("visitor_2", "left_thumb")
    )
    running = start_kiosk(site, people=2, panel=PANEL, visit=PATIENT)
    at = open_page(running)
    at.claim("404404")
    at.reads("#claim .hint", TEXTS["hint"]["number_unknown"])
    at.type_number("84201")
    at.does_as_told("result", lays=cast["visitor_3"])
    at.reads("#result-title", GOOD)
    at.press("#cancel")
    at.leaves()
    running.scene.show(cast["visitor_2"], "approach")
    at.sees("finger")
    assert at.words("#finger-title") == TEXTS["finger_title"].format(finger=TEXTS["finger"]["left_thumb"])
    at.does_as_told("result", lays=cast["visitor_2"])
    at.reads("#result-title", GOOD)
    at.leaves()
    events = ledger(site, running)
    assert [(event.person_id, *in_short(event)) for event in events] == [
        (claims, "report_in_person", "accepted", "claim+finger"),
        (looks, "report_in_person", "accepted", "face+finger"),
    ]
    assert [item.modality for item in events[1].evidence] == ["face", "finger"]


def test_an_identity_card_is_a_claim_that_a_finger_or_a_face_makes_good(
    real_center: RealCenter, start_kiosk: StartKiosk, open_page: OpenPage, cast: Cast, card_reader: SamVEmulator
) -> None:
    """Through the reader's own protocol; neither a card's number nor its digest is in any record."""
    site = real_center.new_site()
    cards = {label: invented_card(place) for place, label in enumerate(("nobody", "visitor_3", "visitor_1"), start=4)}
    people = {
        "visitor_3": site.enroll("84301", sensor_fingers=cast.sensor_fingers("visitor_3")),
        "visitor_1": site.enroll("84302", faces=cast.faces["visitor_1"]),
    }
    hidden = [give_card(site, person_id, cards[label].number) for label, person_id in people.items()]
    reader = SamVReader(card_reader.port, timeout_s=0.5)
    running = start_kiosk(site, people=2, card_reader=reader, panel=PANEL, visit=PATIENT)
    at = open_page(running)
    at.sees("idle")
    card_reader.lay(cards["nobody"])
    at.reads("#claim .hint", TEXTS["hint"]["card_unknown"])
    card_reader.take()
    for label, lays in (("visitor_3", True), ("visitor_1", False)):
        if not lays:
            running.scene.show(cast[label], "look_away")  # whoever lays a card on looks at the card
        card_reader.lay(cards[label])
        at.does_as_told("finger", "look")
        if not lays:
            running.scene.show(cast[label], "stand")
        at.does_as_told("result", lays=cast[label] if lays else None)
        at.reads("#result-title", GOOD)
        card_reader.take()
        at.press("#cancel")
        at.leaves()
    events = ledger(site, running)
    assert [(event.person_id, *in_short(event)) for event in events] == [
        (people["visitor_3"], "report_in_person", "accepted", "claim+finger"),
        (people["visitor_1"], "report_in_person", "accepted", "claim+face"),
    ]
    written = str([event.body() for event in events])
    assert not any(secret in written for secret in [*hidden, *(card.number for card in cards.values())])


def test_somebody_unknown_and_a_photograph_read_the_same_words_and_are_never_accepted(
    real_center: RealCenter, start_kiosk: StartKiosk, open_page: OpenPage, cast: Cast
) -> None:
    """A stranger calls somebody; a photograph of whoever is enrolled is turned as the page says."""
    site = real_center.new_site(max_tries=1)
    site.enroll("84401", faces=cast.faces["visitor_1"])
    running = start_kiosk(site, panel=PANEL, visit=PATIENT)
    at = open_page(running)
    at.sees("idle")
    running.scene.show(cast["visitor_3"], "approach")
    at.sees("result")
    read = [at.words("#result-title"), at.words("#result-line"), at.page.is_visible("#result-name")]
    assert read == [WAIT, TEXTS["outcome"]["not_identified"]["line"], False]
    at.press("#someone")
    at.sees("help")
    at.press("#cancel")
    at.leaves()
    site.set_policy(SitePolicy(version="2", windows=OPEN_ALL_DAY, face_alone=True, max_tries=1))
    wait_until(lambda: running.roster.current.policy.challenge_required)
    running.scene.show(cast["visitor_1"], "photo")
    at.does_as_told("result")
    assert at.prompts
    assert [at.words("#result-title"), at.words("#result-line"), at.page.is_visible("#result-name")] == read
    at.leaves()
    stranger, called, photograph = ledger(site, running)
    assert in_short(stranger) == ("failed_attempt", "not_identified", "face")
    assert in_short(called)[:2] == ("help_request", "referred_to_staff")
    kind, outcome, _ = in_short(photograph)
    assert kind == "failed_attempt" and outcome in ("attack_suspected", "referred_to_staff")  # or no answer in time
    assert stranger.person_id is None and photograph.person_id is None


def test_whoever_walks_away_from_the_menu_leaves_nothing_for_the_next_one_to_touch(
    real_center: RealCenter, start_kiosk: StartKiosk, open_page: OpenPage, cast: Cast
) -> None:
    """The page goes back to its start by itself; a touch by somebody else records nothing."""
    site = real_center.new_site(cadence=())
    person_id = site.enroll("84501", faces=cast.faces["visitor_1"])
    running = start_kiosk(site, panel=PANEL, visit=PATIENT | {"away_after_s": 1.0})
    at = open_page(running)
    at.sees("idle")
    running.scene.show(cast["visitor_1"], "stand")
    assert "service_in" in at.menu()
    at.leaves()
    running.scene.show(cast["visitor_1"], "stand")
    at.menu()
    at.read()
    at.stands_there(cast["visitor_3"])
    assert at.reaches_for("#choices [data-choose=service_in]")
    wait_until(lambda: at.seen()["step"] != "menu")
    at.press("#cancel")
    at.leaves()
    here = ("presence", "accepted", "face")
    assert recorded(site, running)[:2] == [here, here]
    assert {event.person_id for event in ledger(site, running)} <= {person_id, None}
    assert "service_in" not in {kind for kind, _, _ in recorded(site, running)}


def test_a_device_that_is_pulled_out_is_named_on_the_page_and_people_check_in_by_the_other_one(
    real_center: RealCenter, start_kiosk: StartKiosk, open_page: OpenPage, cast: Cast
) -> None:
    """Camera gone: number and finger. Sensor gone in the middle: staff, and a face. Both back: as before."""
    site = real_center.new_site()
    finger_only = site.enroll("84601", sensor_fingers=cast.sensor_fingers("visitor_3"))
    other = site.enroll("84602", sensor_fingers=cast.sensor_fingers("visitor_2"))
    face = site.enroll("84603", faces=cast.faces["visitor_1"])
    running = start_kiosk(site, people=3, panel=PANEL, visit=PATIENT)
    at = open_page(running)
    at.sees("idle")
    running.camera.unplug()
    at.reads("#status", says("camera", "device_unplugged"))
    at.reads("#idle-title", TEXTS["idle_number"]["title"])
    at.claim("84601")
    at.does_as_told("result", lays=cast["visitor_3"])
    at.result(GOOD)
    at.menu()
    at.choose("done")
    running.camera.plug()
    at.sees("idle")
    at.reads("#idle-title", TEXTS["step"]["idle"]["title"])
    assert at.words("#status") == ""
    at.claim("84602")
    at.sees("finger")
    running.chip.unplug()
    at.sees("result")
    at.reads("#result-title", WAIT)
    at.reads("#status", TEXTS["device"]["sensor"])
    at.press("#cancel")
    running.scene.show(cast["visitor_1"], "stand")
    at.reads("#result-title", GOOD)
    running.chip.plug()
    wait_until(lambda: at.words("#status") == "")
    at.press("#cancel")
    at.leaves()
    at.claim("84602")
    at.does_as_told("result", lays=cast["visitor_2"])
    at.reads("#result-title", GOOD)
    assert [(event.person_id, *in_short(event)) for event in ledger(site, running)] == [
        (finger_only, "report_in_person", "accepted", "claim+finger"),
        (other, "failed_attempt", "referred_to_staff", "none"),
        (face, *FACE),
        (other, "report_in_person", "accepted", "claim+finger"),
    ]


def says(device: str, code: str) -> str:
    """The line about a device, as the page has it."""
    words: str = TEXTS["device_line"].format(name=TEXTS["device"][device], words=TEXTS["error"][code])
    return words
