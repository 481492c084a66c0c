"""The people a site can recognise: many references each, compared all at once. Owns ranking; refuses to decide.

A person's score is fused from that person's references: the best score, the mean of the two best, or, for faces, the
score against the middle of the references ("centroid", the default: on LFW with three references each it missed a
quarter fewer people at the same rate of false alarms). Several probe templates of one visit are averaged. Revoked
references and those of another engine's format never take part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from matcher.engines.vectors import unit_rows
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

Fusion = Literal["best", "mean_top", "centroid"]
TOP = 2  # references that "mean_top" averages


def fuse_faces(probes: Float32Array, references: Float32Array, owner: Any, *, fusion: Fusion) -> tuple[Any, Any]:
    """Vectors to per-person scores: the people (K,) in order, and (P, K) float32.

    ``probes`` (P, D) and ``references`` (R, D) have rows of unit length, ``owner`` (R,) names each reference's person.
    """
    if fusion != "centroid":
        return fuse_by_person(probes @ references.T, owner, fusion=fusion)
    people, index = np.unique(owner, return_inverse=True)
    sums = np.zeros((len(people), references.shape[1]), np.float32)
    np.add.at(sums, index, references)
    return people, probes @ unit_rows(sums).T


def fuse_by_person(scores: Any, owner: Any, *, fusion: Fusion = "best") -> tuple[Any, Any]:
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


class _Held(NamedTuple):
    """What a gallery holds, swapped as one."""

    faces: _Rows
    fingers: _Rows
    ignored: int


class Gallery:
    """References in memory, by modality. ``replace`` swaps them all; a reader sees the old or the new, never both."""

    def __init__(
        self,
        *,
        face_engine: FaceEngine | None = None,
        finger_engine: FingerEngine | None = None,
        fusion: Fusion = "centroid",
    ) -> None:
        """``fusion`` is for faces; fingers know no "centroid" and take the best reference instead."""
        if fusion not in ("best", "mean_top", "centroid"):
            raise ConfigurationError(f"Fusion is 'best', 'mean_top' or 'centroid', not {fusion!r}.")
        self._face_engine = face_engine
        self._finger_engine = finger_engine
        self._fusion: Fusion = fusion
        self._held = self._built(())

    def replace(self, references: Iterable[Reference]) -> None:
        """Hold exactly these references. Raises TemplateError for a damaged one and keeps the old ones then."""
        self._held = self._built(tuple(references))

    def __len__(self) -> int:
        """How many people can be recognised."""
        return len(self.people())

    def people(self, modality: Modality | None = None) -> frozenset[str]:
        """Everyone with a reference, of one modality or of any."""
        held = self._held
        faces = held.faces.people if modality in (None, Modality.FACE) else ()
        fingers = held.fingers.people if modality in (None, Modality.FINGER) else ()
        return frozenset(faces) | frozenset(fingers)

    @property
    def ignored(self) -> int:
        """References that take no part: revoked, or of a format that neither engine reads."""
        return self._held.ignored

    def positions(self, person_id: str) -> tuple[FingerPosition, ...]:
        """The fingers this person has enrolled, in code order."""
        rows = self._held.fingers
        mine = {rows.positions[at] for at in _of_person(rows, person_id)} - {None}
        return tuple(sorted(position for position in mine if position is not None))

    def identify_face(self, templates: Sequence[Template]) -> CandidateList:
        """Everyone with a face, best first, for one or more templates of one visit. Raises TemplateError."""
        return self._ranked_faces(templates, self._held.faces)

    def verify_face(self, person_id: str, templates: Sequence[Template]) -> Candidate | None:
        """How much this person's face references agree; None without any. Raises TemplateError."""
        return next(iter(self._ranked_faces(templates, _only(self._held.faces, person_id))), None)

    def identify_finger(
        self, template: Template | Sequence[Template], *, position: FingerPosition | None = None
    ) -> CandidateList:
        """Everyone with a finger, best first; ``position`` restricts to one finger. Raises TemplateError."""
        return self._ranked_fingers(template, _at_position(self._held.fingers, position))

    def verify_finger(
        self, person_id: str, template: Template | Sequence[Template], *, position: FingerPosition | None = None
    ) -> Candidate | None:
        """How much this person's finger references agree; None without any. Raises TemplateError."""
        mine = _at_position(_only(self._held.fingers, person_id), position)
        return next(iter(self._ranked_fingers(template, mine)), None)

    def _built(self, references: tuple[Reference, ...]) -> _Held:
        faces = _usable(references, Modality.FACE, self._face_engine)
        fingers = _usable(references, Modality.FINGER, self._finger_engine)
        face_rows = self._face_engine.vectors([item.template for item in faces]) if self._face_engine else None
        prepared = [self._finger_engine.prepare(item.template) for item in fingers] if self._finger_engine else []
        ignored = len(references) - len(faces) - len(fingers)
        return _Held(_rows(faces, face_rows), _rows(fingers, prepared), ignored)

    def _ranked_faces(self, templates: Sequence[Template], rows: _Rows) -> CandidateList:
        if self._face_engine is None:
            raise ConfigurationError("This gallery has no face engine.")
        if not templates:
            raise InputError("A search needs at least one template.")
        probe = self._face_engine.vectors(templates).mean(axis=0, keepdims=True)
        if not rows.people:
            return ()
        _, fused = fuse_faces(probe, rows.prepared, rows.owner, fusion=self._fusion)
        return _ranked(rows, fused[0], (probe @ rows.prepared.T)[0])

    def _ranked_fingers(self, templates: Template | Sequence[Template], rows: _Rows) -> CandidateList:
        if self._finger_engine is None:
            raise ConfigurationError("This gallery has no finger engine.")
        probes = [templates] if isinstance(templates, Template) else list(templates)
        if not probes:
            raise InputError("A search needs at least one template.")
        compare = self._finger_engine.compare_prepared
        prepared = [self._finger_engine.prepare(probe) for probe in probes]
        if not rows.people:
            return ()
        # The best impression speaks: unlike frames of a face, impressions cover different parts of a finger.
        scores = np.array([max(compare(probe, held) for probe in prepared) for held in rows.prepared], np.float32)
        _, fused = fuse_by_person(scores[None], rows.owner, fusion="mean_top" if self._fusion == "mean_top" else "best")
        return _ranked(rows, fused[0], scores)


def _ranked(rows: _Rows, fused: Float32Array, scores: Float32Array) -> CandidateList:
    """Candidates by fused score (K,), each with the reference that scored best of the (R,) single scores."""
    best: dict[int, int] = {}
    for at in np.argsort(-scores, kind="stable"):
        best.setdefault(int(rows.owner[at]), int(at))
    order = np.argsort(-fused, kind="stable")
    return tuple(Candidate(rows.people[at], rows.reference_ids[best[at]], float(fused[at])) for at in order.tolist())


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
