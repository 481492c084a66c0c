"""The witness ``solid_head``: points on a head move as a solid, points on a sheet as a plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skull import FRAME_S, Skull, obeys, verdicts, visitor

from matcher.head_track import HeadTrack
from matcher.parallax import asymmetry, measure, plane_deg, turned_deg
from matcher.relief import Heights
from matcher.solid_head import SolidHead
from models.attendance import WitnessVerdict

P, F, U = WitnessVerdict.PASSED, WitnessVerdict.FAILED, WitnessVerdict.UNDECIDED


@pytest.mark.parametrize("seed", range(8))
def test_a_sheet_turned_as_asked_never_passes(seed: int) -> None:
    who = visitor(seed, skull=Skull(depth=0.0, rng=np.random.default_rng(seed)),
                  answer=lambda prompt: obeys(prompt, reach_deg=42.0))  # fmt: skip
    who.stand(18)
    assert P not in verdicts(who)


def test_a_sheet_that_turns_far_fails_as_a_plane() -> None:
    for yaw_deg in (-45, -34, 34, 45):
        who = visitor(skull=Skull(depth=0.0))
        for number in range(40):
            who.show((yaw_deg * float(np.clip((number - 6) / 10, 0, 1)), 0.0))
        assert verdicts(who)[1] is F


def test_a_face_that_looks_flat_for_a_moment_is_not_called_an_attack_and_one_that_does_so_again_is() -> None:
    who = visitor(skull=Skull(depth=0.0))
    found = []
    for _ in range(5):
        for yaw_deg in (*[0.0] * 6, 15.0, 25.0, *[38.0] * 6, 25.0, 15.0):
            who.show((yaw_deg, 0.0))
        found.append(verdicts(who)[1])
    assert found[0] is U and found[-1] is F


def test_what_looked_flat_passes_only_after_it_looked_solid_for_longer() -> None:
    flat = visitor(skull=Skull(depth=0.0))
    for yaw_deg in (*[0.0] * 6, 15.0, 25.0, *[38.0] * 9, 25.0, 15.0, 0.0):
        flat.show((yaw_deg, 0.0))
    solid = Skull(noise=0.0)
    verdicts_seen, frames = [], []
    for number, yaw_deg in enumerate([8.0, 16.0, 16.0, 16.0, 8.0, -8.0, -16.0, -16.0, -16.0, -8.0] * 4):
        seen = flat.track.add(solid.seen(yaw_deg=yaw_deg), flat.now_s + number * FRAME_S)
        assert seen is not None and seen.epoch == 0
        flat.solid.follow(seen)
        found = flat.solid.verdict()
        verdicts_seen.append(found.verdict)
        frames.append((found.measures["solid_frames"], found.measures["plane_frames_in_all"]))
    assert frames[0][1] >= 5
    passed = [both for both, verdict in zip(frames, verdicts_seen, strict=True) if verdict is P]
    assert passed and all(how_solid > how_flat for how_solid, how_flat in passed)


def test_a_sheet_that_hardly_turns_or_is_pushed_aside_is_not_called_an_attack() -> None:
    rng = np.random.default_rng(1)
    for run in range(20):
        flat, who = Skull(depth=0.0, noise=0.008), visitor()
        aim = rng.uniform([-2.5, -16, -18, 6.5], [2.5, 16, 18, 13])
        for number in range(30):
            share = min(1.0, max(0.0, (number - 6) / 10))
            x, pitch, yaw, away = np.array([0, 0, 0, 9.5]) * (1 - share) + aim * share
            seen = who.track.add(flat.seen(yaw_deg=yaw, pitch_deg=pitch, x=x, away=away), number * FRAME_S)
            assert seen is not None
            who.solid.follow(seen)
        assert verdicts(who)[1] is U, run


def test_the_parallax_says_how_far_a_head_turned_and_a_plane_hardly_says_anything() -> None:
    solid, flat = Skull(noise=0.0), Skull(depth=0.0, noise=0.0)
    for yaw_deg, pitch_deg in ((15.0, 0.0), (-15.0, 0.0), (0.0, 12.0), (0.0, -12.0), (12.0, -8.0)):
        head = turned_deg(measure(solid.seen(), solid.seen(yaw_deg=yaw_deg, pitch_deg=pitch_deg)))
        sheet = turned_deg(measure(flat.seen(), flat.seen(yaw_deg=yaw_deg, pitch_deg=pitch_deg)))
        assert head[0] * yaw_deg >= 0 and head[1] * pitch_deg >= 0
        assert np.hypot(*head) > 0.5 * np.hypot(yaw_deg, pitch_deg)
        assert np.hypot(*sheet) < 3.0
    assert plane_deg(measure(flat.seen(), flat.seen(yaw_deg=35)))[0] == pytest.approx(35, abs=4)
    assert asymmetry(solid.seen()) == pytest.approx(0.0, abs=0.01)


def seen_by_solid_head(turns_deg: list[float], *, patches_deg: list[float] | None = None) -> SolidHead:
    """The witness after frames of a head whose points turned so; ``patches_deg``: what patches say instead."""
    track, skull = HeadTrack(points=None), Skull(noise=0.0)  # type: ignore[arg-type]  # points are handed in
    witness = SolidHead(track)
    for number in range(6):
        track.add(skull.seen(), number * FRAME_S)
    for number, yaw_deg in enumerate(turns_deg):
        seen = track.add(skull.seen(yaw_deg=yaw_deg), 0.6 + number * FRAME_S)
        assert seen is not None
        if patches_deg is not None:
            tip = 0.40 * float(np.sin(np.deg2rad(patches_deg[number])))
            way = (1.0 if tip >= 0 else -1.0, 0.0)
            nothing = np.zeros(14)
            seen = replace(seen, heights=Heights(abs(tip), way, nothing, nothing, 0.0))
        witness.follow(seen)
    return witness


def test_one_direction_is_enough_only_if_it_is_seen_for_long() -> None:
    there_and_back = [4.0, 8.0, 12.0, 16.0, 16.0, 16.0, 12.0, 8.0, 4.0, 0.0]
    assert seen_by_solid_head(there_and_back * 4).verdict().verdict is U
    assert seen_by_solid_head([4.0, 8.0, 12.0, *[16.0] * 14]).verdict().verdict is P


def test_points_alone_make_no_solid_where_patches_see_no_turn() -> None:
    turns = [4.0, 8.0, 12.0, *[16.0] * 14]
    assert seen_by_solid_head(turns, patches_deg=[0.5] * len(turns)).verdict().measures["solid_frames"] == 0.0
    assert seen_by_solid_head(turns, patches_deg=turns).verdict().verdict is P
