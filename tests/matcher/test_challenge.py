"""The challenge: who obeys passes, and films, sheets and whoever does something else do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from skull import FRAME_S, Pose, Skull, Visitor, obeys, verdicts, visitor

from matcher.challenge import REST, TURNS, ChallengeScript, Prompt
from matcher.head_track import HeadTrack
from matcher.obedience import ChallengeHint, Obedience
from matcher.ports import DetectedFace
from matcher.solid_head import SolidHead
from models.attendance import WitnessVerdict
from models.biometrics import Float32Array

P, F, U = WitnessVerdict.PASSED, WitnessVerdict.FAILED, WitnessVerdict.UNDECIDED


def test_whoever_obeys_passes_as_a_solid_with_three_answers_in_three_seconds_or_with_one_more() -> None:
    answers = []
    for seed in range(40):
        who = visitor(seed, reaction_s=0.35, takes_s=0.4, urged=True)
        who.stand(8)
        assert verdicts(who) == (P, P), seed
        measures = who.challenge.verdict().measures
        answers.append(measures["answers"])
        assert (measures["needed"], measures["wrong_way"]) == (measures["answers"], 0)
        assert measures["latency_1_s"] > 0.35
        assert {"asked_1_deg", "asked_2_deg", "asked_3_deg"} <= set(measures)
        assert who.now_s < 3.0 or measures["answers"] > 3
    assert answers.count(3) >= 36
    assert max(answers) == 4


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
    who = visitor(seed, mirrored=True, urged=True, answer=lambda prompt: (-obeys(prompt)[0], obeys(prompt)[1]))
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
