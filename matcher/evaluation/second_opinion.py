"""What a second opinion does to whom, on people whom nothing was learned on. Owns the protocol; hides no group.

People are parted in two at random. Weight and thresholds are learned on one half and the rates counted on the other,
then the other way round, and both are added up. Impostor comparisons are all pairs of photographs of two people of
the half, or of the group within it; genuine ones all pairs of one person's. A group that is learned on is still only
counted among those who were not.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from matcher.evaluation import rates
from matcher.evaluation.face_folders import read_folder
from matcher.evaluation.face_samples import Progress, acquire_all, collection_of
from matcher.second_opinion import GroupEffect, SecondOpinion, Spread, fused_rows, groups_of, learn
from models.biometrics import Float32Array
from models.errors import InputError

ENGINE: Final = "sface+dlib"
_EVENLY: Final = SecondOpinion(0.5, 0, Spread(0.0, 1.0), Spread(0.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class TwoOpinions:
    """Unit rows of both engines, (N, D1) and (N, D2), and (N,) whose they are, as an index into ``people``."""

    first: Float32Array
    second: Float32Array
    owner: Any
    people: tuple[str, ...]


def evaluate_second_opinion(
    folder: Path, *, groups: Mapping[str, frozenset[str]], target_fmr: float = 1e-3, seed: int = 1,
    processes: int | None = None, progress: Progress | None = None,
) -> SecondOpinion:  # fmt: skip
    """Learn on everybody in a folder of people's photographs; the effect is that of halves. Raises InputError."""
    return learn_with_effect(
        read_opinions(folder, processes=processes, progress=progress), groups=groups, target_fmr=target_fmr, seed=seed
    )


def learn_with_effect(
    opinions: TwoOpinions, *, groups: Mapping[str, frozenset[str]], target_fmr: float, seed: int
) -> SecondOpinion:
    """The weight that everybody supports, and what one learned on halves does to the others, by group.

    Raises InputError for a group without a person here, a rate that is none, or fewer than four people.
    """
    members = groups_of(opinions.people, groups)
    for name, inside in members.items():
        if not inside.any():
            raise InputError(f"Nobody of the group {name!r} is in the folder.")
    if not 0 < target_fmr < 1:
        raise InputError(f"A false match rate lies between 0 and 1; {target_fmr} does not.")
    if len(opinions.people) < 4:
        raise InputError("Halves of fewer than four people say nothing.")
    half = np.random.default_rng(seed).permutation(len(opinions.people)) % 2
    counted = [_counted(opinions, half == side, members, target_fmr, seed) for side in (0, 1)]
    effect = tuple(_added(name, int(inside.sum()), [one[name] for one in counted]) for name, inside in members.items())
    learned = learn(opinions.first, opinions.second, opinions.owner, seed=seed)
    return replace(learned, target_fmr=target_fmr, effect=effect)


def read_opinions(folder: Path, *, processes: int | None, progress: Progress | None = None) -> TwoOpinions:
    """Both engines' rows of every photograph with a face. Raises InputError, ImageError."""
    found = read_folder(folder)
    with tempfile.TemporaryDirectory() as place:  # weighed evenly, both parts can be told apart again
        evenly = Path(place) / "evenly.json"
        evenly.write_text(json.dumps(_EVENLY.to_json()), "utf-8")
        files = [item.file for item in found.photographs]
        collection = collection_of(
            found, acquire_all(files, f"{ENGINE}:{evenly}", processes=processes, progress=progress)
        )
    rows = collection.rows[collection.found] * np.float32(np.sqrt(2.0))
    half = rows.shape[1] // 2
    return TwoOpinions(rows[:, :half], rows[:, half:], collection.person[collection.found], collection.names)


def _counted(
    opinions: TwoOpinions, learned_on: Any, members: Mapping[str, Any], target_fmr: float, seed: int
) -> dict[str, list[Any]]:
    """By group: impostor and genuine comparisons, matches of impostors and misses of genuine, before and after."""
    mine = learned_on[opinions.owner]
    weight = learn(opinions.first[mine], opinions.second[mine], opinions.owner[mine], seed=seed).weight
    known = _scores(opinions, learned_on, weight)
    thresholds = [rates.threshold_at_fmr(impostor, target_fmr) for impostor, _ in known]
    counts = {}
    for name, inside in members.items():
        tested = _scores(opinions, inside & ~learned_on, weight)
        matches = [int((impostor >= at).sum()) for (impostor, _), at in zip(tested, thresholds, strict=True)]
        misses = [int((genuine < at).sum()) for (_, genuine), at in zip(tested, thresholds, strict=True)]
        counts[name] = [len(tested[0][0]), len(tested[0][1]), *matches, *misses]
    return counts


def _scores(opinions: TwoOpinions, people: Any, weight: float) -> list[tuple[Any, Any]]:
    """(impostor, genuine) scores among some people: of the first engine alone, and fused."""
    mine = people[opinions.owner]
    first, second, owner = opinions.first[mine], opinions.second[mine], opinions.owner[mine]
    upper = np.triu(np.ones((len(owner), len(owner)), np.bool_), 1)
    same = owner[:, None] == owner[None, :]
    scores = []
    for rows in (first, fused_rows(first, second, weight)):
        all_scores = rows @ rows.T
        scores.append((all_scores[upper & ~same], all_scores[upper & same]))
    return scores


def _added(group: str, people: int, halves: list[list[Any]]) -> GroupEffect:
    impostor, genuine, *counts = (sum(values) for values in zip(*halves, strict=True))
    of = [impostor, impostor, genuine, genuine]
    found = [count / total if total else None for count, total in zip(counts, of, strict=True)]
    return GroupEffect(group, people, impostor, genuine, *found)
