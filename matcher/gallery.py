"""The people a site can recognise: many references each, compared all at once. Owns ranking; refuses to decide.

A person's score is fused from that person's references: the best score, the mean of the two best, or, for faces, the
score against the middle of the references ("centroid", the default: on LFW with three references each it missed a
quarter fewer people at the same rate of false alarms). Several face templates of one visit are averaged, weighted by
quality. A face's score is told in spreads above the scores of other people (``matcher.cohort``) where the engine has a
background; ``Candidate.similarity`` is the cosine. Revoked references and those of another engine's format never take
part. Lists of faces end after ``enrolled_faces.MOST_CANDIDATES``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from matcher.background import background
from matcher.enrolled_faces import EnrolledFaces, Fusion, Hit, fuse_by_person
from matcher.enrolled_fingers import EnrolledFingers
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
    prepared: Any  # EnrolledFaces or EnrolledFingers


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
        """Whoever has a finger like this, best first; ``position`` restricts to one finger. Raises TemplateError.

        From ``enrolled_fingers.SEARCHED_FROM`` references on only the best few dozen are compared and listed.
        """
        rows = self._held.fingers
        chosen = None if position is None else _at_position(rows, position)
        return self._ranked_fingers(template, rows, chosen)

    def verify_finger(
        self, person_id: str, template: Template | Sequence[Template], *, position: FingerPosition | None = None
    ) -> Candidate | None:
        """How much this person's finger references agree; None without any. Raises TemplateError."""
        rows = self._held.fingers
        mine = _of_person(rows, person_id)
        if position is not None:
            mine = [at for at in mine if rows.positions[at] == position]
        return next(iter(self._ranked_fingers(template, rows, mine)), None)

    def verify_fingers(
        self, person_id: str, templates: Mapping[FingerPosition, Template | Sequence[Template]]
    ) -> Candidate | None:
        """How much several fingers of this person agree: the mean of their scores, named by the best of them.

        A finger that is not enrolled takes no part; None if none is. Two fingers of another person agree by chance far
        less often than one, so a threshold for one finger is on the safe side. Raises TemplateError.
        """
        each = [self.verify_finger(person_id, probes, position=at) for at, probes in templates.items()]
        found = [candidate for candidate in each if candidate is not None]
        if not found:
            return None
        best = max(found, key=lambda candidate: candidate.score)
        return replace(best, score=sum(candidate.score for candidate in found) / len(found))

    def _built(self, references: tuple[Reference, ...]) -> _Held:
        faces = _usable(references, Modality.FACE, self._face_engine)
        fingers = _usable(references, Modality.FINGER, self._finger_engine)
        ignored = len(references) - len(faces) - len(fingers)
        return _Held(self._face_rows(faces), self._finger_rows(fingers), ignored)

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

    def _finger_rows(self, fingers: list[Reference]) -> _Rows:
        rows = _rows(fingers, None)
        if self._finger_engine is None or not fingers:
            return rows
        prepared = [self._finger_engine.prepare(item.template) for item in fingers]
        return rows._replace(prepared=EnrolledFingers(self._finger_engine, prepared))

    def _ranked_fingers(
        self, templates: Template | Sequence[Template], rows: _Rows, chosen: list[int] | None
    ) -> CandidateList:
        if self._finger_engine is None:
            raise ConfigurationError("This gallery has no finger engine.")
        probes = [templates] if isinstance(templates, Template) else list(templates)
        if not probes:
            raise InputError("A search needs at least one template.")
        prepared = [self._finger_engine.prepare(probe) for probe in probes]
        if rows.prepared is None or chosen == []:
            return ()
        scores = rows.prepared.scores(prepared, chosen)
        found = sorted(scores)
        owner = rows.owner[found]
        single = np.array([scores[at] for at in found], np.float32)
        people, fused = fuse_by_person(single[None], owner, fusion="mean_top" if self._fusion == "mean_top" else "best")
        return _ranked(rows, people, fused[0], {at: scores[at] for at in found})


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


def _ranked(rows: _Rows, people: Any, fused: Float32Array, scores: Mapping[int, float]) -> CandidateList:
    """Candidates by fused score (K,) of ``people`` (K,), each with the reference whose own score was best."""
    best: dict[int, int] = {}
    for at in sorted(scores, key=lambda at: (-scores[at], at)):
        best.setdefault(int(rows.owner[at]), at)
    order = np.argsort(-fused, kind="stable").tolist()
    owners = [int(people[at]) for at in order]
    return tuple(
        Candidate(rows.people[owner], rows.reference_ids[best[owner]], float(fused[at]))
        for owner, at in zip(owners, order, strict=True)
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


def _at_position(rows: _Rows, position: FingerPosition) -> list[int]:
    return [at for at, held in enumerate(rows.positions) if held == position]
