"""The attack suite: what each instrument shows a camera, and how visitors of all sorts answer what is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scene_parts import MARKS, StillClock, drawn_face, visitor

from hardware.simulation.acts import HeldScreen, HeldSheet, Living, Masked
from hardware.simulation.behaviours import BEHAVIOURS, Stage, Truth
from hardware.simulation.clips import Codec, Film, call, recording
from hardware.simulation.heads import Head, Portrait
from hardware.simulation.movement import Movement
from hardware.simulation.projection import FRAME_SIZE, Pose
from hardware.simulation.prompts import DEAF, ELDERLY, LITTLE, NERVOUS, PROMPTS, STEADY, Heard
from hardware.simulation.scene import Scene, Visitor
from hardware.simulation.screens import PHONE, SLATE, Display, Shine
from hardware.simulation.sheets import Bend, Mask, Print
from hardware.simulation.suite import kinds
from models.biometrics import UInt8Array
from models.errors import ConfigurationError

FRAME_S = 1 / 15
CALM = Shine(
    gain=1.0, tint=(1.0, 1.0, 1.0), grid=0.0, bands=0.0, flicker_hz=240.0, veil=0.0, glare=0.0, glare_at=(0.0, 0.0),
    skin=(196, 150, 124), grip=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def somebody() -> Visitor:
    return visitor()


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return Portrait(drawn_face(), MARKS)


@pytest.fixture(scope="module")
def head(portrait: Portrait) -> Head:
    return Head(portrait)


def standing(*, seed: int = 1, manner: object = STEADY) -> tuple[Movement, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return Movement.draw(rng, 0.0, manner=manner), rng  # type: ignore[arg-type]


def blank() -> UInt8Array:
    return np.full((FRAME_SIZE[1], FRAME_SIZE[0], 3), 120, np.uint8)


def stage(somebody: Visitor, *, seed: int = 3) -> Stage:
    return Stage(somebody, 0, np.random.default_rng(seed), 0.0, by=visitor("visitor_2", finger_seed=2))


# answering prompts


@pytest.mark.parametrize(
    ("kind", "dot", "axis", "sign"),
    [
        ("turn_left", None, 0, 1),
        ("turn_right", None, 0, -1),
        ("look_up", None, 1, -1),
        ("look_down", None, 1, 1),
        ("follow_dot", (0.05, 0.5), 0, 1),  # at the screen's left: the person's own left, larger x for the camera
        ("follow_dot", (0.95, 0.5), 0, -1),
        ("follow_dot", (0.5, 0.05), 1, -1),
        ("follow_dot", (0.5, 0.95), 1, 1),
    ],
)
def test_a_visitor_points_the_head_where_the_prompt_says(
    kind: str, dot: tuple[float, float] | None, axis: int, sign: int
) -> None:
    movement, rng = standing(manner=replace(STEADY, stays=1.0))
    pointed = movement.hears(Heard(kind, 1.0, dot), rng).aimed(4.0)
    assert sign * pointed[axis] > 5
    assert abs(pointed[1 - axis]) < 9


def test_each_prompt_is_answered_from_where_the_head_is_without_a_jump() -> None:
    movement, rng = standing(seed=5, manner=NERVOUS)
    for number, kind in enumerate(("turn_left", "look_up", "turn_right", "look_here", "turn_right")):
        movement = movement.hears(Heard(kind, 1.0 + 0.5 * number), rng)
    angles = np.array([movement.aimed(second) for second in np.arange(0.0, 9.0, FRAME_S)])
    assert np.abs(np.diff(angles, axis=0)).max() < 22  # degrees between two frames


def test_look_here_brings_the_head_back() -> None:
    movement, rng = standing(manner=replace(STEADY, stays=1.0))
    movement = movement.hears(Heard("turn_left", 1.0), rng)
    assert movement.aimed(3.5)[0] > 18
    assert abs(movement.hears(Heard("look_here", 3.5), rng).aimed(7.0)[0]) < 5


def test_what_a_visitor_had_in_mind_is_given_up_for_a_new_prompt() -> None:
    movement, rng = standing(manner=replace(STEADY, stays=0.0))
    turned = movement.hears(Heard("turn_left", 1.0), rng)
    assert len(turned.aims) == 2
    again = turned.hears(Heard("look_up", turned.aims[0].starts_s + 0.1), rng)
    assert turned.aims[1] not in again.aims


def test_manners_differ_in_time_and_in_reach() -> None:
    def first(manner: object) -> tuple[float, float]:
        drawn = []
        for seed in range(40):
            movement, rng = standing(seed=seed, manner=manner)
            aim = movement.hears(Heard("turn_left", 0.0), rng).aims[0]
            drawn.append((aim.starts_s, abs(aim.yaw_deg)))
        return tuple(np.mean(drawn, axis=0))

    assert first(ELDERLY)[0] > 2 * first(STEADY)[0]
    assert first(NERVOUS)[0] < first(STEADY)[0]
    assert first(LITTLE)[1] < 20 < first(STEADY)[1]
    movement, rng = standing(manner=DEAF)
    assert movement.hears(Heard("turn_left", 0.0), rng) == movement


def test_eyes_close_on_request_and_every_few_seconds_without() -> None:
    movement, rng = standing()
    own = [movement.lids(second) for second in np.arange(0, 30, FRAME_S)]
    assert 2 <= int(np.sum(np.diff((np.array(own) > 0.3).astype(int)) == 1)) <= 16
    told = replace(movement, blinks=()).hears(Heard("blink", 2.0), rng)
    assert max(told.lids(second) for second in np.arange(2.0, 4.0, FRAME_S)) > 0.9


def test_closed_lids_hide_the_eyes_and_nothing_else(head: Head) -> None:
    open_, shut = blank(), blank()
    head.draw(open_, Pose())
    head.draw(shut, Pose(), lids=1.0)
    changed = np.abs(open_.astype(int) - shut).max(axis=2) > 25
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 60
    assert rows.min() > 215 and rows.max() < 265  # round the eyes, in the middle of the picture
    assert columns.min() > 255 and columns.max() < 385


@pytest.mark.parametrize(
    ("kind", "dot", "sentence"),
    [
        ("jump", None, "no challenge called 'jump'"),
        ("follow_dot", None, "needs the dot's place"),
        ("follow_dot", (3.0, 0.5), "shares of the screen"),
    ],
)
def test_a_prompt_that_cannot_be_meant_is_refused(kind: str, dot: tuple[float, float] | None, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Heard(kind, 0.0, dot)


# what is held up


def test_a_bent_sheet_brings_the_middle_forward_and_a_flat_one_does_not(portrait: Portrait) -> None:
    """Bent round an upright axis, the edges go back: the sheet looks narrower."""
    sheet = Print(portrait)

    def width(bend: Bend | None) -> float:
        frame = blank()
        sheet.draw(frame, Pose(distance_m=0.55), bend=bend)
        return float((np.abs(frame.astype(int) - 120).max(axis=2) > 30)[240].sum())

    assert width(None) == pytest.approx(width(Bend(0.001)), abs=2)
    assert width(Bend(0.3)) < 0.93 * width(None)


def test_paper_is_darker_when_it_is_turned_from_the_lamp(portrait: Portrait) -> None:
    sheet = Print(portrait)

    def brightness(pitch_deg: float) -> float:
        frame = np.zeros_like(blank())
        sheet.draw(frame, Pose(distance_m=0.5, pitch_deg=pitch_deg))
        return float(frame[frame > 0].mean())

    assert brightness(30) < 0.85 * brightness(0)


def test_behind_a_mask_are_the_eyes_of_whoever_wears_it(portrait: Portrait) -> None:
    mask = Mask(portrait, curve=0.2, tent=0.05, oval=False)
    red, pose = np.zeros_like(blank()), Pose(distance_m=0.5)
    red[..., 0] = 255
    mask.draw(red, pose)
    holes = (red[..., 0] == 255) & (red[..., 1] == 0)
    face = holes[200:290, 250:390]
    assert 80 < face.sum() < 2500  # two holes in the middle of the sheet


def test_a_phone_has_a_dark_edge_and_shows_what_it_is_handed() -> None:
    frame = blank()
    content = np.full((200, 100, 3), (10, 200, 10), np.uint8)
    Display(PHONE, CALM, hand=False).draw(frame, Pose(distance_m=0.3), content, 0.0)
    green = (frame[..., 1] > 150) & (frame[..., 0] < 60)
    dark = frame.max(axis=2) < 45
    left, right = np.flatnonzero(green[240])[[0, -1]]
    assert 100 < right - left < 150
    assert dark[240, left - 4] and dark[240, right + 4]


def test_a_slate_held_near_has_no_edge_in_view() -> None:
    frame = blank()
    content = np.full((300, 400, 3), (10, 200, 10), np.uint8)
    Display(SLATE, CALM, hand=False).draw(frame, Pose(distance_m=0.18), content, 0.0)
    assert ((frame[..., 1] > 150) & (frame[..., 0] < 60)).all()


def test_the_grid_and_the_bands_of_a_display_are_in_its_picture_only() -> None:
    content = np.full((200, 100, 3), 128, np.uint8)

    def shown(shine: Shine, t_s: float = 0.0) -> UInt8Array:
        frame = blank()
        Display(PHONE, shine, hand=False).draw(frame, Pose(distance_m=0.3, yaw_deg=8), content, t_s)
        return frame

    plain, grid = shown(CALM), shown(replace(CALM, grid=6.0))
    bands, later = shown(replace(CALM, bands=0.08)), shown(replace(CALM, bands=0.08), 0.0013)
    inside, outside = (slice(200, 280), slice(290, 350)), (slice(0, 40), slice(0, 100))
    assert grid[inside].std() > plain[inside].std() + 1.5
    assert bands[inside].mean(axis=(1, 2)).std() > plain[inside].mean(axis=(1, 2)).std() + 1.5
    assert np.abs(bands[inside].astype(int) - later[inside]).max() > 3
    for frame in (grid, bands):
        assert np.array_equal(frame[outside], plain[outside])


# what a screen shows


def yaws(film: Film, seconds: np.ndarray) -> np.ndarray:
    return np.array([film.movement.aimed(second - film.shift_s)[0] for second in seconds])


def test_a_recording_does_not_hear_what_is_asked(head: Head) -> None:
    seconds = np.arange(2.0, 12.0, 0.2)

    def played(kind: str, *, performed: bool) -> np.ndarray:
        rng = np.random.default_rng(6)
        film = recording(head, rng, 1.0, device=PHONE, performed=performed)
        return yaws(film.hears(Heard(kind, 2.0), rng), seconds)

    for performed in (True, False):
        assert np.array_equal(played("turn_left", performed=performed), played("turn_right", performed=performed))
        assert np.abs(played("turn_left", performed=performed)).max() > 10


def test_a_performance_begins_when_it_is_started_and_once_only(head: Head) -> None:
    rng = np.random.default_rng(6)
    film = recording(head, rng, 1.0, device=PHONE, performed=True)
    assert film.movement.aims == ()
    started = film.hears(Heard("look_here", 5.0), rng)
    assert min(aim.starts_s for aim in started.movement.aims) > 5.0
    assert started.hears(Heard("turn_left", 7.0), rng) is started


def test_in_a_call_the_right_person_obeys_later_than_at_the_kiosk(head: Head) -> None:
    rng = np.random.default_rng(2)
    film = call(head, rng, 0.0, device=PHONE, manner=replace(STEADY, stays=1.0)).hears(Heard("turn_left", 3.0), rng)
    seconds = np.arange(3.0, 8.0, 0.05)
    begins_s = float(seconds[np.argmax(yaws(film, seconds) > 2)]) - 3.0
    assert 0.3 <= 2 * film.shift_s <= 1.5
    assert begins_s > 0.35 + 2 * film.shift_s
    assert yaws(film, np.array([7.5]))[0] > 18


def test_a_call_shows_few_frames_and_stands_still_at_times(head: Head) -> None:
    codec = Codec(fps=10.0, lines=240, quality=40, stalls=((2.0, 2.6),))
    assert codec.tick(2.05) == codec.tick(2.55) == 20
    assert codec.tick(2.61) == 26
    film = replace(call(head, np.random.default_rng(2), 0.0, device=PHONE), codec=codec)
    assert film.picture(1.01) is film.picture(1.09)
    assert film.picture(1.01).shape[0] == FRAME_SIZE[1]


# the suite


def test_the_suite_holds_the_instruments_and_visitors_that_count() -> None:
    attacks, genuine = ({item.name for item in kinds(truth)} for truth in (Truth.ATTACK, Truth.GENUINE))
    assert {"print_flat", "print_bent", "print_cut_eyes", "phone_photo", "phone_video", "phone_call"} <= attacks
    assert {f"{device}_{clip}" for device in ("phone", "tablet", "slate") for clip in ("replay", "call")} <= attacks
    assert {"genuine_glasses", "genuine_slow", "genuine_little", "genuine_bystander"} <= genuine
    assert all(item.told for item in BEHAVIOURS.values())


def test_each_kind_is_played_by_what_it_says(somebody: Visitor) -> None:
    acts = {name: BEHAVIOURS[name].enter(stage(somebody)) for name in ("genuine_glasses", "print_bent", "phone_call")}
    glasses, sheet, screen = acts.values()
    assert isinstance(glasses, Living) and glasses.glasses is not None
    assert isinstance(sheet, HeldSheet) and not sheet.bend.flat
    assert isinstance(screen, HeldScreen) and isinstance(screen.clip, Film) and screen.clip.live
    mask = BEHAVIOURS["print_cut_eyes"].enter(stage(somebody))
    assert isinstance(mask, Masked) and mask.wearer.head is not somebody.head(0)


@pytest.mark.parametrize("name", ["print_flat", "print_cut_eyes", "phone_call", "genuine_bystander"])
def test_a_kind_plays_alike_for_one_seed_and_not_for_another(somebody: Visitor, name: str) -> None:
    other = visitor("visitor_2", finger_seed=2)

    def seen(seed: int) -> UInt8Array:
        clock = StillClock()
        scene = Scene(seed=seed, clock=clock)
        scene.show(somebody, name, by=other)
        for kind in PROMPTS:
            scene.challenge(kind, (0.2, 0.8) if kind == "follow_dot" else None)
            clock.now_s += 0.4
        return scene.render(sequence=1)

    assert np.array_equal(seen(1), seen(1))
    assert not np.array_equal(seen(1), seen(2))
