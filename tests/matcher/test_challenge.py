"""The challenge: who obeys passes, and films, sheets and whoever does something else do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from skull import FRAME_S, Answer, Pose, Skull, Visitor, obeys

from matcher.challenge import REST, TURNS, ChallengeScript, Prompt
from matcher.head_track import HeadTrack
from matcher.obedience import ChallengeHint, Obedience
from matcher.parallax import asymmetry, measure, plane_deg, turned_deg
from matcher.ports import DetectedFace
from matcher.relief import Heights
from matcher.solid_head import SolidHead
from models.attendance import WitnessVerdict
from models.biometrics import Float32Array

P, F, U = WitnessVerdict.PASSED, WitnessVerdict.FAILED, WitnessVerdict.UNDECIDED


def visitor(
    seed: int = 1,
    *,
    answer: Answer = obeys,
    skull: Skull | None = None,
    reaction_s: float = 0.5,
    takes_s: float = 0.5,
    strikes: int = 0,
    gentle: bool = False,
    mirrored: bool = False,
) -> Visitor:
    track = HeadTrack(points=None)  # type: ignore[arg-type]  # points are handed in
    challenge = Obedience(track, ChallengeScript(rng=Random(seed), gentle=gentle), strikes=strikes, mirrored=mirrored)
    figure = skull or Skull(rng=np.random.default_rng(seed))
    return Visitor(challenge, SolidHead(track), track, answer, figure, reaction_s, takes_s)


def verdicts(who: Visitor) -> tuple[WitnessVerdict, WitnessVerdict]:
    return who.challenge.verdict().verdict, who.solid.verdict().verdict


@pytest.mark.parametrize("seed", range(12))
def test_whoever_obeys_passes_as_a_solid_within_three_seconds(seed: int) -> None:
    who = visitor(seed, reaction_s=0.35, takes_s=0.4)
    who.stand(8)
    assert verdicts(who) == (P, P)
    assert who.now_s < 3.0
    measures = who.challenge.verdict().measures
    assert (measures["answers"], measures["needed"], measures["wrong_way"]) == (3, 3, 0)
    assert measures["latency_1_s"] > 0.35
    assert {"asked_1_deg", "asked_2_deg", "asked_3_deg"} <= set(measures)


@pytest.mark.parametrize("seed", range(6))
def test_who_is_slow_and_moves_little_is_asked_once_more_and_passes(seed: int) -> None:
    who = visitor(seed, reaction_s=1.5, takes_s=1.5, answer=lambda prompt: obeys(prompt, reach_deg=13.0))
    who.stand(18)
    assert verdicts(who)[0] is P
    assert who.challenge.verdict().measures["answers"] == 4


def test_a_stiff_neck_passes_gently() -> None:
    passed = 0
    for seed in range(10):
        who = visitor(seed, gentle=True, answer=lambda prompt: obeys(prompt, reach_deg=8.0))
        who.stand(18)
        passed += verdicts(who)[0] is P
    assert passed >= 9


@pytest.mark.parametrize("seed", range(6))
def test_a_mirror_picture_swaps_left_and_right(seed: int) -> None:
    who = visitor(seed, mirrored=True, answer=lambda prompt: (-obeys(prompt)[0], obeys(prompt)[1]))
    who.stand(8)
    assert verdicts(who) == (P, P)


def test_who_does_nothing_is_undecided_and_told_to_turn_more() -> None:
    who = visitor(answer=lambda prompt: (0.0, 0.0))
    who.stand(4)
    assert (verdicts(who), who.challenge.hint()) == ((U, U), ChallengeHint.TURN_MORE)
    who.stand(10)
    assert who.challenge.spent and not who.challenge.disobeyed
    assert who.challenge.hint() is ChallengeHint.TRY_AGAIN


@pytest.mark.parametrize("seed", range(6))
def test_the_wrong_way_spends_the_try(seed: int) -> None:
    who = visitor(seed, answer=lambda prompt: (-obeys(prompt)[0], -1.3 * obeys(prompt)[1]))
    who.stand(18)
    assert who.challenge.disobeyed and verdicts(who)[0] is U


def test_a_try_after_a_wrong_one_asks_for_two_answers_more() -> None:
    who = visitor(strikes=1, reaction_s=0.35, takes_s=0.4)
    who.stand(12)
    assert (verdicts(who)[0], who.challenge.verdict().measures["answers"]) == (P, 5)


def test_one_wrong_way_costs_answers_and_not_the_try() -> None:
    wrong: list[Prompt] = []

    def answer(prompt: Prompt) -> Pose:
        if prompt.toward is not None and not wrong:
            wrong.append(prompt)
            return -obeys(prompt)[0], -obeys(prompt)[1]
        return obeys(prompt)

    who = visitor(answer=answer, reaction_s=0.35, takes_s=0.4)
    who.stand(15)
    measures = who.challenge.verdict().measures
    assert verdicts(who)[0] is P
    assert measures["wrong_way"] == 1
    assert measures["answers"] >= 5


def test_whoever_moves_before_anybody_could_obey_spends_the_try() -> None:
    who = visitor(reaction_s=0.0, takes_s=0.05)
    who.stand(8)
    assert who.challenge.disobeyed


def film(seed: int) -> Callable[[float], Pose]:
    """A lively recording: every second or so the head goes somewhere, as far as people do."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1 / 0.7, 60))
    ways = [(0.0, 0.0), *TURNS.values(), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7)]
    aims = [ways[index] for index in rng.integers(0, len(ways), 60)]

    def at(t_s: float) -> Pose:
        place = int(np.searchsorted(times, t_s))
        share = min(1.0, (t_s - (times[place - 1] if place else 0.0)) / 0.5)
        old, new = aims[max(0, place - 1)], aims[place]
        return (
            -22 * (old[0] + share * (new[0] - old[0])),
            16 * (old[1] + share * (new[1] - old[1])),
        )

    return at


def test_films_that_did_not_foresee_the_challenge_hardly_ever_pass() -> None:
    """Each is played for a whole visit: three tries, stricter after each that went wrong."""
    passed = 0
    for seed in range(40):
        at, strikes, now_s = film(seed), 0, 0.0
        for attempt in range(3):
            who = visitor(1000 * attempt + seed, strikes=strikes)
            while not who.challenge.spent and verdicts(who)[0] is U:
                who.show(at(now_s + who.now_s))
                if who.now_s > 20:
                    break
            now_s += who.now_s
            strikes += who.challenge.disobeyed
            passed += verdicts(who) == (P, P)
    assert passed <= 1


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


def test_a_head_already_turned_is_asked_to_look_here() -> None:
    who = visitor()
    for _ in range(30):
        who.show((35.0, 0.0))
    assert (who.challenge.prompt, who.challenge.hint()) == (REST, ChallengeHint.LOOK_HERE)


def test_a_cut_to_another_head_begins_the_sequence_anew() -> None:
    who = visitor()
    for number in range(40):
        who.show((0.0 if number % 20 < 10 else 34.0, 0.0))
    assert who.challenge.verdict().measures["answers"] == 0
    assert verdicts(who) == (U, U)


def test_what_another_witness_lacks_is_asked_for_in_the_same_try() -> None:
    who = visitor()
    who.stand(8)
    before = who.challenge.verdict()
    who.challenge.go_on()
    assert (
        before.verdict is P and who.challenge.verdict().verdict is U
    )  # the pass comes from a frame in which it was obeyed
    who.stand(4)
    assert who.challenge.verdict().verdict is P
    assert who.challenge.verdict().measures["answers"] == before.measures["answers"] + 1


def test_what_others_lack_does_not_use_up_the_prompts_of_a_try() -> None:
    who = visitor()
    for _ in range(12):
        who.stand(4)
        assert who.challenge.verdict().verdict is P
        who.challenge.go_on()
    assert not who.challenge.spent


def test_after_a_jump_nothing_is_asked_for_others_and_wrong_ways_still_count() -> None:
    who = visitor()
    who.stand(8)
    who.challenge.go_on()
    for _ in range(12):
        who.show((0.0, 0.0))
    toward = who.challenge.prompt.toward
    assert toward is not None
    for share in (*np.linspace(0.0, 1.0, 12), 1.0, 1.0, 1.0, 1.0):  # the other way
        who.show((20.0 * share * toward[0], -14.0 * share * toward[1]))
    assert who.challenge.verdict().measures["wrong_way"] == 1.0
    who.now_s += 2.0  # somebody else may stand there now
    for _ in range(12):
        who.show((0.0, 0.0))
    measures = who.challenge.verdict().measures
    assert (measures["answers"], measures["needed"], measures["wrong_way"]) == (0.0, 5.0, 1.0)


def test_what_others_lack_cannot_be_foreseen() -> None:
    script, ways = ChallengeScript(rng=Random(0)), set()
    for _ in range(60):
        asked: list[Prompt] = []
        for _ in range(4):
            asked.append(script.next(asked, far=True))
        assert all(abs(prompt.toward[0]) > 0.1 for prompt in asked if prompt.toward is not None)
        ways.add(tuple((prompt.kind, prompt.dot) for prompt in asked))
    assert len(ways) > 40


def test_a_turn_that_is_only_held_on_to_is_no_second_look() -> None:
    who = visitor()
    while who.challenge.prompt == REST:
        who.show((0.0, 0.0))
    toward = who.challenge.prompt.toward
    seen = who.track.add(who.skull.seen(), who.now_s)
    assert toward is not None and seen is not None
    mistaken = replace(seen, turned_deg=(-20.0 * toward[0], 20.0 * toward[1]))
    for number in range(8):
        at_s = who.now_s + 0.4 + number * FRAME_S
        who.challenge.follow(replace(mistaken, t_s=at_s, held=number > 0))
    assert who.challenge.verdict().measures["answers"] == 0.0
    who.challenge.follow(replace(mistaken, t_s=who.now_s + 1.2))
    assert who.challenge.verdict().measures["answers"] == 1.0


def test_time_that_runs_out_spends_the_try() -> None:
    class Still:
        def locate(self, pixels: np.ndarray, face: DetectedFace) -> Float32Array:
            return Skull().seen().many

    track = HeadTrack(Still())
    challenge = Obedience(track, ChallengeScript(rng=Random(0)))
    face = DetectedFace((100, 100, 80, 100), np.zeros((5, 2), np.float32), 0.9)
    spent = []
    for second in range(12):
        challenge.observe(np.zeros((4, 4, 3), np.uint8), face, float(second))
        spent.append(challenge.spent)
    assert spent.index(True) == 10  # nothing was answered within nine seconds


def test_prompts_are_drawn_from_every_direction_and_never_twice_in_a_row() -> None:
    script, asked = ChallengeScript(rng=Random(0)), []
    for _ in range(400):
        asked.append(script.next(asked))
    assert {prompt.kind for prompt in asked} == {*TURNS, "follow_dot"}
    assert len(set(asked)) == 8
    assert all(one != other for one, other in pairwise(asked))
    assert 0.0 <= script.hold_s() <= 0.2


def test_a_script_hears_of_every_answered_prompt_once_and_of_the_last_one_that_nothing_came_of() -> None:
    heard: list[list[Prompt]] = []

    class Heard(ChallengeScript):
        def next(self, asked: Sequence[Prompt], *, far: bool = False) -> Prompt:
            heard.append(list(asked))
            return super().next(asked, far=far)

    script, track, shown = Heard(rng=Random(3)), HeadTrack(points=None), []  # type: ignore[arg-type]
    deaf = [False, True, False, False]  # the second prompt is not obeyed
    challenge = Obedience(track, script)

    def answer(prompt: Prompt) -> Pose:
        if prompt != REST and (not shown or shown[-1] != prompt):
            shown.append(prompt)
        ignored = bool(shown) and deaf[min(len(shown), len(deaf)) - 1]
        return (0.0, 0.0) if ignored else obeys(prompt)

    who = Visitor(challenge, SolidHead(track), track, answer, Skull(rng=np.random.default_rng(3)), 0.5, 0.5)
    who.stand(15)
    assert verdicts(who)[0] is P
    first, deaf_to, third = shown[:3]
    assert heard[:4] == [[], [first], [first, deaf_to], [first, third]]


def test_after_two_nods_something_sideways_is_asked() -> None:
    for seed in range(40):
        third = ChallengeScript(rng=Random(seed)).next([Prompt("look_up"), Prompt("look_down")])
        assert third.toward is not None and abs(third.toward[0]) > 0.1


def test_a_script_without_a_generator_is_as_random_as_the_system() -> None:
    assert len({ChallengeScript().next([]) for _ in range(200)}) == 8


def test_a_dot_is_asked_for_by_its_place_on_the_screen() -> None:
    assert Prompt("follow_dot", (0.0, 0.5)).toward == TURNS["turn_left"]
    assert Prompt("follow_dot", (0.5, 0.5)).toward is None
    assert REST.toward is None


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
