"""People in general, as two moments per engine: what a site is compared with while it is small. Owns their files.

Refuses anybody's template: a file holds the mean and the covariance of one mean vector for each of many people, which
together are a synthetic cohort of any size (a vector x meets scores of mean ``x·m`` and variance ``xᵀSx`` in it), and
nothing from which a person could be told.

``background-sface-1.json`` was made with ``muster evaluate background`` of 1,644 people of Labeled Faces in the Wild
(Huang et al., 2007; folds 1 to 4, photographs of the press, most of them of men and of people of European descent),
without the twenty people of its list of East-Asian names, on whom the transfer of thresholds is measured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from models.biometrics import Float32Array, TemplateFormat
from models.errors import InputError

FOLDER = Path(__file__).parent
STEP = 1e-7  # far below what a covariance of some thousand people is known to


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """``mean`` (D,) and ``covariance`` (D, D), float32, of the mean vectors of ``people`` people."""

    mean: Float32Array
    covariance: Float32Array
    people: int

    def moments(self, vectors: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Mean and variance (N,) of the scores that vectors (N, D) have with people in general."""
        variance = np.einsum("nd,nd->n", vectors @ self.covariance, vectors)
        return vectors @ self.mean, np.maximum(variance, np.float32(1e-6))


def background_of(rows: Float32Array) -> Background:
    """The background of people's mean vectors (K, D). Raises InputError if the people are fewer than dimensions."""
    people, dimensions = rows.shape
    if people <= dimensions:
        raise InputError(
            f"A background of {dimensions} dimensions takes more than {dimensions} people; here are {people}."
        )
    return Background(rows.mean(axis=0).astype(np.float32), np.cov(rows, rowvar=False).astype(np.float32), people)


@cache
def background(format: TemplateFormat) -> Background | None:
    """The background that ships for a template format; None if there is none."""
    file = FOLDER / f"background-{format.name}-{format.version}.json"
    return read(file) if file.is_file() else None


def read(file: Path) -> Background:
    """A background as ``save`` wrote it."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    mean = np.array(kept["mean"], np.float64) * STEP
    covariance = np.zeros((len(mean), len(mean)))
    covariance[np.triu_indices(len(mean))] = np.array(kept["covariance_upper"], np.float64) * STEP
    covariance += np.triu(covariance, 1).T
    return Background(mean.astype(np.float32), covariance.astype(np.float32), int(kept["people"]))


def save(made: Background, file: Path) -> None:
    """Write a background as JSON: the mean and the upper triangle of the covariance, as multiples of ``STEP``."""
    upper = made.covariance[np.triu_indices(len(made.mean))]
    kept = {"people": made.people, "step": STEP, "mean": _steps(made.mean), "covariance_upper": _steps(upper)}
    file.write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")


def _steps(values: Float32Array) -> list[int]:
    steps: list[int] = np.rint(values.astype(np.float64) / STEP).astype(np.int64).tolist()
    return steps
