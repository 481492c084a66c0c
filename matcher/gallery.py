"""The people a site can recognise: many references each, compared all at once. Owns ranking; refuses to decide.

A person's score is fused from that person's references: the best score, the mean of the two best, or, for faces, the
score against the middle of the references ("centroid", the default: on LFW with three references each it missed a
quarter fewer people at the same rate of false alarms). Several face templates of one visit are averaged, weighted by
quality. A face's score is told in spreads above the scores of other people (``matcher.cohort``) where the engine has a
background; ``Candidate.similarity`` is the cosine. Revoked references and those of another engine's format never take
part. Lists of faces end after ``enrolled_faces.MOST_CANDIDATES``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from matcher.background import background
from matcher.enrolled_faces import EnrolledFaces, Fusion, Hit, fuse_by_person
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


class _Rows(NamedTuple):
    """References of one modality in parallel: whose, which, and what the engine compares."""

    owner: Any  # (R,) int64, index into people
    people: tuple[str, ...]
    reference_ids: tuple[str, ...]
    positions: tuple[FingerPosition | None, ...]
    prepared: Any  # EnrolledFaces for faces, a list of the engine's own for fingers


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

    def identify_face(self, templates: Sequence[Template], weights: Sequence[float] | None = None) -> CandidateList:
        """The best candidates, best first, for one or more templates of one visit, ``weights`` being their qualities.

        Raises TemplateError, and InputError for no template or for weights that are none.
        """
        probe, rows = self._face_probe(templates, weights), self._held.faces
        return tuple(_candidate(rows, hit) for hit in rows.prepared.search(probe)) if rows.people else ()

    def verify_face(
        self, person_id: str, templates: Sequence[Template], weights: Sequence[float] | None = None
    ) -> Candidate | None:
        """How much this person's face references agree, judged as in a search; None without any. Raises as that."""
        probe, rows = self._face_probe(templates, weights), self._held.faces
        if person_id not in rows.people:
            return None
        return _candidate(rows, rows.prepared.compare(probe, rows.people.index(person_id)))

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
        prepared = [self._finger_engine.prepare(item.template) for item in fingers] if self._finger_engine else []
        ignored = len(references) - len(faces) - len(fingers)
        return _Held(self._face_rows(faces), _rows(fingers, prepared), ignored)

    def _face_rows(self, faces: list[Reference]) -> _Rows:
        rows = _rows(faces, None)
        if self._face_engine is None or not faces:
            return rows
        enrolled = EnrolledFaces(
            self._face_engine.vectors([item.template for item in faces]),
            rows.owner,
            people=len(rows.people),
            background=background(self._face_engine.format),
            fusion=self._fusion,
        )
        return rows._replace(prepared=enrolled)

    def _face_probe(self, templates: Sequence[Template], weights: Sequence[float] | None) -> Float32Array:
        if self._face_engine is None:
            raise ConfigurationError("This gallery has no face engine.")
        if not templates:
            raise InputError("A search needs at least one template.")
        return weighted_mean(self._face_engine.vectors(templates), weights)

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


def weighted_mean(rows: Float32Array, weights: Sequence[float] | None = None) -> Float32Array:
    """One probe (D,) of several vectors (N, D); not brought to unit length, so that its scores are means of scores.

    Raises InputError for weights that are not N numbers of 0 or more, one of them more.
    """
    if weights is None:
        return np.asarray(rows.mean(axis=0), np.float32)
    shares = np.asarray(weights, np.float32)
    if shares.shape != (len(rows),) or not np.isfinite(shares).all() or shares.min() < 0 or shares.sum() <= 0:
        raise InputError(f"{len(rows)} templates need as many weights of 0 or more, not all 0.")
    return np.asarray(shares @ rows / shares.sum(), np.float32)


def _candidate(rows: _Rows, hit: Hit) -> Candidate:
    return Candidate(rows.people[hit.person], rows.reference_ids[hit.reference], hit.score, hit.similarity)


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
    return _Rows(
        np.array([index[int(rows.owner[at])] for at in chosen], np.int64),
        tuple(rows.people[at] for at in kept),
        tuple(rows.reference_ids[at] for at in chosen),
        tuple(rows.positions[at] for at in chosen),
        [rows.prepared[at] for at in chosen],
    )
