"""Error rates of a comparison algorithm from two lists of scores. Owns the definitions; refuses pictures and engines.

All rates are fractions in [0, 1]. A comparison *matches* when its score reaches the threshold, so

- FMR(t), the false match rate, is the share of impostor scores ``>= t``;
- FNMR(t), the false non-match rate, is the share of genuine scores ``< t``

(ISO/IEC 19795-1, false match rate and false non-match rate). Rates are steps, not curves: nothing is interpolated,
and equal scores are counted as they stand. Scores may be infinite (a failure to acquire is ``-inf``: it never matches),
never NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from matcher.likelihood import checked_scores
from models.biometrics import Float64Array
from models.errors import InputError

# A share such as 0.29 of 100 comparisons is 28.999999999999996 in binary; it allows 29 false matches all the same.
_ROUNDING = 1e-9


class Det(NamedTuple):
    """The detection error trade-off: three (K,) float64 arrays, thresholds ascending.

    ``fmr`` falls and ``fnmr`` rises along the arrays. The last threshold is ``inf``: nothing matches there.
    """

    threshold: Float64Array
    fmr: Float64Array
    fnmr: Float64Array


def fmr_at(impostor: ArrayLike, threshold: float) -> float:
    """The false match rate at a threshold: the share of impostor scores that reach it."""
    return float(np.mean(checked_scores(impostor, "impostor") >= threshold))


def fnmr_at(genuine: ArrayLike, threshold: float) -> float:
    """The false non-match rate at a threshold: the share of genuine scores below it."""
    return float(np.mean(checked_scores(genuine, "genuine") < threshold))


def threshold_at_fmr(impostor: ArrayLike, fmr: float) -> float:
    """The lowest threshold at which the false match rate is not above ``fmr``.

    It is the next number above an impostor score; the lowest finite number if every impostor may match, so that what
    was not acquired (``-inf``) does not match even then. Raises InputError for no scores or an ``fmr`` outside [0, 1].
    """
    return float(np.nextafter(_highest_refused(checked_scores(impostor, "impostor"), fmr), np.inf))


def fnmr_at_fmr(genuine: ArrayLike, impostor: ArrayLike, fmr: float) -> float:
    """The lowest false non-match rate of all thresholds whose false match rate is at most ``fmr``.

    FVC's FMR100 and FMR1000 are this at 1e-2 and 1e-3. Raises InputError for no scores or an ``fmr`` outside [0, 1].
    """
    refused = _highest_refused(checked_scores(impostor, "impostor"), fmr)
    return float(np.mean(checked_scores(genuine, "genuine") <= refused))


def zero_fmr(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """The lowest false non-match rate at which no impostor matches (FVC's ZeroFMR)."""
    return fnmr_at_fmr(genuine, impostor, 0.0)


def det(genuine: ArrayLike, impostor: ArrayLike) -> Det:
    """Both rates at every threshold where one of them changes: each distinct score, then infinity."""
    mated, non_mated = np.sort(checked_scores(genuine, "genuine")), np.sort(checked_scores(impostor, "impostor"))
    threshold = np.unique(np.concatenate([mated, non_mated, [np.inf]]))
    # Counts are divided once, so that equal rates are equal numbers.
    fmr = (len(non_mated) - np.searchsorted(non_mated, threshold, side="left")) / len(non_mated)
    fnmr = np.searchsorted(mated, threshold, side="left") / len(mated)
    return Det(threshold, fmr, fnmr)


def eer(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """The equal error rate as the Fingerprint Verification Competition defines it.

    The rates are steps and may never be equal. Let t1 be the highest threshold with FNMR <= FMR and t2 the lowest with
    FNMR >= FMR; of these two the one with the smaller sum of both rates is taken, and the EER is the mean of its two
    rates (Maio, Maltoni, Cappelli, Wayman and Jain, FVC2000, IEEE PAMI 24(3), 2002). Raises InputError for no scores.
    """
    curve = det(genuine, impostor)
    after = int(np.argmax(curve.fnmr >= curve.fmr))  # the last threshold, inf, always is: FNMR 1, FMR 0
    if curve.fnmr[after] == curve.fmr[after]:
        return float(curve.fnmr[after])
    sums = curve.fnmr + curve.fmr
    return float(min(sums[max(after - 1, 0)], sums[after]) / 2)


def _highest_refused(impostor: Float64Array, fmr: float) -> float:
    """The highest impostor score that must not match, -inf if all may."""
    if not 0 <= fmr <= 1:
        raise InputError(f"A false match rate lies between 0 and 1; {fmr} does not.")
    allowed = int(fmr * len(impostor) + _ROUNDING)
    if allowed >= len(impostor):
        return -np.inf
    position = len(impostor) - 1 - allowed
    return float(np.partition(impostor, position)[position])
