"""The scene: heads that move in depth, sheets that do not, fingers on the glass, and scripts that say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scene_parts import MARKS, StillClock, drawn_face, visitor

from hardware.simulation.behaviours import BEHAVIOURS
from hardware.simulation.heads import Portrait
from hardware.simulation.movement import LEAVE_S, Movement
from hardware.simulation.projection import Pose, project
from hardware.simulation.prompts import STEADY, Heard
from hardware.simulation.room import View
from hardware.simulation.scene import Scene, Visitor
from hardware.simulation.script import ScenePlayer, parse_script, read_script
from models.biometrics import UInt8Array
from models.errors import ConfigurationError, ImageError


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def scene(clock: StillClock) -> Scene:
    return Scene(seed=4, clock=clock)


@pytest.fixture(scope="module")
def somebody() -> Visitor:
    return visitor()


def nose_x(frame: UInt8Array) -> float:
    """The column of the drawn face's red nose tip; nan if it is not to be seen."""
    red = (frame[..., 0] > 150) & (frame[..., 1] < 90) & (frame[..., 2] < 90)
    columns = np.flatnonzero(red.any(axis=0))
    return float(columns.mean()) if columns.size else float("nan")


def covered(frame: UInt8Array, empty: UInt8Array) -> float:
    """Which share of the frame differs from the empty room."""
    return float((np.abs(frame.astype(int) - empty).max(axis=2) > 40).mean())


def test_an_empty_room_shows_nobody(scene: Scene) -> None:
    frame = scene.render(sequence=0)
    assert frame.shape == (480, 640, 3)
    assert frame.dtype == np.uint8
    assert scene.present() == ()


def test_a_visitor_who_approaches_grows(scene: Scene, clock: StillClock, somebody: Visitor) -> None:
    empty = scene.render(sequence=0)
    scene.show(somebody, "approach")
    far = covered(scene.render(sequence=1), empty)
    clock.now_s += 2
    assert covered(scene.render(sequence=2), empty) > 2 * far > 0


def test_a_visitor_who_leaves_is_gone_and_takes_the_finger_away(
    scene: Scene, clock: StillClock, somebody: Visitor
) -> None:
    scene.show(somebody, "stand")
    scene.lay_finger(somebody.finger("right_index"))
    scene.leave()
    assert scene.glass.impression() is None
    assert scene.present() == ("visitor_1",)
    clock.now_s += LEAVE_S + 0.1
    assert scene.present() == ()


def turn_of_nose(scene: Scene, clock: StillClock, kind: str) -> float:
    before = nose_x(scene.render(sequence=1))
    scene.challenge(kind)
    clock.now_s += 1.6
    return nose_x(scene.render(sequence=2)) - before


@pytest.mark.parametrize(("kind", "sign"), [("turn_left", 1), ("turn_right", -1)])
def test_a_living_visitor_turns_the_nose_to_the_side_that_was_asked(
    scene: Scene, clock: StillClock, somebody: Visitor, kind: str, sign: int
) -> None:
    scene.show(somebody, "stand")
    assert sign * turn_of_nose(scene, clock, kind) > 15


def test_who_ignores_the_challenge_keeps_still(scene: Scene, clock: StillClock, somebody: Visitor) -> None:
    scene.show(somebody, "ignore")
    assert abs(turn_of_nose(scene, clock, "turn_left")) < 12


def test_on_a_turned_head_the_nose_moves_more_than_on_a_turned_sheet() -> None:
    """Both turn by 30 degrees about the same axis; only on the head the nose lies before it."""
    nose, pose = np.array([[0.0, 0.62, 0.43]]), Pose(yaw_deg=30)
    head, sheet = project(nose, pose), project(nose * [1, 1, 0], pose)
    assert head[0, 0] - sheet[0, 0] > 10


@pytest.mark.parametrize("behaviour", list(BEHAVIOURS))
def test_every_behaviour_can_be_shown(scene: Scene, clock: StillClock, somebody: Visitor, behaviour: str) -> None:
    empty = scene.render(sequence=0)
    scene.show(somebody, behaviour)
    clock.now_s += 2
    assert covered(scene.render(sequence=1), empty) > 0.005


def test_too_dark_is_dark_and_blurred_is_soft(scene: Scene, clock: StillClock, somebody: Visitor) -> None:
    def sharpness(frame: UInt8Array) -> float:
        return float(np.abs(np.diff(frame[150:330, 250:390].astype(int), axis=1)).mean())

    scene.light(View(noise=0.0))
    scene.show(somebody, "stand")
    clear = scene.render(sequence=1)
    scene.light(View(noise=0.0, blur_px=4.5))
    assert sharpness(scene.render(sequence=1)) < 0.7 * sharpness(clear)
    scene.light(None)
    scene.show(somebody, "too_dark")
    assert scene.render(sequence=2).mean() < 40


def test_two_visitors_stand_beside_each_other(scene: Scene, somebody: Visitor) -> None:
    scene.show(somebody, "stand")
    scene.join(visitor("visitor_2", finger_seed=2))
    assert scene.present() == ("visitor_1", "visitor_2")
    frame = scene.render(sequence=0)
    red = (frame[..., 0] > 150) & (frame[..., 1] < 90) & (frame[..., 2] < 90)
    assert red[:, :320].any()
    assert red[:, 320:].any()


def test_two_frames_of_one_moment_differ_by_noise_alone(scene: Scene, somebody: Visitor) -> None:
    scene.show(somebody, "stand")
    first, second = scene.render(sequence=1).astype(int), scene.render(sequence=2).astype(int)
    assert 0 < np.abs(first - second).mean() < 6


def test_the_same_seed_gives_the_same_scene(somebody: Visitor) -> None:
    def seen() -> UInt8Array:
        clock = StillClock()
        scene = Scene(seed=9, clock=clock)
        scene.show(somebody, "approach")
        scene.challenge("turn_left")
        clock.now_s += 1.3
        return scene.render(sequence=5)

    assert np.array_equal(seen(), seen())


def test_a_finger_lies_on_the_glass_until_it_is_lifted(scene: Scene, somebody: Visitor) -> None:
    assert scene.glass.impression() is None
    finger = somebody.finger("right_index")
    scene.lay_finger(finger)
    first = scene.glass.impression()
    assert first is not None
    assert np.array_equal(first, finger.impression(0))
    scene.lay_finger(finger)
    assert np.array_equal(scene.glass.impression(), finger.impression(1))  # type: ignore[arg-type]
    scene.lay_finger(finger, number=3, condition="wet")
    assert np.array_equal(scene.glass.impression(), finger.impression(3, condition="wet"))  # type: ignore[arg-type]
    scene.lift_finger()
    assert scene.glass.impression() is None


def test_visitors_have_ten_different_fingers() -> None:
    first, second = visitor(finger_seed=1), visitor("visitor_2", finger_seed=2)
    seeds = {finger.seed for somebody in (first, second) for finger in somebody.fingers.values()}
    assert len(seeds) == 20


def test_a_turn_begins_only_after_a_reaction_and_comes_back() -> None:
    rng = np.random.default_rng(1)
    standing = Movement.draw(rng, 5.0, manner=replace(STEADY, stays=0.0))
    movement = standing.hears(Heard("turn_right", 10.0), rng)
    assert movement.pose(10.2) == standing.pose(10.2)
    there, back = movement.aims
    assert movement.aimed(there.starts_s + there.takes_s)[0] == pytest.approx(there.yaw_deg)
    assert there.yaw_deg < -18
    assert abs(movement.aimed(back.starts_s + back.takes_s)[0]) < 5


@pytest.mark.parametrize(
    ("do", "sentence"),
    [
        (lambda s, v: s.show(v, "dance"), "no behaviour called 'dance'; known: approach"),
        (lambda s, v: s.show(v, "stand", portrait=7), "has no portrait 7"),
        (lambda s, v: s.challenge("jump"), "no challenge called 'jump'; known: look_here, turn_left"),
        (lambda s, v: v.finger("sixth"), "has no finger 'sixth'; known: right_thumb"),
        (lambda s, v: s.fault("camera", "explode"), "no fault 'explode' of the device 'camera'; known: none"),
        (lambda s, v: Visitor("visitor_9", []), "needs at least one portrait"),
    ],
)
def test_a_wrong_name_is_answered_with_the_known_ones(
    scene: Scene, somebody: Visitor, do: Callable[[Scene, Visitor], None], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        do(scene, somebody)


@pytest.mark.parametrize(
    ("pixels", "marks", "sentence"),
    [
        (np.zeros((50, 50), np.uint8), MARKS, "color picture"),
        (drawn_face(), MARKS[:3], "five landmarks"),
        (drawn_face(), MARKS * np.nan, "five landmarks"),
        (drawn_face(), MARKS / 100, "too close together"),
    ],
)
def test_a_portrait_that_makes_no_head_is_refused(pixels: UInt8Array, marks: np.ndarray, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        Portrait(pixels, marks)


SCRIPT = """
repeat = true
[[step]]
at_s = 0.5
do = "show"
visitor = "visitor_1"
behaviour = "stand"
[[step]]
at_s = 1.0
do = "lay_finger"
visitor = "visitor_1"
finger = "right_index"
condition = "wet"
[[step]]
at_s = 2
do = "leave"
"""


def test_a_script_is_played_as_time_goes_by_and_begins_again(
    scene: Scene, clock: StillClock, somebody: Visitor
) -> None:
    player = ScenePlayer(scene, parse_script(SCRIPT), {"visitor_1": somebody})
    scene.render(sequence=0)
    assert scene.present() == ()
    clock.now_s += 0.6
    scene.render(sequence=1)
    assert scene.present() == ("visitor_1",)
    clock.now_s += 0.5
    assert scene.glass.impression() is not None
    clock.now_s += 1.0
    assert scene.glass.impression() is None
    clock.now_s += 1.5  # 3.6 s: half a second into the second round, which began at 3 s
    scene.render(sequence=2)
    assert scene.present() == ("visitor_1",)
    assert not player.finished
    player.stop()


def test_a_script_asks_to_follow_a_dot(scene: Scene, clock: StillClock, somebody: Visitor) -> None:
    text = '[[step]]\nat_s = 0\ndo = "challenge"\nkind = "follow_dot"\ndot = [0.05, 0.5]'
    scene.show(somebody, "stand")
    before = nose_x(scene.render(sequence=0))
    ScenePlayer(scene, parse_script(text), {})
    scene.advance()
    clock.now_s += 1.5
    assert nose_x(scene.render(sequence=1)) - before > 3


def test_a_script_that_does_not_repeat_ends(scene: Scene, clock: StillClock, somebody: Visitor) -> None:
    player = ScenePlayer(scene, parse_script(SCRIPT.replace("true", "false")), {"visitor_1": somebody})
    clock.now_s += 60
    scene.advance()
    assert player.finished
    scene.advance()


def test_a_fault_of_a_device_that_is_not_there_is_told_and_the_script_goes_on(scene: Scene, clock: StillClock) -> None:
    text = '[[step]]\nat_s = 0\ndo = "fault"\ndevice = "sensor"\nname = "silence"\n[[step]]\nat_s = 0\ndo = "leave"'
    told: list[ConfigurationError] = []
    player = ScenePlayer(scene, parse_script(text), {}, on_error=told.append)
    scene.advance()
    assert player.finished
    assert "no fault 'silence'" in str(told[0])


def test_a_fault_does_what_the_device_registered(scene: Scene) -> None:
    done: list[str] = []
    scene.break_with("sensor", "silence", lambda: done.append("silent"))
    scene.fault("sensor", "silence")
    assert done == ["silent"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("step = [", "this is not TOML"),
        ("", r"at least one \[\[step\]\]"),
        ("repeat = 1\n[[step]]\nat_s = 0\ndo = 'leave'", "repeat must be true or false"),
        ("repat = true", "no key 'repat'; did you mean 'repeat'?"),
        ("[[step]]\nat_s = 0\ndo = 'shw'", "step 1: do must be one of .* did you mean 'show'?"),
        ("[[step]]\nat_s = -1\ndo = 'leave'", "step 1: at_s must be a number"),
        ("[[step]]\nat_s = true\ndo = 'leave'", "step 1: at_s must be a number"),
        ("[[step]]\nat_s = 0\ndo = 'show'", "step 1: show needs visitor"),
        ("[[step]]\nat_s = 0\ndo = 'show'\nvisitor = 3", "step 1: visitor must be a text"),
        ("[[step]]\nat_s = 0\ndo = 'leave'\nvisitr = 'x'", "step 1: there is no key 'visitr'"),
        (
            "[[step]]\nat_s = 0\ndo = 'show'\nvisitor = 'x'\nbehaviour = 'aproach'",
            "no behaviour 'aproach'; .* did you mean 'approach'?",
        ),
        ("[[step]]\nat_s = 0\ndo = 'challenge'\nkind = 'follow_dot'", "step 1: follow_dot needs a dot"),
        ("[[step]]\nat_s = 0\ndo = 'challenge'\nkind = 'blink'\ndot = [0, 1]", "nothing else has one"),
        ("[[step]]\nat_s = 0\ndo = 'challenge'\nkind = 'follow_dot'\ndot = [0, 2]", "dot must be two numbers"),
        ("[[step]]\nat_s = 0\ndo = 'challenge'\nkind = 'jump'", "there is no kind 'jump'"),
        (
            "[[step]]\nat_s = 3\ndo = 'leave'\n[[step]]\nat_s = 2\ndo = 'leave'",
            "step 2 happens at 2 s, before the step above it",
        ),
    ],
)
def test_a_wrong_script_is_answered_with_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        parse_script(text)


def test_a_script_that_names_a_missing_visitor_or_finger_does_not_begin(scene: Scene, somebody: Visitor) -> None:
    with pytest.raises(ConfigurationError, match="step 1: there is no visitor 'visitor_1'; known: none"):
        ScenePlayer(scene, parse_script(SCRIPT), {})
    by_nobody = SCRIPT.replace('behaviour = "stand"', 'behaviour = "stand"\nby = "visitor_9"')
    with pytest.raises(ConfigurationError, match="step 1: there is no visitor 'visitor_9'"):
        ScenePlayer(scene, parse_script(by_nobody), {"visitor_1": somebody})
    with pytest.raises(ConfigurationError, match="no finger 'nose'"):
        ScenePlayer(scene, parse_script(SCRIPT.replace("right_index", "nose")), {"visitor_1": somebody})


def test_a_script_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.toml cannot be read"):
        read_script(tmp_path / "missing.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"binary\.toml cannot be read as text"):
        read_script(binary)
    (tmp_path / "good.toml").write_text(SCRIPT)
    assert len(read_script(tmp_path / "good.toml").steps) == 3
