"""What the trials come to: APCER and BPCER per kind with 95 % limits, and each witness alone. Owns the counting.

ISO/IEC 30107-3: APCER is the share of a kind's attack presentations that were classified as bona fide, BPCER that of
bona fide presentations classified as attacks. Here a presentation that stays undecided was not let through: for an
attack that is no error, for a genuine visitor it is one. Visits in which no challenge could begin are failures to
acquire and counted apart. Visits of one kind are independent draws, so the limits are binomial.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hardware.simulation.behaviours import BEHAVIOURS, Truth
from kiosk.trials.visits import VisitRecord, names_of
from matcher.evaluation.intervals import exact
from models.attendance import WitnessVerdict

LIMIT = {Truth.ATTACK: 0.01, Truth.GENUINE: 0.02}


def summary(records: Iterable[VisitRecord]) -> dict[str, Any]:
    """The JSON of a run: ``apcer`` and ``bpcer`` per kind, with ``per_try`` and ``alone``. Rates are fractions."""
    by_kind: dict[str, list[VisitRecord]] = {}
    for record in records:
        by_kind.setdefault(record.kind, []).append(record)
    ordered = {kind: by_kind[kind] for kind in BEHAVIOURS if kind in by_kind}
    attacks, genuine = (
        {kind: _kind(rows, truth) for kind, rows in ordered.items() if BEHAVIOURS[kind].truth is truth}
        for truth in (Truth.ATTACK, Truth.GENUINE)
    )
    return {
        "simulated": True,
        "apcer": attacks,
        "bpcer": genuine,
        "worst_apcer": _worst(attacks),
        "worst_bpcer": _worst(genuine),
        "alone": _alone(ordered),
        "seconds": {kind: _median(rows) for kind, rows in ordered.items()},
    }


def _kind(rows: Sequence[VisitRecord], truth: Truth) -> dict[str, Any]:
    """The errors of one kind: per visit (up to three tries) and per first try."""
    acquired = [row for row in rows if row.acquired]
    tries = [row.tries[0] for row in acquired]
    wrong = truth is Truth.ATTACK  # letting through is the error of an attack, not letting through that of a visitor
    outcomes = Counter(row.finding for row in rows)
    return {
        **_rate(sum(row.accepted is wrong for row in acquired), len(acquired)),
        "visits": len(rows),
        "not_acquired": len(rows) - len(acquired),
        "matched": sum(row.matched for row in acquired),
        "findings": dict(sorted(outcomes.items())),
        "per_try": _rate(sum(item.accepted is wrong for item in tries), len(tries)),
    }


def _rate(errors: int, trials: int) -> dict[str, Any]:
    interval = exact(errors, trials)
    rate = None if not trials else interval.rate
    return {"rate": rate, "low": interval.low, "high": interval.high, "errors": errors, "presentations": trials}


def _worst(kinds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The kind with the highest rate, and all kinds together. None without any."""
    known = {kind: row for kind, row in kinds.items() if row["rate"] is not None}
    if not known:
        return None
    kind = max(known, key=lambda name: (known[name]["rate"], known[name]["high"]))
    errors, trials = (sum(row[key] for row in known.values()) for key in ("errors", "presentations"))
    return {"kind": kind, "rate": known[kind]["rate"], "all": _rate(errors, trials)}


def _alone(by_kind: Mapping[str, Sequence[VisitRecord]]) -> dict[str, Any]:
    """Each witness as if it decided by itself, on the first try of each visit.

    ``rate`` counts as the whole check does: only what passed was let through. ``objects`` is the share that failed.
    """
    found: dict[str, Any] = {}
    for kind, rows in by_kind.items():
        tries = [row.tries[0] for row in rows if row.acquired]
        wrong = BEHAVIOURS[kind].truth is Truth.ATTACK
        side = "apcer" if wrong else "bpcer"
        for name in dict.fromkeys(name for item in tries for name in names_of(item)):
            said = [(item.alone or item.witnesses).get(name, WitnessVerdict.NOT_AVAILABLE.value) for item in tries]
            passed = sum(verdict == WitnessVerdict.PASSED.value for verdict in said)
            row = _rate(passed if wrong else len(said) - passed, len(said))
            row["objects"] = sum(verdict == WitnessVerdict.FAILED.value for verdict in said) / len(said)
            found.setdefault(name, {"apcer": {}, "bpcer": {}})[side][kind] = row
    return found


def _median(rows: Sequence[VisitRecord]) -> float:
    lasted = sorted(row.seconds for row in rows)
    return lasted[len(lasted) // 2]
