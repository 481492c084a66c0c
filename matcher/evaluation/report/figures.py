"""Every figure of a report page, computed once from one measurement. Owns what is computed; refuses HTML and words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matcher.evaluation import rates
from matcher.evaluation.bootstrap import ROUNDS, Curve, curve, equal_error
from matcher.evaluation.breakdown import GroupRates, WorstPair, by_group, worst_genuine, worst_impostors
from matcher.evaluation.intervals import ENOUGH_EVENTS, NOTHING, Basis, Interval, exact, percentiles, person_weights
from matcher.evaluation.measured import Measurement, ThresholdInForce, ThresholdUse
from matcher.evaluation.report.verdict import Verdict, verdict
from matcher.evaluation.results import Acquisition, ComparisonSet
from matcher.evaluation.search_rates import (
    SizedRate,
    fnir,
    fnir_by_size,
    forecast,
    fpir,
    fpir_by_size,
    fpir_from_pairs,
    gallery_sizes,
)
from models.biometrics import Float64Array
from models.errors import InputError

_DET_POINTS = 160
_BINS = 60
_COMPUTED_SIZES = 1000  # people: the largest gallery worth a forecast from single comparisons


@dataclass(frozen=True, kw_only=True)
class ThresholdFigures:
    """The rates at one threshold in force and what they say of it; FPIR and FNIR where there were searches.

    ``computed_fpir`` is the FPIR expected for this gallery from single comparisons where no stranger searched.
    """

    threshold: ThresholdInForce
    fmr: Interval
    fnmr: Interval
    fpir: Interval | None
    fnir: Interval | None
    computed_fpir: SizedRate | None
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Shares of the mated and non-mated scores in equal bins; ``edges`` (B+1,), the others (B,), each summing to 1."""

    edges: Float64Array
    genuine: Float64Array
    impostor: Float64Array


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All figures of one measurement. ``fta`` and ``fte`` are None where acquisition was not recorded.

    ``leading_threshold`` is the one that groups, worst pairs and gallery sizes are shown at: the first for searches,
    else the first, else None.
    """

    measurement: Measurement
    det: Curve
    eer: float
    eer_limits: tuple[float, float]
    histogram: Histogram
    at: tuple[ThresholdFigures, ...]
    fpir_sizes: tuple[SizedRate, ...]
    fnir_sizes: tuple[SizedRate, ...]
    forecast: tuple[SizedRate, ...]
    groups: tuple[GroupRates, ...]
    worst_impostors: tuple[WorstPair, ...]
    worst_genuine: tuple[WorstPair, ...]
    fta: Interval | None
    fte: Interval | None
    leading_threshold: float | None


def figures(measured: Measurement, *, seed: int, rounds: int = ROUNDS) -> Figures:
    """Compute everything a page shows. Raises InputError if there are no mated or no non-mated comparisons."""
    compared = measured.comparisons
    genuine, impostor = compared.genuine, compared.impostor
    if not len(genuine) or not len(impostor):
        raise InputError("A report needs comparisons of the same person and of different people.")
    in_force = [item.threshold for item in measured.thresholds]
    det = curve(compared, np.concatenate([_det_thresholds(compared), in_force]), rounds=rounds, seed=seed)
    leading = next((item for item in measured.thresholds if item.use is ThresholdUse.IDENTIFY), None)
    leading = leading or next(iter(measured.thresholds), None)
    gallery = measured.searches.gallery if measured.searches else len(compared.people)
    fpir_sizes: tuple[SizedRate, ...] = ()
    fnir_sizes: tuple[SizedRate, ...] = ()
    expected: tuple[SizedRate, ...] = ()
    if leading:
        fpir_sizes, fnir_sizes = _by_size(measured, leading.threshold, gallery, rounds, seed)
    if fpir_sizes:
        expected = forecast(fpir_sizes[-1], sizes=[fpir_sizes[-1].gallery, *gallery_sizes(_COMPUTED_SIZES)])
    return Figures(
        measurement=measured,
        det=det,
        eer=rates.eer(genuine, impostor),
        eer_limits=equal_error(det),
        histogram=_histogram(compared),
        at=tuple(_at(measured, item, det, rounds, seed) for item in measured.thresholds),
        fpir_sizes=fpir_sizes,
        fnir_sizes=fnir_sizes,
        forecast=expected,
        groups=tuple(by_group(compared, leading.threshold, rounds=rounds, seed=seed)) if leading else (),
        worst_impostors=tuple(worst_impostors(compared)),
        worst_genuine=tuple(worst_genuine(compared)),
        fta=_failure_to_acquire(measured.acquisition, rounds, seed) if measured.acquisition else None,
        fte=_failure_to_enroll(measured.acquisition) if measured.acquisition else None,
        leading_threshold=leading.threshold if leading else None,
    )


def _by_size(
    measured: Measurement, threshold: float, gallery: int, rounds: int, seed: int
) -> tuple[tuple[SizedRate, ...], tuple[SizedRate, ...]]:
    """FPIR and FNIR against gallery size, from searches where they were kept, the FPIR else from single comparisons."""
    sizes = gallery_sizes(gallery)
    by_pairs = gallery_sizes(len(measured.comparisons.people) - 1)
    searches = measured.searches
    found = fpir_by_size(searches, threshold, sizes=sizes, rounds=rounds, seed=seed) if searches else ()
    missed = fnir_by_size(searches, threshold, sizes=sizes, rounds=rounds, seed=seed) if searches else ()
    return found or fpir_from_pairs(measured.comparisons, threshold, sizes=by_pairs, rounds=rounds, seed=seed), missed


def _at(measured: Measurement, item: ThresholdInForce, det: Curve, rounds: int, seed: int) -> ThresholdFigures:
    place = int(np.searchsorted(det.thresholds, item.threshold))
    searches = measured.searches
    measured_fpir = measured_fnir = computed = None
    judged, by_formula = det.fmr[place], False
    if item.use is ThresholdUse.IDENTIFY:
        if searches and len(searches.stranger_scores):
            measured_fpir = judged = fpir(searches, item.threshold, rounds=rounds, seed=seed)
        else:
            computed = _computed_fpir(measured, item.threshold, rounds, seed)
            judged, by_formula = _judged(computed, det.fmr[place]) if computed else NOTHING, True
        if searches and len(searches.mated_scores):
            measured_fnir = fnir(searches, item.threshold, rounds=rounds, seed=seed)
    return ThresholdFigures(
        threshold=item,
        fmr=det.fmr[place],
        fnmr=det.fnmr[place],
        fpir=measured_fpir,
        fnir=measured_fnir,
        computed_fpir=computed,
        verdict=verdict(item, judged, computed=by_formula),
    )


def _computed_fpir(measured: Measurement, threshold: float, rounds: int, seed: int) -> SizedRate | None:
    """The FPIR expected at the gallery's size, from single comparisons, by the formula beyond them."""
    people = len(measured.comparisons.people)
    gallery = measured.searches.gallery if measured.searches else people - 1
    sizes = gallery_sizes(min(gallery, people - 1))
    found = fpir_from_pairs(measured.comparisons, threshold, sizes=sizes, rounds=rounds, seed=seed)
    return next(iter(forecast(found[-1], sizes=[gallery])), None) if found else None


def _judged(computed: SizedRate, fmr: Interval) -> Interval:
    """A computed FPIR as an interval, resting on the comparisons it was computed from."""
    return Interval(
        rate=computed.rate, low=computed.low, high=computed.high, errors=fmr.errors, trials=fmr.trials,
        people=fmr.people, independent=fmr.independent, basis=fmr.basis,
    )  # fmt: skip


def _det_thresholds(compared: ComparisonSet) -> Float64Array:
    """Thresholds that lie evenly over the curve: round false match rates and round false non-match rates."""
    genuine = np.sort(compared.genuine.astype(np.float64))
    impostor = np.sort(compared.impostor.astype(np.float64))
    chosen = []
    for scores, from_above in ((impostor, True), (genuine, False)):
        rank = np.unique(np.geomspace(1, len(scores), _DET_POINTS // 2).astype(int)) - 1
        chosen.append(np.nextafter(scores[len(scores) - 1 - rank if from_above else rank], np.inf))
    thresholds = np.concatenate(chosen)
    finite: Float64Array = thresholds[np.isfinite(thresholds)]
    return finite


def _histogram(compared: ComparisonSet) -> Histogram:
    scores = compared.scores[np.isfinite(compared.scores)].astype(np.float64)
    low, high = float(scores.min()), float(scores.max())
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)

    def shares(of: Float64Array) -> Float64Array:
        counts = np.histogram(np.clip(of, low, None), edges)[0]
        return np.asarray(counts / max(counts.sum(), 1), np.float64)

    return Histogram(
        edges=edges,
        genuine=shares(compared.genuine.astype(np.float64)),
        impostor=shares(compared.impostor.astype(np.float64)),
    )


def _failure_to_acquire(acquired: Acquisition, rounds: int, seed: int) -> Interval | None:
    attempts, failures = int(acquired.attempts.sum()), int(acquired.failures.sum())
    if not attempts:
        return None
    tried = acquired.attempts > 0
    people, failed = int(tried.sum()), int((acquired.failures > 0).sum())
    by_people = exact(failed, people)
    weights = person_weights(len(acquired.people), rounds, seed)
    whole = weights @ acquired.attempts
    drawn = (weights @ acquired.failures)[whole > 0] / whole[whole > 0]
    low, high = percentiles(drawn, people)
    rate = failures / attempts
    few = failed < ENOUGH_EVENTS  # then the share of people who ever failed is the safer limit
    return Interval(
        rate=rate, low=min(float(low), rate), high=max(by_people.high if few else float(high), rate), errors=failures,
        trials=attempts, people=people, independent=people, basis=by_people.basis if few else Basis.BOOTSTRAP,
    )  # fmt: skip


def _failure_to_enroll(acquired: Acquisition) -> Interval:
    return exact(int((~acquired.enrolled).sum()), len(acquired.people))
