"""How much a second engine is heard: on vectors drawn so that the right answer is known, then on the engine itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from matcher import scales, second_opinion
from matcher.commands import evaluate
from matcher.engines import load_engine
from matcher.engines.second_opinion import SecondOpinionEngine
from matcher.evaluation.second_opinion import TwoOpinions, learn_with_effect
from matcher.ports import FaceEngine
from matcher.scales import ScoreScale
from matcher.second_opinion import EVERYONE, SecondOpinion, Spread, fused_rows, learn, read_opinion
from models.errors import ConfigurationError, InputError, TemplateError
from tests.matcher.faces import portrait


def drawn(people: int, *, noise: float, seed: int, person_seed: int | None = None, each: int = 3) -> tuple[Any, Any]:
    """Unit rows of people, ``each`` of every one, and whose they are; more ``noise`` is a worse engine."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(seed if person_seed is None else person_seed).normal(size=(people, 64))
    rows = np.repeat(centers, each, axis=0) + noise * rng.normal(size=(people * each, 64))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), np.repeat(np.arange(people), each)


class TestLearning:
    def test_an_opinion_that_knows_as_much_by_other_means_is_heard_about_half(self) -> None:
        (first, owner), (second, _) = drawn(80, noise=1.0, seed=1), drawn(80, noise=1.0, seed=2)
        assert 0.35 < learn(first, second, owner, seed=1).weight < 0.55

    def test_an_opinion_that_knows_nothing_is_not_heard(self) -> None:
        first, owner = drawn(80, noise=1.0, seed=1)
        second = np.random.default_rng(5).normal(size=first.shape).astype(np.float32)
        second /= np.linalg.norm(second, axis=1, keepdims=True)
        assert learn(first, second, owner, seed=1).weight < 0.02

    def test_a_better_opinion_is_never_louder_than_the_first(self) -> None:
        """Which one decides is not a matter of the site's photographs."""
        (first, owner), (second, _) = drawn(80, noise=2.0, seed=1), drawn(80, noise=0.2, seed=2)
        opinion = learn(first, second, owner, seed=1)
        impostor = owner[:, None] != owner[None, :]
        loudness = opinion.weight * (second @ second.T)[impostor].std()
        assert 0 < loudness <= (1 - opinion.weight) * (first @ first.T)[impostor].std() * 1.02

    def test_fewer_people_are_believed_less_and_below_twenty_not_at_all(self) -> None:
        def weight(people: int) -> float:
            (first, owner), (second, _) = drawn(people, noise=1.3, seed=1), drawn(people, noise=1.8, seed=2)
            return learn(first, second, owner, seed=1).weight

        assert weight(19) == 0.0
        assert 0 < weight(20) < weight(200)

    def test_people_with_a_single_reference_do_not_count_towards_the_twenty(self) -> None:
        first, owner = drawn(60, noise=1.0, seed=1, each=1)
        opinion = learn(first, first, owner, seed=1)
        assert (opinion.weight, opinion.people) == (0.0, 0)

    def test_a_seed_gives_the_same_weight_in_any_order_of_the_references(self) -> None:
        (first, owner), (second, _) = drawn(30, noise=1.0, seed=1), drawn(30, noise=1.5, seed=2)
        order = np.random.default_rng(3).permutation(len(owner))
        one, other = learn(first, second, owner, seed=7), learn(first[order], second[order], owner[order], seed=7)
        assert one.weight == pytest.approx(other.weight, abs=1e-5)

    def test_one_person_is_not_enough_to_learn_from(self) -> None:
        first, owner = drawn(1, noise=1.0, seed=1)
        with pytest.raises(InputError, match="at least two people"):
            learn(first, first, owner, seed=1)


def test_the_fused_score_is_the_weighed_mean_of_both() -> None:
    (first, _), (second, _) = drawn(4, noise=1.0, seed=1), drawn(4, noise=1.0, seed=2)
    rows = fused_rows(first, second, 0.3)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(12), abs=1e-6)
    assert rows @ rows.T == pytest.approx(0.7 * (first @ first.T) + 0.3 * (second @ second.T), abs=1e-6)


def test_thresholds_are_carried_to_where_the_impostors_are_now() -> None:
    opinion = SecondOpinion(0.5, 30, Spread(0.1, 0.1), Spread(0.5, 0.05))
    moved = opinion.carried(ScoreScale(0.5, ((1e-3, 0.4), (1e-4, 0.5)), near=0.06, apart=0.08))
    assert moved.floor == pytest.approx(0.7)
    assert [threshold for _, threshold in moved.steps] == pytest.approx([0.65, 0.7])
    assert (moved.near, moved.apart) == pytest.approx((0.03, 0.04))


class TestEffect:
    def opinions(self) -> tuple[TwoOpinions, dict[str, frozenset[str]]]:
        """The second engine helps on the whole and cannot tell the ten people of one group apart."""
        first, owner = drawn(120, noise=1.25, seed=1)
        second, _ = drawn(120, noise=1.25, seed=2)
        second[owner < 10] = np.random.default_rng(4).normal(size=64) + 0.3 * np.random.default_rng(5).normal(
            size=(30, 64)
        )
        second /= np.linalg.norm(second, axis=1, keepdims=True)
        people = tuple(f"p{at}" for at in range(120))
        return TwoOpinions(first, second, owner, people), {"alike": frozenset(people[:10])}

    def test_a_group_that_it_hurts_is_named_though_it_helps_on_the_whole(self) -> None:
        opinions, groups = self.opinions()
        learned = learn_with_effect(opinions, groups=groups, target_fmr=1e-2, seed=1)
        everyone, alike = learned.effect
        assert everyone.group == EVERYONE
        assert everyone.fnmr_fused < everyone.fnmr_first  # type: ignore[operator]
        assert not everyone.worse
        assert alike.worse
        assert alike.fmr_fused > 5 * alike.fmr_first  # type: ignore[operator]
        assert learned.to_json()["groups_worse"] == ["alike"]

    def test_comparisons_of_a_group_are_within_it_and_within_a_half(self) -> None:
        opinions, groups = self.opinions()
        _, alike = learn_with_effect(opinions, groups=groups, target_fmr=1e-2, seed=1).effect
        half = np.random.default_rng(1).permutation(120)[:10] % 2
        pairs = sum(count * (count - 1) // 2 for count in np.bincount(half))
        assert alike.people == 10
        assert alike.impostor_comparisons == 9 * pairs
        assert alike.genuine_comparisons == 30

    def test_a_group_without_anybody_and_a_rate_that_is_none_are_refused(self) -> None:
        opinions, groups = self.opinions()
        with pytest.raises(InputError, match="Nobody of the group 'none'"):
            learn_with_effect(opinions, groups={"none": frozenset({"x"})}, target_fmr=1e-2, seed=1)
        with pytest.raises(InputError, match="between 0 and 1"):
            learn_with_effect(opinions, groups=groups, target_fmr=0.0, seed=1)


class TestKeeping:
    def test_what_was_learned_is_read_back(self, tmp_path: Path) -> None:
        opinions, groups = TestEffect().opinions()
        learned = learn_with_effect(opinions, groups=groups, target_fmr=1e-2, seed=1)
        (tmp_path / "weight.json").write_text(json.dumps(learned.to_json()), "utf-8")
        assert read_opinion(tmp_path / "weight.json") == learned

    @pytest.mark.parametrize(
        "content",
        ["", "[]", "{}", "3",
         '{"weight": 1.0, "people": 3, "first": [0, 1], "fused": [0, 1], "target_fmr": 1, "effect": []}',
         '{"weight": NaN, "people": 3, "first": [0, 1], "fused": [0, 1], "target_fmr": null, "effect": []}',
         '{"weight": 0.2, "people": 3, "first": [0, 1], "fused": [0.05, 0], "target_fmr": null, "effect": []}',
         '{"weight": 0.2, "people": 3, "first": [0], "fused": [0, 1], "target_fmr": null, "effect": []}'],
    )  # fmt: skip
    def test_a_file_that_holds_no_weight_is_refused(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "weight.json").write_text(content, "utf-8")
        with pytest.raises(ConfigurationError):
            read_opinion(tmp_path / "weight.json")
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_opinion(tmp_path / "none.json")


@pytest.fixture(scope="module")
def unheard(dlib_engine: FaceEngine) -> SecondOpinionEngine:
    loaded: SecondOpinionEngine = load_engine("sface+dlib")
    return loaded


class TestEngine:
    def test_until_something_is_learned_the_scores_are_those_of_sface(
        self, unheard: SecondOpinionEngine, sface: FaceEngine
    ) -> None:
        one, other = portrait("1a"), portrait("1c")
        mine = [unheard.extract(pixels, unheard.detect(pixels)[0]) for pixels in (one, other)]
        its = [sface.extract(pixels, sface.detect(pixels)[0]) for pixels in (one, other)]
        assert unheard.compare(*mine) == pytest.approx(sface.compare(*its), abs=1e-6)
        assert scales.score_scale(unheard.format) == scales.SIMILARITIES["sface"]

    def test_a_learned_weight_is_heard_without_a_new_enrollment(
        self, unheard: SecondOpinionEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("SCALES", "SIMILARITIES"):
            monkeypatch.setattr(scales, name, dict(getattr(scales, name)))
        file = tmp_path / "weight.json"
        opinion = SecondOpinion(0.25, 30, Spread(0.1, 0.1), Spread(0.3, 0.08))
        file.write_text(json.dumps(opinion.to_json()), "utf-8")
        templates = [unheard.extract(pixels, unheard.detect(pixels)[0]) for pixels in (portrait("1a"), portrait("2"))]
        heard = load_engine(f"sface+dlib:{file}")
        first, second = heard.parts(templates)
        expected = 0.75 * float(first[0] @ first[1]) + 0.25 * float(second[0] @ second[1])
        assert heard.compare(*templates) == pytest.approx(expected, abs=1e-6)
        assert scales.score_scale(heard.format) == opinion.carried(scales.SIMILARITIES["sface"])

    def test_templates_of_one_engine_alone_are_refused(self, unheard: SecondOpinionEngine, sface: FaceEngine) -> None:
        pixels = portrait("1a")
        with pytest.raises(TemplateError):
            unheard.vectors([sface.extract(pixels, sface.detect(pixels)[0])])


def test_the_command_shows_every_group_and_writes_what_the_engine_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dlib_engine: FaceEngine
) -> None:
    """On five portraits of five names: too few to be heard, and that is said."""
    import cv2

    for name, files in {"a": ("1a", "1b"), "b": ("1c",), "c": ("2",), "d": ("3",)}.items():
        (tmp_path / "people" / name).mkdir(parents=True)
        for file in files:
            picture = cv2.cvtColor(portrait(file), cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(tmp_path / "people" / name / f"{file}.png"), picture)
    (tmp_path / "group.txt").write_text("a\nb\n\n", "utf-8")
    weight = tmp_path / "weight.json"
    command = ["second-opinion", str(tmp_path / "people"), "--write", str(weight)]
    done = CliRunner().invoke(evaluate, [*command, "--group", f"few={tmp_path / 'group.txt'}", "--fmr", "0.1"])
    assert done.exit_code == 0, done.output
    assert "dlib weighs 0.00, learned on 1 people" in done.output
    assert read_opinion(weight).weight == 0.0
    assert [item.group for item in read_opinion(weight).effect] == [EVERYONE, "few"]
    for wrong in ("few", f"few={tmp_path / 'none.txt'}"):
        refused = CliRunner().invoke(evaluate, [*command, "--group", wrong])
        assert isinstance(refused.exception, InputError)


def test_the_second_opinion_is_off_by_default() -> None:
    from kiosk.config import FaceConfig

    assert FaceConfig().engine == "sface"
    assert second_opinion.UNHEARD.weight == 0.0
