"""What a comparison score is worth at this site: cohort normalisation. Owns the rule; refuses thresholds and storage.

A cosine that nobody reaches by accident in one place is common in another, where people look more alike or stand
before the same camera. So a score is told in spreads: how far does it stand out from the scores that the same two
vectors have with *other* people (symmetric z/t-norm: Auckenthaler, Carey and Lloyd-Thomas, Digital Signal Processing
10, 2000)? Other people are those enrolled at the site, one mean vector for each. The exact rule:

- The candidate who is being judged is left out, on both sides. Where the probe's identity is known (in a measurement)
  it is left out too: an identity in its own cohort makes figures lie. In operation it is unknown. If it is that of the
  candidate, it is left out; if it is of somebody else who is enrolled, it stays, and lowers this candidate's score.
- Nobody stands out by more than ``CAP`` spreads of the background from the cohort's lower median: a relative, or the
  probe's own identity in another candidate's cohort, weighs as one person who is rather alike and no more.
- A site's people are evidence, blended with a background of people in general. The mean starts as that of two imagined
  people (``MEAN_WEIGHT``) who lie ``SHIFT`` spreads above the background, because a common camera moves scores up; the
  variance starts as that of ``SPREAD_WEIGHT`` people of the background. The spread is that of one more score, given
  how well the mean is known: where there are few people or none, scores are told lower, which is conservative.

``score = ((s - mean_probe) / spread_probe + (s - mean_reference) / spread_reference) / 2``

An engine without a background is never normalised: its scores stay similarities, however many people a site has, so
that no scale changes under a threshold on the day somebody joins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from matcher.background import Background
from models.biometrics import Float32Array

CAP = 3.0
MEAN_WEIGHT = 2.0
SHIFT = 0.5
SPREAD_WEIGHT = 20.0
NOBODY = -1
ROWS_AT_ONCE = 4096  # of vectors before a cohort: bounds the memory of a million references


class Standing(NamedTuple):
    """How vectors score with other people: ``mean`` and ``spread``, arrays of one shape, in cosines."""

    mean: Float32Array
    spread: Float32Array


def normalised(similarity: Any, probe: Standing, reference: Standing) -> Float32Array:
    """Similarities told in spreads above what the probe and the reference score with other people."""
    above_probe = (similarity - probe.mean) / probe.spread
    above_reference = (similarity - reference.mean) / reference.spread
    return np.asarray((above_probe + above_reference) / 2, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Against:
    """Vectors before a cohort of K people: what is needed to leave anybody out at once.

    ``above`` (N, K) are the scores with each of them less ``expected`` (N,), the background's mean, and capped;
    ``variance`` (N,) is the background's.
    """

    above: Float32Array
    sums: Float32Array
    squares: Float32Array
    expected: Float32Array
    variance: Float32Array

    def without(self, at: Any, *left_out: Any) -> Standing:
        """The standing of the vectors ``at`` (P,), each with the people of ``left_out`` (each (P,)) left out.

        People are named by their row in the cohort, ``NOBODY`` for none; somebody named twice is left out once.
        """
        at = np.asarray(at, np.int64)
        count = np.full(at.shape, self.above.shape[1], np.float32)
        sums, squares = self.sums[at], self.squares[at]
        for which, named in enumerate(left_out):
            people = np.asarray(named, np.int64)
            gone = people != NOBODY
            for earlier in left_out[:which]:
                gone = gone & (people != np.asarray(earlier))
            if not gone.any():
                continue
            score = np.where(gone, self.above[at, people], np.float32(0))
            sums, squares, count = sums - score, squares - score * score, count - gone
        return self._standing(self.expected[at], self.variance[at], sums, squares, count)

    @staticmethod
    def _standing(expected: Any, before: Any, sums: Any, squares: Any, count: Any) -> Standing:
        own = np.maximum(squares - sums * sums / np.maximum(count, 1), 0)  # about the site's own mean
        variance = (own + SPREAD_WEIGHT * before) / (np.maximum(count - 1, 0) + SPREAD_WEIGHT)
        known = count + MEAN_WEIGHT
        mean = (sums + MEAN_WEIGHT * SHIFT * np.sqrt(before)) / known
        spread = np.sqrt(variance * (1 + 1 / known))
        return Standing((expected + mean).astype(np.float32), spread.astype(np.float32))


class Cohort:
    """The people of a site as others see them. ``rows`` (K, D) is the mean of each person's unit vectors."""

    def __init__(self, rows: Float32Array, *, background: Background) -> None:
        self.rows = np.ascontiguousarray(rows, np.float32)
        self.background = background

    def __len__(self) -> int:
        return len(self.rows)

    def against(self, vectors: Float32Array) -> Against:
        """Vectors (N, D) before everybody of the cohort."""
        expected, variance = self.background.moments(vectors)
        above = vectors @ self.rows.T - expected[:, None]
        if len(self):
            lower = (len(self) - 1) // 2
            median = np.partition(above, lower, axis=1)[:, lower]
            np.minimum(above, (median + CAP * np.sqrt(variance))[:, None], out=above)
        return Against(above, above.sum(axis=1), np.einsum("nk,nk->n", above, above), expected, variance)

    def standing(self, vectors: Float32Array, own: Any) -> Standing:
        """The standing of vectors (N, D), each with its ``own`` (N,) person left out, in pieces that fit memory."""
        pieces = [
            self.against(vectors[start : start + ROWS_AT_ONCE]).without(
                np.arange(len(vectors[start : start + ROWS_AT_ONCE])), own[start : start + ROWS_AT_ONCE]
            )
            for start in range(0, len(vectors), ROWS_AT_ONCE)
        ]
        if not pieces:
            return Standing(np.zeros(0, np.float32), np.zeros(0, np.float32))
        return Standing(np.concatenate([one.mean for one in pieces]), np.concatenate([one.spread for one in pieces]))


def person_means(rows: Float32Array, owner: Any, people: int) -> Float32Array:
    """The mean (``people``, D) of each person's rows (N, D); ``owner`` (N,) names the person. Zero for no rows."""
    sums = np.zeros((people, rows.shape[1]), np.float32)
    np.add.at(sums, owner, rows)
    return sums / np.maximum(np.bincount(owner, minlength=people), 1).astype(np.float32)[:, None]


def pair_scores(
    probes: Against, references: Against, similarity: Float32Array, *, at: tuple[Any, Any], owner: tuple[Any, Any]
) -> Float32Array:
    """Normalised scores of pairs (P,) of whom both identities are known, and both left out.

    ``at`` holds the rows in ``probes`` and in ``references``, ``owner`` whose they are (rows of the cohort).
    """
    return normalised(
        similarity,
        probes.without(at[0], owner[1], owner[0]),
        references.without(at[1], owner[1], owner[0]),
    )
