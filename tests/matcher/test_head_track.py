"""One head from frame to frame: where its front is taken from, and what is believed of how far it turned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skull import FRAME_S, Skull
from test_face_relief import Nowhere, shown

from matcher.head_track import HeadTrack, Tracked
from matcher.parallax import Points
from models.biometrics import UInt8Array

HEAD = Skull(noise=0.0)
FRONT = HEAD.seen()
LONG_S = 2.0  # away for longer than a head is followed


def leapt(points: Points) -> Points:
    """The same face with its nose elsewhere, as flickering points have it."""
    many = points.many.copy()
    many[27:36, 0] += 30.0
    return replace(points, many=many)


class Frames:
    """Hands one track frame after frame."""

    def __init__(self, *, prompted: bool = False) -> None:
        self.track = HeadTrack(Nowhere(), prompted=prompted)
        self.now_s = 0.0

    def show(self, points: Points, frames: int, *, pixels: UInt8Array | None = None) -> Tracked:
        """The last of so many equal frames."""
        seen = None
        for _ in range(frames):
            self.now_s += FRAME_S
            seen = self.track.add(points, self.now_s, pixels=pixels)
        assert seen is not None
        return seen


def test_a_head_that_rests_where_it_was_sent_is_not_seen_from_the_front() -> None:
    frames = Frames()
    frames.show(FRONT, 6)
    front = frames.track.reference
    frames.show(leapt(HEAD.seen(yaw_deg=12.0)), 1)
    assert frames.track.epoch == 1
    assert frames.show(HEAD.seen(yaw_deg=12.0), 20).moved is None
    assert frames.track.reference is None
    frames.show(FRONT, 6)
    assert frames.track.reference is front


def test_after_a_gap_nothing_is_told_against_the_front_of_who_was_there_before() -> None:
    """It may be another head: whose nose is higher by nature has not turned."""
    frames = Frames()
    frames.show(FRONT, 6)
    frames.now_s += LONG_S
    other = replace(HEAD, depth=0.15)
    seen = frames.show(other.seen(), 12)
    assert seen.moved is not None
    assert np.abs(seen.moved.nose).max() < 0.01 and np.abs(seen.moved.jaw).max() < 0.01


def test_a_head_that_only_passes_the_front_has_not_come_to_rest() -> None:
    frames = Frames()
    frames.show(FRONT, 6)
    frames.show(leapt(HEAD.seen(yaw_deg=-24.0)), 1)
    for yaw_deg in np.linspace(-24.0, 24.0, 13):
        assert frames.show(HEAD.seen(yaw_deg=float(yaw_deg)), 1).moved is None


def test_whoever_never_comes_back_to_the_known_front_gets_a_new_one_where_they_keep_still() -> None:
    frames = Frames()
    frames.show(FRONT, 6)
    other = HEAD.seen(yaw_deg=10.0)
    frames.show(leapt(other), 1)
    frames.show(other, int(4.0 / FRAME_S))
    assert frames.track.reference is None
    seen = frames.show(other, 20)
    assert seen.moved is not None and abs(seen.turned_deg[0]) < 1.0


def test_after_a_prompt_a_rest_takes_longer() -> None:
    first, later = Frames(), Frames(prompted=True)
    for frames in (first, later):
        frames.show(FRONT, 4)
    assert first.track.reference is not None and later.track.reference is None
    later.show(FRONT, 6)
    assert later.track.reference is not None


def test_the_front_of_somebody_who_comes_a_little_nearer_still_is_taken_from_there() -> None:
    frames = Frames()
    for away in np.linspace(14.0, 12.6, 7):
        frames.show(HEAD.seen(away=float(away)), 1)
    reference = frames.track.reference
    assert reference is not None
    first = HEAD.seen(away=13.7).many
    assert np.ptp(reference.many[:, 0]) > 1.04 * np.ptp(first[:, 0])


def test_whoever_still_walks_up_is_not_at_rest() -> None:
    frames = Frames()
    for away in (14.0, 12.8, 11.7, 10.7, 9.8, 9.0):
        assert frames.show(HEAD.seen(away=away), 1).moved is None
        assert frames.track.reference is None
    frames.show(HEAD.seen(away=9.0), 2)
    assert frames.track.reference is not None


def test_a_plane_that_begins_to_turn_is_no_front_that_settles() -> None:
    flat = replace(HEAD, depth=0.0)
    frames = Frames()
    frames.show(flat.seen(), 3)
    seen = frames.show(flat.seen(yaw_deg=40.0), 2)
    assert seen.moved is not None and seen.moved.narrowing < 0.8


def test_patches_that_are_lost_for_a_moment_leave_the_turn_as_they_told_it() -> None:
    frames, turned = Frames(), shown(depth=1.0, yaw_deg=12.0)
    rest, points = shown(depth=1.0)
    frames.show(points, 6, pixels=rest)
    told = frames.show(turned[1], 1, pixels=turned[0])
    assert told.heights is not None
    lost = frames.show(turned[1], 4, pixels=np.full_like(rest, 150))
    assert lost.heights is None and lost.turned_deg == told.turned_deg
    assert (told.held, lost.held) == (False, True)
    assert frames.show(turned[1], 6, pixels=np.full_like(rest, 150)).turned_deg != told.turned_deg


@pytest.mark.parametrize("pitch_deg", [-12.0, 12.0])
def test_patches_that_tell_of_a_nod_where_the_face_grew_narrow_are_not_believed(pitch_deg: float) -> None:
    frames = Frames()
    rest, points = shown(depth=1.0)
    frames.show(points, 6, pixels=rest)
    seen = frames.show(points, 1, pixels=rest)
    assert seen.moved is not None and frames.track.front is not None
    told = frames.track.front.patches
    assert told is not None
    heights = told.heights(*shown(depth=1.0, yaw_deg=12.0))
    assert heights is not None
    nodding = replace(heights, tip=0.25, way=(0.0, float(np.sign(pitch_deg))))

    class Mistaken:
        def heights(self, pixels: UInt8Array, points: Points) -> object:
            return nodding

    narrow = replace(seen.moved, narrowing=0.75, narrowing_again=0.75)
    low = replace(seen.moved, narrowing=1.3, narrowing_again=1.3)
    front = replace(frames.track.front, patches=Mistaken())  # type: ignore[arg-type]
    assert frames.track._found(front, narrow, points, rest) is None
    assert frames.track._found(front, low, points, rest) is nodding
