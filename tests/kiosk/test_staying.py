"""Who stands at the kiosk after an identification: the simulated camera, the real engine, a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from errand_parts import Floor, SceneFrames, Steps, Tap, due
from kiosk_parts import Cast

from hardware.simulation.papers import Paper
from hardware.simulation.scene import Scene
from kiosk.screen import Cancelled, Chosen, HelpAsked
from models.attendance import EventType
from models.errands import Errand
from models.parcels import unpack_pages

Make = Callable[..., tuple[Floor, Scene]]


@pytest.fixture(scope="module")
def engine(engines: dict[str, Any]) -> Any:
    return engines["sface"]


@pytest.fixture
def make(cast: Cast, engine: Any, tmp_path: Path) -> Make:
    """A floor with a scene before its camera; visitor 1 stands there and was just identified."""

    def floor(script: list[Tap], **given: Any) -> tuple[Floor, Scene]:
        time = Steps()
        scene = Scene(seed=3, clock=lambda: time.ns / 1e9)
        scene.show(cast["visitor_1"], "stand")
        time.pass_s(3.0)
        made = Floor(tmp_path, script, time=time, frames=SceneFrames(scene, time), **({"due": ()} | given))
        return made, scene

    return floor


def kinds(floor: Floor) -> list[str]:
    return [event.type.value for event in floor.events()]


def menu(code: str) -> Tap:
    return ("menu", Chosen(code))


NEXT: Tap = ("result", Chosen("next"))


def test_the_person_who_stays_is_served(make: Make, cast: Cast, engine: Any) -> None:
    floor, _ = make([menu("service_in"), NEXT, menu("service_out"), NEXT, menu("done")])
    screen, _ = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert kinds(floor) == ["service_in", "service_out"]
    assert screen.hints == []


def test_whoever_walks_away_ends_the_visit_soon(make: Make, cast: Cast, engine: Any) -> None:
    """Well before the minute that somebody who stands there has."""
    floor, scene = make([])
    floor.script = [("menu", scene.leave)]
    began = floor.time.ns
    floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert (floor.time.ns - began) / 1e9 < 15
    assert kinds(floor) == ["presence"]


def test_nobody_acts_in_anothers_name(make: Make, cast: Cast, engine: Any) -> None:
    """The person left, somebody else steps up and taps: the visit is over, and nothing is recorded of the tap."""
    floor, scene = make([])
    floor.script = [
        ("menu", lambda: scene.show(cast["visitor_2"], "stand")),
        menu("service_in"),
        menu("service_in"),
        menu("service_in"),
    ]
    floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert kinds(floor) == ["presence"]


def test_a_frame_that_was_on_its_way_when_somebody_tapped_says_nothing(make: Make, cast: Cast, engine: Any) -> None:
    """It shows the person who has just left; the tap is the next one's."""
    floor, scene = make([])

    def take_the_place_and_tap() -> Chosen:
        scene.show(cast["visitor_2"], "stand")
        return Chosen("service_in")

    assert floor.frames is not None
    floor.frames.late = True
    floor.script = [("menu", lambda: None), ("menu", take_the_place_and_tap), menu("service_in")]
    floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert kinds(floor) == ["presence"]


def test_a_tap_counts_for_nothing_as_long_as_no_frame_comes(make: Make, cast: Cast, engine: Any) -> None:
    """A camera that hangs without an error knows only who stood here before."""
    floor, _ = make([])

    def hang() -> None:
        assert floor.frames is not None
        floor.frames.silent = True

    def come_back() -> None:
        assert floor.frames is not None
        floor.frames.silent = False

    floor.script = [
        ("menu", lambda: None), ("menu", hang), menu("service_in"),
        ("menu", come_back), menu("education_in"), NEXT, menu("done"),
    ]  # fmt: skip
    screen, _ = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert kinds(floor) == ["education_in"]
    assert screen.hints == ["look_here"]


def test_whoever_calls_somebody_after_the_person_has_left_calls_for_themselves(
    make: Make, cast: Cast, engine: Any
) -> None:
    """The receipt still stands on the screen; the call is nobody's until somebody has come."""
    floor, scene = make([], due=None)

    def take_the_place_and_call() -> HelpAsked:
        scene.show(cast["visitor_2"], "stand")
        return HelpAsked()

    floor.script = [("result", lambda: None), ("result", take_the_place_and_call)]
    _, request = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert request == HelpAsked()
    assert kinds(floor) == ["report_in_person"]


def test_whoever_calls_somebody_and_still_stands_there_is_who_calls(make: Make, cast: Cast, engine: Any) -> None:
    floor, _ = make([("result", lambda: None), ("result", HelpAsked())], due=None)
    floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert kinds(floor) == ["report_in_person", "help_request"]
    assert floor.events()[1].person_id == "p1"


def test_somebody_else_who_only_stands_there_ends_the_visit(make: Make, cast: Cast, engine: Any) -> None:
    """Without a tap, within a few looks."""
    floor, scene = make([], due=None)
    floor.script = [("result", lambda: scene.show(cast["visitor_3"], "stand")), NEXT]
    screen, _ = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert screen.seen == ["result"]
    assert kinds(floor) == ["report_in_person"]


def test_a_companion_beside_the_person_does_not_disturb(make: Make, cast: Cast, engine: Any) -> None:
    """An old woman and her grandson: one of the two faces is hers."""
    floor, scene = make([])
    floor.script = [("menu", lambda: scene.join(cast["visitor_2"])), menu("service_in"), NEXT, menu("done")]
    floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert kinds(floor) == ["service_in"]


def test_a_tap_of_nobody_seen_counts_only_once_the_person_is_back(make: Make, cast: Cast, engine: Any) -> None:
    """Out of sight for more than a moment, the face must agree anew; the page says what to do meanwhile."""
    floor, scene = make([])

    def gone() -> None:
        scene.show(cast["visitor_1"], "far")
        floor.time.pass_s(1.5)

    floor.script = [("menu", gone), menu("service_in"), ("menu", Cancelled())]
    screen, _ = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert kinds(floor) == ["presence"]
    assert screen.hints == ["look_here"]


def test_a_camera_that_breaks_leaves_the_minute(make: Make, cast: Cast, engine: Any) -> None:
    """Nobody is thrown out because a device failed."""
    floor, _ = make([])

    def breaks() -> None:
        assert floor.frames is not None
        floor.frames.broken = True

    floor.script = [("menu", breaks), menu("service_in"), NEXT, menu("done")]
    floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    assert kinds(floor) == ["service_in"]


def test_after_a_finger_the_face_that_stands_there_is_its_owners(make: Make, cast: Cast, engine: Any) -> None:
    """No probe: the first face is taken for the person's, and another one is not."""
    floor, scene = make([])
    floor.script = [
        menu("service_in"), NEXT,
        ("menu", lambda: scene.show(cast["visitor_2"], "stand")), menu("service_out"), menu("service_out"),
        ("menu", Cancelled()),
    ]  # fmt: skip
    floor.visit(engine=engine, probe=None)
    assert kinds(floor) == ["service_in"]


def test_after_a_finger_somebody_who_comes_late_is_not_its_owner(make: Make, cast: Cast, engine: Any) -> None:
    """Nobody was seen when the finger was laid on; whoever steps up later may not tap for them."""
    floor, scene = make([])
    scene.leave()
    floor.time.pass_s(5.0)

    def late() -> None:
        floor.time.pass_s(10.0)
        scene.show(cast["visitor_2"], "stand")

    floor.script = [("menu", late), ("menu", lambda: None), ("menu", lambda: None), menu("service_in")]
    floor.visit(engine=engine, probe=None)
    assert kinds(floor) == ["presence"]


class TestWrittenReport:
    """Photographed before the camera, sealed, named by its event."""

    def test_two_pages_are_handed_in(self, make: Make, cast: Cast, engine: Any) -> None:
        """Only the pages' inside is kept; the parcel opens to them with the site's key."""
        floor, scene = make([])
        take: Tap = ("document", Chosen("take"))
        second = Paper(2)
        wait: Tap = ("document", lambda: None)
        floor.script = [
            menu("written_report"),
            take, ("document", lambda: scene.hold_page(Paper(1))), *[wait] * 8,
            ("document", lambda: scene.hold_page(second, "tilted")), *[wait] * 8, take, *[wait] * 8,
            ("document", scene.lower_page), ("document", Chosen("done")), NEXT, menu("done"),
        ]  # fmt: skip
        screen, _ = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
        (event,) = floor.events()
        assert event.type is EventType.WRITTEN_REPORT
        parcel = floor.parcels.next_pending()
        assert parcel is not None
        assert dict(event.details) == {"parcel": parcel.sha256, "pages": 2}
        pages = unpack_pages(floor.vault.open_content(parcel.sealed, parcel.binding("s1")))
        assert len(pages) == 2
        assert screen.hints == ["page_not_seen", "page_taken"]
        assert screen.seen == ["menu", "document", "result", "menu"]

    def test_a_page_taken_again_replaces_the_last_one(self, make: Make, cast: Cast, engine: Any) -> None:
        floor, scene = make([])
        wait: Tap = ("document", lambda: None)
        floor.script = [
            menu("written_report"), ("document", Chosen("take")), ("document", lambda: scene.hold_page(Paper(1))),
            *[wait] * 8, ("document", Chosen("again")), *[wait] * 8,
            ("document", scene.lower_page), ("document", Chosen("done")), NEXT, menu("done"),
        ]  # fmt: skip
        floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
        (event,) = floor.events()
        assert event.details["pages"] == 1

    def test_a_camera_that_hangs_does_not_take_the_page_before_once_more(
        self, make: Make, cast: Cast, engine: Any
    ) -> None:
        """The second page is held up, but no frame shows it: it is asked for again, and the first is not kept twice."""
        floor, scene = make([])
        wait: Tap = ("document", lambda: None)

        def hang(silent: bool) -> None:
            assert floor.frames is not None
            floor.frames.silent = silent

        floor.script = [
            menu("written_report"), ("document", Chosen("take")), ("document", lambda: scene.hold_page(Paper(1))),
            *[wait] * 8, ("document", lambda: hang(True)), ("document", Chosen("take")), *[wait] * 100,
            ("document", scene.lower_page), ("document", lambda: hang(False)), *[wait] * 8,
            ("document", Chosen("done")), NEXT, menu("done"),
        ]  # fmt: skip
        screen, _ = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
        (event,) = floor.events()
        assert event.details["pages"] == 1
        assert screen.hints.count("page_taken") == 1

    def test_somebody_else_cannot_hand_it_in(self, make: Make, cast: Cast, engine: Any) -> None:
        """Behind the page the person was changed."""
        floor, scene = make([])
        wait: Tap = ("document", lambda: None)

        def swap() -> None:
            scene.lower_page()
            scene.show(cast["visitor_2"], "stand")

        floor.script = [
            menu("written_report"), ("document", Chosen("take")), ("document", lambda: scene.hold_page(Paper(1))),
            *[wait] * 8, ("document", swap), ("document", Chosen("done")),
        ]  # fmt: skip
        floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
        assert kinds(floor) == ["presence"]
        assert floor.parcels.counts().pending == 0

    def test_parcel_and_event_are_stored_together_or_not_at_all(
        self, make: Make, cast: Cast, engine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No event without its parcel, no parcel without its event."""
        from kiosk import journal
        from models.errors import StoreError

        floor, scene = make([])
        wait: Tap = ("document", lambda: None)
        floor.script = [
            menu("written_report"), ("document", Chosen("take")), ("document", lambda: scene.hold_page(Paper(1))),
            *[wait] * 8, ("document", scene.lower_page), ("document", Chosen("done")), ("help", Chosen("next")),
        ]  # fmt: skip

        def full(event: Any, key: Any) -> Any:
            raise StoreError("The disk is full.", code="store_full")

        monkeypatch.setattr(journal, "sign_event", full)
        screen, _ = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
        assert (screen.state().step, screen.state().hint) == ("help", "store_full")
        assert floor.parcels.counts().pending == 0
        assert floor.events() == []


def test_a_due_report_is_offered_before_other_things(make: Make, cast: Cast, engine: Any) -> None:
    lesson, report = due(Errand.EDUCATION_IN), due(Errand.REPORT_IN_PERSON, since=1)
    floor, _ = make([("menu", Cancelled())], due=(report, lesson))
    screen, _ = floor.visit(engine=engine, probe=cast.faces["visitor_1"][0])
    choices = screen.state().choices
    assert (choices[0].code, choices[0].due, choices[-1].code) == ("education_in", True, "done")
