"""The people a site can recognise: many references each, compared all at once. Owns ranking; refuses to decide.

A person's score is fused from the scores of that person's references, either the best one or the mean of the two
best. Several probe templates of one visit are averaged reference by reference before that. Revoked references and
those of another engine's format never take part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from matcher.ports import FaceEngine, FingerEngine
from models.biometrics import (
    Candidate,
    CandidateList,
    FingerPosition,
    Float32Array,
    Modality,
    Reference,
    Template,
)
from models.errors import ConfigurationError, InputError

Fusion = Literal["best", "mean_top"]
TOP = 2  # references that "mean_top" averages


def fuse_by_person(scores: Any, owner: Any, *, fusion: Fusion = "best") -> tuple[Any, Float32Array]:
    """Per-reference scores (P, R) to per-person scores: the people (K,) in order, and (P, K) float32.

    ``owner`` (R,) names the person of each reference. "best" is the highest of a person's references, "mean_top"
    the mean of the two highest (of one, if there is only one).
    """
    people, index = np.unique(owner, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(people)))
    grouped = np.asarray(scores, np.float32)[:, order]
    best: Float32Array = np.maximum.reduceat(grouped, starts, axis=1)
    if fusion == "best":
        return people, best
    counts = np.diff([*starts, len(order)])
    place = np.arange(counts.max())[None, :]
    columns = np.minimum(starts[:, None] + place, len(order) - 1)
    padded = np.where(place < counts[:, None], grouped[:, columns], -np.inf)  # (P, K, most references)
    top = -np.partition(-padded, min(TOP, padded.shape[2]) - 1, axis=2)[:, :, :TOP]
    present = np.isfinite(top)
    return people, (np.where(present, top, 0).sum(axis=2) / present.sum(axis=2)).astype(np.float32)


class _Rows(NamedTuple):
    """References of one modality in parallel: whose, which, and what the engine compares."""

    owner: Any  # (R,) int64, index into people
    people: tuple[str, ...]
    reference_ids: tuple[str, ...]
    positions: tuple[FingerPosition | None, ...]
    prepared: Any  # (R, D) float32 for faces, a list of the engine's own for fingers


class Gallery:
    """References in memory, by modality. ``replace`` swaps them all; a reader sees the old or the new, never both."""

    def __init__(
        self,
        *,
        face_engine: FaceEngine | None = None,
        finger_engine: FingerEngine | None = None,
        fusion: Fusion = "best",
    ) -> None:
        if fusion not in ("best", "mean_top"):
            raise ConfigurationError(f"Fusion is 'best' or 'mean_top', not {fusion!r}.")
        self._face_engine = face_engine
        self._finger_engine = finger_engine
        self._fusion: Fusion = fusion
        self._faces, self._fingers, self._ignored = self._built(())

    def replace(self, references: Iterable[Reference]) -> None:
        """Hold exactly these references. Raises TemplateError for a damaged one and keeps the old ones then."""
        self._faces, self._fingers, self._ignored = self._built(tuple(references))

    def __len__(self) -> int:
        """How many people can be recognised."""
        return len(self.people())

    def people(self, modality: Modality | None = None) -> frozenset[str]:
        """Everyone with a reference, of one modality or of any."""
        faces = self._faces.people if modality in (None, Modality.FACE) else ()
        fingers = self._fingers.people if modality in (None, Modality.FINGER) else ()
        return frozenset(faces) | frozenset(fingers)

    @property
    def ignored(self) -> int:
        """References that take no part: revoked, or of a format that neither engine reads."""
        return self._ignored

    def positions(self, person_id: str) -> tuple[FingerPosition, ...]:
        """The fingers this person has enrolled, in code order."""
        rows = self._fingers
        mine = {rows.positions[at] for at in _of_person(rows, person_id)} - {None}
        return tuple(sorted(position for position in mine if position is not None))

    def identify_face(self, templates: Sequence[Template]) -> CandidateList:
        """Everyone with a face, best first, for one or more templates of one visit. Raises TemplateError."""
        rows = self._faces
        return self._ranked(rows, self._face_scores(templates, rows)) if rows.people else ()

    def verify_face(self, person_id: str, templates: Sequence[Template]) -> Candidate | None:
        """How much this person's face references agree; None without any. Raises TemplateError."""
        mine = _only(self._faces, person_id)
        return self._ranked(mine, self._face_scores(templates, mine))[0] if mine.people else None

    def identify_finger(
        self, template: Template | Sequence[Template], *, position: FingerPosition | None = None
    ) -> CandidateList:
        """Everyone with a finger, best first; ``position`` restricts to one finger. Raises TemplateError."""
        rows = _at_position(self._fingers, position)
        return self._ranked(rows, self._finger_scores(template, rows)) if rows.people else ()

    def verify_finger(
        self, person_id: str, template: Template | Sequence[Template], *, position: FingerPosition | None = None
    ) -> Candidate | None:
        """How much this person's finger references agree; None without any. Raises TemplateError."""
        mine = _at_position(_only(self._fingers, person_id), position)
        return self._ranked(mine, self._finger_scores(template, mine))[0] if mine.people else None

    def _built(self, references: tuple[Reference, ...]) -> tuple[_Rows, _Rows, int]:
        faces = _usable(references, Modality.FACE, self._face_engine)
        fingers = _usable(references, Modality.FINGER, self._finger_engine)
        face_rows = self._face_engine.vectors([item.template for item in faces]) if self._face_engine else None
        prepared = [self._finger_engine.prepare(item.template) for item in fingers] if self._finger_engine else []
        ignored = len(references) - len(faces) - len(fingers)
        return _rows(faces, face_rows), _rows(fingers, prepared), ignored

    def _face_scores(self, templates: Sequence[Template], rows: _Rows) -> Float32Array:
        if self._face_engine is None:
            raise ConfigurationError("This gallery has no face engine.")
        if not templates:
            raise InputError("A search needs at least one template.")
        scores: Float32Array = (self._face_engine.vectors(templates) @ rows.prepared.T).mean(axis=0)
        return scores

    def _finger_scores(self, templates: Template | Sequence[Template], rows: _Rows) -> Float32Array:
        if self._finger_engine is None:
            raise ConfigurationError("This gallery has no finger engine.")
        probes = [templates] if isinstance(templates, Template) else list(templates)
        if not probes:
            raise InputError("A search needs at least one template.")
        prepared = [self._finger_engine.prepare(probe) for probe in probes]
        scores = [
            [self._finger_engine.compare_prepared(probe, reference) for reference in rows.prepared]
            for probe in prepared
        ]
        # The best impression speaks: unlike frames of a face, impressions cover different parts of a finger.
        return np.max(np.array(scores, np.float32), axis=0)

    def _ranked(self, rows: _Rows, scores: Float32Array) -> CandidateList:
        people, fused = fuse_by_person(scores[None, :], rows.owner, fusion=self._fusion)
        best: dict[int, int] = {}
        for at in np.argsort(-scores, kind="stable"):
            best.setdefault(int(rows.owner[at]), int(at))
        order = np.argsort(-fused[0], kind="stable")
        return tuple(
            Candidate(rows.people[people[at]], rows.reference_ids[best[int(people[at])]], float(fused[0, at]))
            for at in order
        )


def _usable(references: Iterable[Reference], modality: Modality, engine: Any) -> list[Reference]:
    if engine is None:
        return []
    return [
        item
        for item in references
        if item.modality is modality and item.revoked_at is None and item.template.format == engine.format
    ]


def _rows(references: Sequence[Reference], prepared: Any) -> _Rows:
    people = tuple(sorted({item.person_id for item in references}))
    index = {person: at for at, person in enumerate(people)}
    return _Rows(
        np.array([index[item.person_id] for item in references], np.int64),
        people,
        tuple(item.reference_id for item in references),
        tuple(item.position for item in references),
        prepared,
    )


def _of_person(rows: _Rows, person_id: str) -> list[int]:
    if person_id not in rows.people:
        return []
    return np.flatnonzero(rows.owner == rows.people.index(person_id)).tolist()


def _only(rows: _Rows, person_id: str) -> _Rows:
    return _taken(rows, _of_person(rows, person_id))


def _at_position(rows: _Rows, position: FingerPosition | None) -> _Rows:
    if position is None:
        return rows
    return _taken(rows, [at for at, held in enumerate(rows.positions) if held == position])


def _taken(rows: _Rows, chosen: list[int]) -> _Rows:
    """Some of the rows; the people are those who still have one."""
    kept = sorted({int(rows.owner[at]) for at in chosen})
    index = {old: new for new, old in enumerate(kept)}
    prepared = rows.prepared[chosen] if isinstance(rows.prepared, np.ndarray) else [rows.prepared[at] for at in chosen]
    return _Rows(
        np.array([index[int(rows.owner[at])] for at in chosen], np.int64),
        tuple(rows.people[at] for at in kept),
        tuple(rows.reference_ids[at] for at in chosen),
        tuple(rows.positions[at] for at in chosen),
        prepared,
    )
