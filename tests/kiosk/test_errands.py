"""What happens after an identification: every path ends in the right events, linked, each with the evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from errand_parts import EVIDENCE, NOON, Floor, Tap, due

from kiosk.checkin import CheckInResult
from kiosk.screen import Cancelled, CardClaim, Chosen, Claim, HelpAsked, Screen, StaffActed
from kiosk.visit import ShuttingDown
from models.attendance import CheckInOutcome, Method
from models.errands import Errand
from models.errors import StoreError
from models.questions import Question
from models.supervision import SitePolicy
from web.panel.facade import PanelStep

ADDRESS, JOB = Question.ADDRESS_CHANGED, Question.JOB_CHANGED
REPORT, LESSON = due(Errand.REPORT_IN_PERSON), due(Errand.EDUCATION_IN)
NEXT: Tap = ("result", Chosen("next"))


def menu(code: str) -> Tap:
    return ("menu", Chosen(code))


def asked(code: str) -> Tap:
    return ("question", Chosen(code))


# name: (what the site and the center say, what is tapped, the events' types, the steps shown)
PATHS: dict[str, tuple[dict[str, Any], list[Tap], list[str], list[str]]] = {
    "nothing is known of what is due: coming is reporting": (
        {}, [NEXT, menu("done")], ["report_in_person"], ["result", "menu"],
    ),
    "a report is due, and it is recorded before anything is asked": (
        {"due": (REPORT, LESSON)}, [NEXT, menu("education_in"), NEXT, menu("done")],
        ["report_in_person", "education_in"], ["result", "menu", "result", "menu"],
    ),
    "no report is due: the menu comes first": (
        {"due": (LESSON,)}, [menu("education_in"), NEXT, menu("done")],
        ["education_in"], ["menu", "result", "menu"],
    ),
    "nothing at all is due: the menu comes first, and a report can be chosen": (
        {"due": ()}, [menu("report_in_person"), NEXT, menu("done")],
        ["report_in_person"], ["menu", "result", "menu"],
    ),
    "in and out of two things in one visit": (
        {"due": (LESSON,)},
        [menu("education_in"), NEXT, menu("education_out"), NEXT, menu("service_in"), NEXT, menu("service_out"), NEXT,
         menu("leave_return"), NEXT, menu("done")],
        ["education_in", "education_out", "service_in", "service_out", "leave_return"],
        ["menu", *["result", "menu"] * 5],
    ),
    "nothing is chosen: presence": ({"due": ()}, [menu("done"), NEXT], ["presence"], ["menu", "result"]),
    "the visit is left to itself: presence": ({"due": ()}, [], ["presence"], ["menu"]),
    "the visit is cancelled: presence": ({"due": ()}, [("menu", Cancelled())], ["presence"], ["menu"]),
    "somebody else's number is typed: presence": ({"due": ()}, [("menu", Claim("7"))], ["presence"], ["menu"]),
    "a card is laid on: presence": ({"due": ()}, [("menu", CardClaim("00"))], ["presence"], ["menu"]),
    "staff take over: presence": ({"due": ()}, [("menu", StaffActed("sign_in", {}))], ["presence"], ["menu"]),
    "help is chosen in the menu": (
        {"due": ()}, [menu("help_request"), ("help", Chosen("done"))], ["help_request"], ["menu", "help"],
    ),
    "help is asked for by the button, at the result": (
        {}, [("result", HelpAsked()), ("help", HelpAsked())], ["report_in_person", "help_request"], ["result", "help"],
    ),
    "both questions are answered": (
        {"questions": (ADDRESS, JOB)}, [NEXT, asked("yes"), asked("unsure"), menu("done")],
        ["report_in_person", "answers"], ["result", "question", "menu"],
    ),
    "one question is passed over": (
        {"questions": (ADDRESS, JOB)}, [NEXT, asked("next"), asked("no"), menu("done")],
        ["report_in_person", "answers"], ["result", "question", "menu"],
    ),
    "no question is answered: nothing is recorded of them": (
        {"questions": (ADDRESS,)}, [NEXT, asked("done"), menu("done")], ["report_in_person"],
        ["result", "question", "menu"],
    ),
    "the person leaves after the first answer: it is recorded": (
        {"questions": (ADDRESS, JOB)}, [NEXT, asked("no")], ["report_in_person", "answers"], ["result", "question"],
    ),
    "help is asked for at a question": (
        {"questions": (ADDRESS,)}, [NEXT, ("question", HelpAsked())], ["report_in_person", "help_request"],
        ["result", "question", "help"],
    ),
    "questions follow the first errand of a visit without a report": (
        {"due": (LESSON,), "questions": (ADDRESS,)}, [menu("education_in"), NEXT, asked("no"), menu("done")],
        ["education_in", "answers"], ["menu", "result", "question", "menu"],
    ),
    "a report that counted at another kiosk today does not count again": (
        {"last_report": NOON}, [NEXT, menu("done")], ["report_in_person"], ["result", "menu"],
    ),
    "reported at another kiosk, and something else is due: the menu comes first": (
        {"last_report": NOON, "due": (REPORT, LESSON)}, [menu("education_in"), NEXT, menu("done")],
        ["education_in"], ["menu", "result", "menu"],
    ),
    "outside of the window": (
        {"policy": SitePolicy(windows=(("01:00", "02:00"),))}, [NEXT, menu("done")], ["report_in_person"],
        ["result", "menu"],
    ),
    "a written report without a page is none": (
        {"due": ()}, [menu("written_report"), ("document", Chosen("done")), menu("done"), NEXT], ["presence"],
        ["menu", "document", "menu", "result"],
    ),
    "whoever leaves while photographing hands in nothing": (
        {"due": ()}, [menu("written_report"), ("document", Chosen("take"))], ["presence"], ["menu", "document"],
    ),
    "a center that knows reports only has no menu": (
        {"errands": (Errand.REPORT_IN_PERSON,)}, [NEXT], ["report_in_person"], ["result"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_every_path_ends_in_its_events(name: str, tmp_path: Path) -> None:
    given, script, kinds, steps = PATHS[name]
    floor = Floor(tmp_path, script, **given)
    screen, _ = floor.visit()
    events = floor.events()
    assert [event.type.value for event in events] == kinds
    assert screen.seen == steps
    assert screen.script == [] or name.startswith("help is asked")
    for place, event in enumerate(events):
        assert event.evidence == EVIDENCE
        assert event.person_id == "p1"
        linked = event.details.get("visit")
        assert linked == (events[0].event_id if place else None)
    assert floor.parcels.counts().pending == 0


def test_the_answers_say_what_was_answered(tmp_path: Path) -> None:
    """Yes, no and not sure are three answers; a question that was passed over is not in the event."""
    floor = Floor(tmp_path, [NEXT, asked("yes"), asked("unsure"), menu("done")], questions=(ADDRESS, JOB))
    floor.visit()
    first, answers = floor.events()
    assert answers.details == {"visit": first.event_id, "address_changed": True, "job_changed": "unsure"}
    other = tmp_path / "other"
    other.mkdir()
    floor = Floor(other, [NEXT, asked("next"), asked("no"), menu("done")], questions=(ADDRESS, JOB))
    floor.visit()
    assert dict(floor.events()[1].details) | {"visit": ""} == {"visit": "", "job_changed": False}


def test_what_was_asked_for_instead_is_handed_back(tmp_path: Path) -> None:
    """A typed number begins the next visit; nothing else does."""
    for request, handed in (
        (Claim("7"), True),
        (CardClaim("0"), True),
        (StaffActed("x", {}), True),
        (Cancelled(), False),
    ):
        folder = tmp_path / type(request).__name__
        folder.mkdir()
        _, after = Floor(folder, [("result", request)]).visit()
        assert (after is request) == handed


def test_a_second_visit_on_one_day_counts_nothing_twice(tmp_path: Path) -> None:
    """The report is not offered again, the questions are not asked again, and who went in is offered to go out."""
    floor = Floor(tmp_path, [NEXT, asked("no"), menu("education_in"), NEXT, menu("done")], questions=(ADDRESS,))
    floor.visit()
    floor.time.pass_s(3600)
    screen, _ = floor.visit([menu("report_in_person"), menu("education_out"), NEXT, menu("done")])
    assert screen.seen == ["menu", "result", "menu"]
    kinds = [event.type.value for event in floor.events()]
    assert kinds == ["report_in_person", "answers", "education_in", "education_out"]


def test_a_tap_that_comes_twice_is_one_event(tmp_path: Path) -> None:
    """Double-tapped, replayed, or tapped for what is no longer offered: recorded once."""
    twice = [menu("service_in"), ("result", Chosen("service_in")), NEXT, menu("service_in"), menu("done")]
    floor = Floor(tmp_path, twice, due=())
    floor.visit()
    assert [event.type.value for event in floor.events()] == ["service_in"]


def test_one_tap_answers_one_question(tmp_path: Path) -> None:
    """The second of two quick taps does not answer the next question."""
    floor = Floor(tmp_path, questions=(ADDRESS, JOB))
    floor.visit([NEXT, asked("yes"), asked("yes"), asked("no"), menu("done")], every_s=0.3)
    answers = dict(floor.events()[1].details)
    assert (answers["address_changed"], answers["job_changed"]) == (True, False)


def test_the_result_names_the_next_report_that_the_center_knows(tmp_path: Path) -> None:
    """The last day of the next one, not of the one that was just done."""
    later = due(Errand.REPORT_IN_PERSON, since=20, until=30)
    floor = Floor(tmp_path, due=(REPORT, later))
    screen, _ = floor.visit([])
    shown = screen.state().result
    assert shown is not None
    assert (shown.next_due, shown.errand, shown.shown_name) == (later.until.isoformat(), None, "明")


def test_outside_of_the_window_the_next_opening_is_named(tmp_path: Path) -> None:
    floor = Floor(tmp_path, policy=SitePolicy(windows=(("01:00", "02:00"),)), due=(REPORT,))
    screen, _ = floor.visit([])
    shown = screen.state().result
    assert shown is not None and shown.next_due is not None
    assert shown.next_due.startswith("2026-05-05T01:00")
    assert [event.outcome for event in floor.events()] == [CheckInOutcome.OUTSIDE_WINDOW]


def test_an_errand_has_a_receipt_and_says_what_it_was(tmp_path: Path) -> None:
    floor = Floor(tmp_path, [menu("service_in")], due=())
    screen, _ = floor.visit()
    shown = screen.state().result
    assert shown is not None
    assert (shown.outcome, shown.receipt, shown.errand) == ("accepted", "000001", "service_in")


def test_every_errand_has_its_slip_and_is_no_result_of_a_check_in(tmp_path: Path) -> None:
    floor = Floor(tmp_path, [menu("service_in"), NEXT, menu("service_out"), NEXT, menu("done")], due=())
    floor.visit()
    assert [slip.signed.event.type.value for slip in floor.slips if slip.signed] == ["service_in", "service_out"]
    assert [slip.receipt for slip in floor.slips] == ["000001", "000002"]
    assert floor.told == []


def test_whoever_asks_for_help_twice_still_reads_that_somebody_comes(tmp_path: Path) -> None:
    """One record, and the page stays: a nervous person taps more than once."""
    floor = Floor(tmp_path)
    began = floor.time.ns
    screen, after = floor.visit([("result", HelpAsked()), ("help", HelpAsked()), ("help", HelpAsked())])
    assert [event.type.value for event in floor.events()] == ["report_in_person", "help_request"]
    assert (screen.state().step, screen.state().hint, after) == ("help", "help_on_the_way", None)
    assert (floor.time.ns - began) / 1e9 > 60


def test_a_late_tap_on_the_page_before_answers_no_question(tmp_path: Path) -> None:
    """Tapped on the result, heard only after the disk took its time: the question is not passed over for that."""
    late = Chosen("no", "result/None/000001")
    floor = Floor(tmp_path, questions=(ADDRESS,))
    screen, _ = floor.visit([NEXT, ("question", late), asked("yes"), menu("done")])
    assert dict(floor.events()[1].details)["address_changed"] is True
    screen.show(PanelStep.QUESTION, question=ADDRESS.value)
    screen.choose("yes")
    tapped = Screen.next_request(screen)
    assert isinstance(tapped, Chosen) and tapped.page == screen.page
    screen.show(PanelStep.QUESTION, question=JOB.value)
    assert tapped.page != screen.page


def test_a_call_for_help_is_not_lost_among_taps() -> None:
    """Something leans on the glass; the newest call for help still gets through."""
    screen = Screen()
    for _ in range(40):
        screen.choose("next")
    screen.ask_for_help()
    heard = [screen.next_request() for _ in range(20)]
    assert HelpAsked() in heard


def test_an_errand_is_no_report_and_does_not_count_as_one(tmp_path: Path) -> None:
    """Whoever went to a lesson this morning can still report this afternoon."""
    floor = Floor(tmp_path, due=(LESSON,))
    floor.visit([menu("education_in"), NEXT, menu("done")])
    floor.due = (REPORT,)
    floor.time.pass_s(3600)
    floor.visit([NEXT, menu("done")])
    assert [(event.type.value, event.outcome) for event in floor.events()] == [
        ("education_in", CheckInOutcome.ACCEPTED), ("report_in_person", CheckInOutcome.ACCEPTED),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["education_in", "answers", "help_request", "presence"])
def test_what_cannot_be_stored_is_not_promised(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: the page says that somebody comes, no receipt is shown, and the kiosk goes on."""
    floor = Floor(tmp_path, due=(), questions=(ADDRESS,))
    write = floor.journal._write

    def full(draft: Any, *rest: Any) -> Any:
        if draft.type.value == kind:
            raise StoreError("The disk is full.", code="store_full")
        return write(draft, *rest)

    monkeypatch.setattr(floor.journal, "_write", full)
    code = kind if kind in ("education_in", "help_request") else "leave_return" if kind == "answers" else "done"
    screen, after = floor.visit([menu(code), NEXT, asked("yes")])
    assert after is None
    assert kind not in [event.type.value for event in floor.events()]
    assert (screen.state().step, screen.state().hint) == ("help", "store_full")
    assert floor.time.ns / 1e9 > 60  # the page waits to be read, and is not gone at once


def test_a_station_that_stops_keeps_what_was_recorded(tmp_path: Path) -> None:
    """Stopped in the menu: whoever was identified was here, and that is recorded; nothing else is made up."""
    stop: list[bool] = []
    floor = Floor(tmp_path, [("menu", lambda: stop.append(True))], due=(), stopping=lambda: bool(stop))
    with pytest.raises(ShuttingDown):
        floor.visit()
    assert [event.type.value for event in floor.events()] == ["presence"]


@pytest.mark.parametrize("step", ["result", "question", "menu"])
def test_a_power_cut_leaves_what_was_recorded_and_the_next_start_goes_on(step: str, tmp_path: Path) -> None:
    """Killed in the middle of a page, nothing runs any more; the journal holds, and the next visit knows of it."""

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    floor = Floor(tmp_path, [NEXT, asked("no"), (step, kill)], questions=(ADDRESS,))
    if step == "result":
        floor.script = [(step, kill)]
    elif step == "question":
        floor.script = [NEXT, (step, kill)]
    with pytest.raises(Killed):
        floor.visit()
    before = [event.type.value for event in floor.events()]
    assert before == ["report_in_person"] + ["answers"] * (step == "menu")
    again = Floor(tmp_path, [menu("education_in"), NEXT, menu("done")], due=(LESSON,), time=floor.time)
    again.time.pass_s(60)
    again.visit()
    assert [event.type.value for event in again.events()] == [*before, "education_in"]


def test_nobody_has_less_than_a_minute(tmp_path: Path) -> None:
    """Each page waits sixty seconds for a tap, and every tap begins them anew."""
    floor = Floor(tmp_path, questions=(ADDRESS, JOB))
    began = floor.time.ns
    screen, _ = floor.visit([])
    waited_s = (floor.time.ns - began) / 1e9
    assert screen.seen == ["result"]
    assert 60 <= waited_s < 65
    floor.time.pass_s(24 * 3600)
    began = floor.time.ns
    slow: list[Tap] = [("result", lambda: floor.time.pass_s(55)), NEXT, ("question", lambda: floor.time.pass_s(55))]
    screen, _ = floor.visit([*slow, asked("no")])
    assert screen.script == []


def test_who_lost_all_references_while_standing_here_does_nothing_more(tmp_path: Path) -> None:
    """The center revoked them between two taps."""
    floor = Floor(tmp_path, due=())
    rosters: list[Any] = []

    class Changing:
        @property
        def current(self) -> Any:
            roster = floor.roster()
            return rosters[-1] if rosters else roster

    def revoke() -> None:
        person = replace(floor.person(), active=False)
        rosters.append(replace(floor.roster(), version=2, people={"p1": person}))

    script: list[Tap] = [("menu", revoke), menu("service_in")]
    _, _ = floor.visit(script, rosters=Changing())
    assert [(event.type.value, event.outcome) for event in floor.events()] == [
        ("failed_attempt", CheckInOutcome.REFERENCE_REVOKED)
    ]


def test_a_due_report_is_recorded_at_once_although_the_clock_is_wrong(tmp_path: Path) -> None:
    """Booted into 1970 nothing seems to be due; that must not cost anybody the report. No date is promised, either."""
    floor = Floor(tmp_path, due=(REPORT, LESSON))
    right = floor.clock
    floor.clock = replace(right, now=lambda: right.now() - timedelta(days=20_000), certain_now=lambda: None)
    screen, _ = floor.visit([])
    assert [(event.type.value, event.outcome) for event in floor.events()] == [
        ("report_in_person", CheckInOutcome.ACCEPTED)
    ]
    shown = screen.state().result
    assert shown is not None and shown.next_due is None
    floor.time.pass_s(60)
    floor.visit([])
    assert [event.outcome for event in floor.events()] == [CheckInOutcome.ACCEPTED, CheckInOutcome.ALREADY_PRESENT]


def test_a_moment_is_one_of_the_site(tmp_path: Path) -> None:
    """Yesterday's report at the site does not count for today, although it is the same day in UTC."""
    evening = datetime(2026, 5, 3, 15, 0, tzinfo=UTC)  # eleven at night on the third, at the site
    floor = Floor(tmp_path, last_report=evening)
    floor.visit([])
    assert [event.outcome for event in floor.events()] == [CheckInOutcome.ACCEPTED]


@pytest.mark.parametrize(
    ("windows", "outcome"),
    [
        ((("12:01", "24:00"),), CheckInOutcome.ACCEPTED),
        ((("00:00", "12:01"),), CheckInOutcome.ACCEPTED),
        ((("13:00", "24:00"),), CheckInOutcome.OUTSIDE_WINDOW),
    ],
    ids=["opens meanwhile", "closes meanwhile", "stays closed"],
)
def test_a_report_from_the_menu_is_judged_when_it_is_chosen_and_waiting_there_makes_nobody_late(
    tmp_path: Path, windows: Any, outcome: CheckInOutcome
) -> None:
    floor = Floor(tmp_path, due=(), policy=SitePolicy(windows=windows))
    floor.time.pass_s(50.0)

    def wait_and_tap() -> Chosen:
        floor.time.pass_s(15.0)
        return Chosen("report_in_person")

    floor.visit([("menu", wait_and_tap), NEXT, menu("done")])
    assert floor.told[-1].outcome is outcome


def test_once_somebody_was_recognised_the_visit_before_is_nobodys_to_vouch_for(tmp_path: Path) -> None:
    floor = Floor(tmp_path, due=())
    failed = CheckInOutcome.NOT_IDENTIFIED
    floor.unrecognised = CheckInResult(failed, None, Method.FACE, None, NOON, None, {})
    floor.visit([menu("done")])
    assert floor.checkin is not None
    assert floor.checkin.unrecognised is None
