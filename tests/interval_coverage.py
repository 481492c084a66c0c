"""How often the report's 95 % intervals hold the truth, on synthetic people whose true rates are known by formula.

``python -m tests.interval_coverage`` prints a table as Markdown. A person's own shift moves every comparison they take
part in, so comparisons that share a person depend on each other, as those of real people do.
"""

from __future__ import annotations

import argparse
import math
import sys
from statistics import NormalDist

import numpy as np

from matcher.evaluation.bootstrap import curve
from matcher.evaluation.results import ComparisonSet

RATES = (0.1, 0.01, 0.001, 0.0001)
GENUINE_SPREAD, GENUINE_LIFT, SAMPLES_OF_EACH = 1.2, 0.8, 6


def drawn(people: int, *, spread: float, random: np.random.Generator) -> ComparisonSet:
    """Every two people once and each person six times; genuine scores around 0 too, so both have the same rates."""
    first, second = np.triu_indices(people, 1)
    own = np.repeat(np.arange(people), SAMPLES_OF_EACH)
    shift, lift = random.normal(0, spread, people), random.normal(0, GENUINE_LIFT, people)
    impostor = random.normal(0, 1, len(first)) + shift[first] + shift[second]
    genuine = random.normal(0, GENUINE_SPREAD, len(own)) + lift[own]
    return ComparisonSet(
        scores=np.concatenate([impostor, genuine]),
        first=np.concatenate([first, own]),
        second=np.concatenate([second, own]),
        people=tuple(map(str, range(people))),
    )


def coverage(people: int, *, spread: float, draws: int, rounds: int, seed: int = 1) -> list[list[float]]:
    """For each of RATES: the share of FMR and FNMR intervals holding it, then of their upper limits above it."""
    random = np.random.default_rng(seed)
    impostor = NormalDist(0, math.sqrt(1 + 2 * spread**2))
    genuine = NormalDist(0, math.hypot(GENUINE_SPREAD, GENUINE_LIFT))
    above = [impostor.inv_cdf(1 - rate) for rate in RATES]
    below = [genuine.inv_cdf(rate) for rate in RATES]
    held = np.zeros((len(RATES), 4))
    for at in range(draws):
        compared = drawn(people, spread=spread, random=random)
        found = curve(compared, [*above, *below], rounds=rounds, seed=at)
        for row, rate in enumerate(RATES):
            fmr = found.fmr[int(np.searchsorted(found.thresholds, above[row]))]
            fnmr = found.fnmr[int(np.searchsorted(found.thresholds, below[row]))]
            held[row] += [one.low <= rate <= one.high for one in (fmr, fnmr)] + [
                rate <= one.high for one in (fmr, fnmr)
            ]
    return (held / draws).tolist()


def main() -> None:
    """Print one row per number of people, spread of the people's own shifts, and true rate."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--people", type=int, nargs="+", default=[10, 30, 100, 350])
    options.add_argument("--spread", type=float, nargs="+", default=[0.0, 0.35, 0.7])
    options.add_argument("--draws", type=int, default=400)
    options.add_argument("--rounds", type=int, default=200)
    chosen = options.parse_args()
    write = sys.stdout.write
    write("| people | own shift | true rate | FMR held | FNMR held | FMR below upper | FNMR below upper |\n")
    write("|---|---|---|---|---|---|---|\n")
    for people in chosen.people:
        for spread in chosen.spread:
            rows = coverage(people, spread=spread, draws=chosen.draws, rounds=chosen.rounds)
            for rate, row in zip(RATES, rows, strict=True):
                shares = " | ".join(f"{100 * share:.1f}" for share in row)
                write(f"| {people} | {spread} | {rate} | {shares} |\n")


if __name__ == "__main__":
    main()
