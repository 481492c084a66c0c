"""The trials: simulated visits through the kiosk's own presentation check, how they are counted and gone on with."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kiosk.commands import kiosk
from kiosk.trials import run
from kiosk.trials.people import People
from kiosk.trials.results import summary
from kiosk.trials.run import TrialPlan, run_trials
from kiosk.trials.sabotage import saboteur
from kiosk.trials.visits import TryRecord, VisitMaker, VisitRecord
from matcher import weights
from models.errors import InputError, WeightsError

REQUIRED = ("challenge", "solid_head", "face_relief", "frame_freshness", "room_behind")


@pytest.fixture(scope="module")
def people(engines: dict[str, Any]) -> People:
    return People.of(engines["sface"], None)


def maker(people: People, **options: Any) -> VisitMaker:
    return VisitMaker(people.engine, people, seed=5, **options)


@pytest.fixture(scope="module")
def visited(people: People) -> VisitRecord:
    return maker(people).visit("genuine_near", 0)


def test_a_genuine_visitor_is_asked_looked_at_and_recorded(visited: VisitRecord) -> None:
    assert visited.acquired
    first = visited.tries[0]
    assert first.prompts[0] == "look_here" and len(set(first.prompts)) > 1
    assert set(REQUIRED) <= set(first.witnesses)
    assert visited.seconds < 60
    assert visited.accepted == any(item.finding == "compared" for item in visited.tries)


def test_a_visit_repeats_exactly(people: People, visited: VisitRecord) -> None:
    assert asdict(maker(people).visit("genuine_near", 0)) == asdict(visited)


def test_a_photograph_on_paper_is_not_let_through(people: People) -> None:
    record = maker(people, most_tries=1).visit("print_flat", 0)
    assert record.acquired and not record.accepted and not record.matched


@pytest.mark.parametrize("name", REQUIRED)
def test_where_a_witness_breaks_nobody_is_let_through(people: People, name: str) -> None:
    """The visitor would pass; with one witness broken every try is spent."""
    record = maker(people, sabotage=saboteur(name)).visit("genuine_near", 0)
    assert record.acquired and not record.accepted
    assert [item.witnesses[name] for item in record.tries] == ["undecided"] * len(record.tries)


def test_without_its_weights_nobody_is_let_through(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise WeightsError(f"The weights {name} are missing.")

    made = maker(people)  # the faces are known already
    monkeypatch.setattr(weights, "path", missing)
    record = made.visit("genuine_near", 0)
    assert not record.accepted
    assert "not_available" in record.tries[0].witnesses.values()


# counting


def attempt(*, accepted: bool, witnesses: dict[str, str], alone: dict[str, str] | None = None) -> TryRecord:
    return TryRecord("compared" if accepted else "undecided", accepted, 5.0, ("look_here",), witnesses, {}, alone)


def visit_of(kind: str, number: int, *, accepted: bool, acquired: bool = True, says: str = "passed") -> VisitRecord:
    tries = (attempt(accepted=accepted, witnesses={"challenge": says, "same_head": "passed"}),) if acquired else ()
    finding = "compared" if accepted else "undecided"
    return VisitRecord(kind, number, finding, acquired, accepted, accepted, 9.0, tries)


def test_an_accepted_attack_and_a_refused_visitor_are_errors() -> None:
    attacks = [visit_of("print_flat", number, accepted=number == 0) for number in range(10)]
    genuine = [visit_of("genuine_usual", number, accepted=number > 1) for number in range(20)]
    found = summary([*attacks, *genuine])
    assert found["simulated"] is True
    assert found["apcer"]["print_flat"]["rate"] == pytest.approx(0.1)
    assert found["bpcer"]["genuine_usual"]["rate"] == pytest.approx(0.1)
    low, high = (found["apcer"]["print_flat"][side] for side in ("low", "high"))
    assert low == pytest.approx(0.0025, abs=5e-4) and high == pytest.approx(0.445, abs=5e-3)  # Clopper and Pearson
    assert found["worst_bpcer"]["kind"] == "genuine_usual"


def test_a_failure_to_acquire_is_counted_apart() -> None:
    rows = [visit_of("print_flat", number, accepted=False, acquired=number > 3) for number in range(10)]
    row = summary(rows)["apcer"]["print_flat"]
    assert (row["presentations"], row["not_acquired"], row["visits"]) == (6, 4, 10)
    nobody = summary([visit_of("print_flat", 0, accepted=False, acquired=False)])
    assert nobody["apcer"]["print_flat"]["rate"] is None
    assert nobody["worst_apcer"] is None


def test_each_witness_alone_is_counted_on_the_first_try_without_the_bond() -> None:
    rows = [
        visit_of("phone_call", number, accepted=False, says="failed" if number else "passed") for number in range(4)
    ]
    late = attempt(accepted=False, witnesses={"challenge": "undecided"}, alone={"challenge": "passed"})
    rows.append(replace(rows[0], number=4, tries=(late,)))
    alone = summary(rows)["alone"]
    assert set(alone) == {"challenge"}
    assert alone["challenge"]["apcer"]["phone_call"]["rate"] == pytest.approx(0.4)
    assert alone["challenge"]["apcer"]["phone_call"]["objects"] == pytest.approx(0.6)


# runs


class MadeUp:
    """Visits that cost nothing; ``made`` remembers which were asked for."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []

    def visit(self, kind: str, number: int) -> VisitRecord:
        self.made.append((kind, number))
        return visit_of(kind, number, accepted=number % 2 == 0)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    made = MadeUp()
    monkeypatch.setattr(run, "_made", lambda plan: made)
    return made


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, made_up: MadeUp) -> None:
    partial = tmp_path / "visits.jsonl"
    plan = TrialPlan(("print_flat", "genuine_usual"), 2, seed=3)
    first = run_trials(plan, partial=partial, processes=1)
    text = partial.read_text()
    partial.write_text(text + text.splitlines()[1][:40])  # the last line was cut off
    made_up.made.clear()
    again = run_trials(replace(plan, each=3), partial=partial, processes=1)
    assert made_up.made == [("print_flat", 2), ("genuine_usual", 2)]
    assert again[:4] == first
    assert len(partial.read_text().splitlines()) == 7


def test_visits_of_another_plan_are_refused(tmp_path: Path, made_up: MadeUp) -> None:
    partial = tmp_path / "visits.jsonl"
    run_trials(TrialPlan(("print_flat",), 1, seed=3), partial=partial, processes=1)
    with pytest.raises(InputError, match="visits of another run"):
        run_trials(TrialPlan(("print_flat",), 1, seed=4), partial=partial, processes=1)


def test_the_command_writes_and_prints_the_figures(tmp_path: Path, made_up: MadeUp) -> None:
    file = tmp_path / "trials.json"
    options = ["trials", "--kinds", "print_flat, genuine", "--each", "2", "--processes", "1", "--json", str(file)]
    result = CliRunner().invoke(kiosk, options)
    assert result.exit_code == 0, result.output
    assert "Simulated presentations" in result.output and "APCER" in result.output
    found = json.loads(file.read_text())
    assert found["simulated"] is True
    assert set(found["apcer"]) == {"print_flat"} and len(found["bpcer"]) >= 8
    assert found["apcer"]["print_flat"]["rate"] == 0.5


def test_an_unknown_kind_or_a_folder_without_people_is_one_sentence(tmp_path: Path, engines: dict[str, Any]) -> None:
    result = CliRunner().invoke(kiosk, ["trials", "--kinds", "jump"])
    assert isinstance(result.exception, InputError)
    assert "There is no kind 'jump'; known: attack, genuine," in str(result.exception)
    with pytest.raises(InputError, match="pictures of fewer than two people"):
        People.of(engines["sface"], tmp_path)


def test_a_plan_that_no_visit_could_begin_with_is_refused_before_processes_are_started(tmp_path: Path) -> None:
    text = tmp_path / "network.onnx"
    text.write_text("no network")
    plan = TrialPlan(kinds=("genuine_usual",), each=1)
    with pytest.raises(InputError, match="pictures of fewer than two people"):
        run_trials(replace(plan, faces=str(tmp_path)), partial=None, processes=2)
    with pytest.raises(WeightsError, match="network"):
        run_trials(replace(plan, network=str(text)), partial=None, processes=2)


def test_a_witness_that_does_not_exist_is_not_broken_in_silence(people: People) -> None:
    with pytest.raises(InputError, match="no witness 'jump'; known: "):
        maker(people, sabotage=saboteur("jump")).visit("genuine_usual", 0)
