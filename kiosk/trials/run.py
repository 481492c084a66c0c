"""Running many trials. Owns the processes, and the file of finished visits from which a stopped run goes on.

Every visit follows from the seed, its kind and its number alone, so it does not matter which process finishes first.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from kiosk.config import KioskConfig, PresentationConfig
from kiosk.presence import site_network
from kiosk.trials.people import People, pictures_of
from kiosk.trials.sabotage import saboteur
from kiosk.trials.visits import TryRecord, VisitMaker, VisitRecord
from matcher.engines import load_engine
from models.errors import InputError

Job = tuple[str, int]
_AHEAD = 4  # visits handed to each process beforehand


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What a run tries.

    ``breaks`` names a witness that is made to break in every visit, ``network`` is the file of a passive one.
    """

    kinds: tuple[str, ...]
    each: int
    seed: int = 1
    faces: str | None = None
    alone: bool = False
    detection_side: int = 640
    breaks: str | None = None
    network: str | None = None
    tries: int = 3

    def jobs(self) -> list[Job]:
        """The visits, one of each kind after the other, so that a run that is stopped early shows all kinds."""
        return [(kind, number) for number in range(self.each) for kind in self.kinds]

    def identity(self) -> dict[str, Any]:
        """What must be equal for finished visits to count in another run."""
        kept = asdict(self)
        del kept["each"], kept["kinds"]
        return kept


def run_trials(
    plan: TrialPlan, *, partial: Path | None, processes: int, told: Callable[[int, int], None] = lambda done, of: None
) -> list[VisitRecord]:
    """All visits of a plan, those already in ``partial`` taken from there; ``told`` hears how many are done.

    Raises InputError if ``partial`` belongs to another plan, or if the faces, the network or the witness to break are
    none.
    """
    _check(plan)
    done = _finished(plan, partial)
    wanted = set(plan.jobs())
    records = {job: record for job, record in done.items() if job in wanted}
    open_jobs = [job for job in plan.jobs() if job not in records]
    told(len(records), len(wanted))
    if not open_jobs:
        return [records[job] for job in plan.jobs()]
    kept = None if partial is None else partial.open("a", encoding="utf-8")
    try:
        if kept is not None and not done and kept.tell() == 0:
            _write(kept, plan.identity())
        for record in _visits(plan, open_jobs, processes):
            records[record.kind, record.number] = record
            if kept is not None:
                _write(kept, asdict(record))
            told(len(records), len(wanted))
    finally:
        if kept is not None:
            kept.close()
    return [records[job] for job in plan.jobs()]


def _check(plan: TrialPlan) -> None:
    """Refuse here what would otherwise end each process, or be counted as a kiosk whose network is missing."""
    if plan.faces:
        pictures_of(Path(plan.faces))
    site_network(_config(plan).presentation)


def _config(plan: TrialPlan) -> KioskConfig:
    return KioskConfig(presentation=PresentationConfig(network=plan.network or ""))


def _visits(plan: TrialPlan, jobs: Sequence[Job], processes: int) -> Iterator[VisitRecord]:
    """The visits as they are finished."""
    if processes == 1:
        maker = _made(plan)
        yield from (maker.visit(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    todo = iter(jobs)
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(plan,))
    try:
        waiting: set[Future[VisitRecord]] = {pool.submit(_one, job) for job in islice(todo, processes * _AHEAD)}
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            waiting |= {pool.submit(_one, job) for job in islice(todo, len(ready))}
            yield from (future.result() for future in ready)
    finally:  # whoever stops a run does not wait for visits that have not begun
        pool.shutdown(wait=True, cancel_futures=True)


_maker: VisitMaker | None = None  # of a worker process


def _begin(plan: TrialPlan) -> None:
    global _maker  # noqa: PLW0603 - a process loads its networks once
    _maker = _made(plan)


def _one(job: Job) -> VisitRecord:
    assert _maker is not None  # noqa: S101 - _begin was called
    return _maker.visit(*job)


def _made(plan: TrialPlan) -> VisitMaker:
    engine = load_engine("sface", detection_side=plan.detection_side)
    people = People.of(engine, Path(plan.faces) if plan.faces else None)
    return VisitMaker(engine, people, plan.seed, plan.alone, saboteur(plan.breaks), _config(plan), plan.tries)


def _finished(plan: TrialPlan, partial: Path | None) -> dict[Job, VisitRecord]:
    """The visits that an earlier run finished; a last line that was cut off is dropped."""
    if partial is None or not partial.exists():
        return {}
    lines = partial.read_text("utf-8").splitlines(keepends=True)
    if not lines:
        return {}
    if json.loads(lines[0]) != plan.identity():
        raise InputError(f"{partial} holds visits of another run; remove it or name another file.", code="other_run")
    whole = [line for line in lines[1:] if line.endswith("\n")]
    if len(whole) < len(lines) - 1:
        partial.write_text("".join([lines[0], *whole]), "utf-8")
    records = [_record(json.loads(line)) for line in whole]
    return {(record.kind, record.number): record for record in records}


def _record(row: dict[str, Any]) -> VisitRecord:
    tries = tuple(TryRecord(**{**item, "prompts": tuple(item["prompts"])}) for item in row["tries"])
    return VisitRecord(**{**row, "tries": tries})


def _write(file: IO[str], row: dict[str, Any]) -> None:
    file.write(json.dumps(row) + "\n")
    file.flush()
