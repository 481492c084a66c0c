"""The gallery ranks people, not references; revoked references and foreign formats never take part."""

from __future__ import annotations

import math

import numpy as np
import pytest

from matcher.engines.minutiae import MinutiaeEngine
from matcher.enrolled_faces import MOST_CANDIDATES, fuse_by_person
from matcher.enrolled_fingers import SEARCHED_FROM
from matcher.evaluation.synthetic_minutiae import impression_of, synthetic_finger
from matcher.gallery import Gallery
from matcher.ports import FaceEngine
from models.biometrics import FingerPosition, Modality, Template, TemplateFormat
from models.errors import ConfigurationError, InputError, TemplateError
from tests.matcher.faces import NOW, SFACE, direction, face_reference, finger_reference


class LetterFingers:
    """A finger engine whose templates are words; the score is the share of common letters. Prepares once."""

    name = "letters"
    format = TemplateFormat("letters", 1)

    def __init__(self) -> None:
        self.prepared: list[bytes] = []

    def prepare(self, template: Template) -> frozenset[int]:
        self.prepared.append(template.payload)
        return frozenset(template.payload)

    def compare_prepared(self, probe: frozenset[int], reference: frozenset[int]) -> float:
        return len(probe & reference) / len(probe | reference)


def word(text: str) -> Template:
    return Template(LetterFingers.format, text.encode())


def scattered(rng: np.random.Generator) -> Template:
    """A vector of no particular direction."""
    return Template(SFACE, rng.normal(size=128).astype("<f4").tobytes())


@pytest.fixture
def faces(sface: FaceEngine) -> Gallery:
    """Two people: one around 0°, with references at 0°, 10° and 20°, another at 90°."""
    gallery = Gallery(face_engine=sface, fusion="best")
    gallery.replace(
        [
            face_reference("r1", "anna", direction(0)),
            face_reference("r2", "anna", direction(10)),
            face_reference("r3", "anna", direction(20)),
            face_reference("r4", "bert", direction(90)),
        ]
    )
    return gallery


def test_each_person_appears_once_best_first_with_the_best_reference(faces: Gallery) -> None:
    candidates = faces.identify_face([direction(21)])
    assert [(item.person_id, item.reference_id) for item in candidates] == [("anna", "r3"), ("bert", "r4")]
    assert candidates[0].similarity == pytest.approx(math.cos(math.radians(1)), abs=1e-6)
    assert candidates[1].similarity == pytest.approx(math.cos(math.radians(69)), abs=1e-6)


def test_the_mean_of_the_top_two_is_lower_than_the_best(sface: FaceEngine) -> None:
    gallery = Gallery(face_engine=sface, fusion="mean_top")
    gallery.replace([face_reference(f"r{at}", "anna", direction(at)) for at in (0, 10, 60)])
    score = gallery.identify_face([direction(0)])[0].similarity
    assert score == pytest.approx((1 + math.cos(math.radians(10))) / 2, abs=1e-6)


def test_the_mean_of_the_top_two_of_one_reference_is_its_score() -> None:
    people, fused = fuse_by_person([[0.1, 0.9, 0.5]], np.array([7, 3, 7]), fusion="mean_top")
    assert people.tolist() == [3, 7]
    assert fused == pytest.approx(np.array([[0.9, 0.3]]))


def test_the_centroid_is_the_middle_of_a_persons_references(sface: FaceEngine) -> None:
    gallery = Gallery(face_engine=sface)
    gallery.replace([face_reference("r1", "anna", direction(0)), face_reference("r2", "anna", direction(20))])
    assert gallery.identify_face([direction(10)])[0].similarity == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("fusion", ["best", "mean_top", "centroid"])
def test_candidates_do_not_depend_on_the_order_of_references(sface: FaceEngine, fusion: str) -> None:
    rng = np.random.default_rng(3)
    references = [face_reference(f"r{at}", f"p{rng.integers(9)}", scattered(rng)) for at in range(40)]
    probe = scattered(rng)
    found = []
    for order in (range(40), rng.permutation(40).tolist()):
        gallery = Gallery(face_engine=sface, fusion=fusion)  # type: ignore[arg-type]
        gallery.replace([references[at] for at in order])
        found.append(gallery.identify_face([probe]))
    assert [item.reference_id for item in found[0]] == [item.reference_id for item in found[1]]
    assert [item.score for item in found[0]] == pytest.approx([item.score for item in found[1]], abs=1e-4)


def test_a_verification_scores_as_the_search_does(sface: FaceEngine) -> None:
    rng = np.random.default_rng(4)
    gallery = Gallery(face_engine=sface)
    gallery.replace([face_reference(f"r{at}", f"p{at}", scattered(rng)) for at in range(12)])
    probe = [scattered(rng), scattered(rng)]
    for item in gallery.identify_face(probe, [0.9, 0.3]):
        claimed = gallery.verify_face(item.person_id, probe, [0.9, 0.3])
        assert claimed is not None
        assert claimed.reference_id == item.reference_id
        assert (claimed.score, claimed.similarity) == pytest.approx((item.score, item.similarity), abs=1e-5)


def test_a_list_of_candidates_ends(sface: FaceEngine) -> None:
    rng = np.random.default_rng(5)
    gallery = Gallery(face_engine=sface)
    gallery.replace([face_reference(f"r{at}", f"p{at}", scattered(rng)) for at in range(90)])
    found = gallery.identify_face([scattered(rng)])
    assert len(found) == MOST_CANDIDATES
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


def test_frames_weigh_by_their_quality(faces: Gallery) -> None:
    def similarity(*weights: float) -> float:
        found = faces.verify_face("anna", [direction(0), direction(80)], weights)
        assert found is not None and found.similarity is not None
        return found.similarity

    assert similarity(0.1, 0.9) < similarity(0.5, 0.5) < similarity(0.9, 0.1) < similarity(1, 0)
    assert similarity(1, 0) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [1.0, -0.1], [1.0, float("nan")]])
def test_weights_that_are_none_are_refused(faces: Gallery, weights: list[float]) -> None:
    with pytest.raises(InputError, match="weights"):
        faces.identify_face([direction(0), direction(1)], weights)


def test_several_frames_of_a_visit_are_averaged(faces: Gallery) -> None:
    def score(*angles: float) -> float:
        found = faces.verify_face("anna", [direction(angle) for angle in angles])
        assert found is not None
        return found.score

    assert score(80) < score(0, 80) < score(0)


def test_verifying_looks_at_the_claimed_person_only(faces: Gallery) -> None:
    claimed = faces.verify_face("bert", [direction(0)])
    assert claimed is not None
    assert claimed.person_id == "bert"
    assert claimed.similarity == pytest.approx(0.0, abs=1e-6)
    assert faces.verify_face("nobody", [direction(0)]) is None


def test_revoked_references_and_foreign_formats_take_no_part(sface: FaceEngine) -> None:
    gallery = Gallery(face_engine=sface)
    gallery.replace(
        [
            face_reference("r1", "anna", direction(0), revoked_at=NOW),
            face_reference("r2", "bert", Template(TemplateFormat("other", 1), b"?")),
            face_reference("r3", "carl", direction(50)),
        ]
    )
    assert gallery.people() == {"carl"}
    assert len(gallery) == 1
    assert gallery.ignored == 2
    assert [item.person_id for item in gallery.identify_face([direction(0)])] == ["carl"]
    assert gallery.verify_face("anna", [direction(0)]) is None


def test_an_empty_gallery_answers_with_nobody(sface: FaceEngine) -> None:
    gallery = Gallery(face_engine=sface, finger_engine=LetterFingers())  # type: ignore[arg-type]
    assert gallery.identify_face([direction(0)]) == ()
    assert gallery.identify_finger(word("abc")) == ()
    assert gallery.verify_finger("anna", word("abc")) is None
    assert len(gallery) == 0


def test_a_damaged_reference_leaves_the_old_gallery_standing(faces: Gallery) -> None:
    with pytest.raises(TemplateError):
        faces.replace([face_reference("r9", "carl", Template(direction(0).format, b"short"))])
    assert faces.people() == {"anna", "bert"}


def test_a_probe_of_another_format_or_none_is_refused(faces: Gallery) -> None:
    with pytest.raises(TemplateError):
        faces.identify_face([word("abc")])
    with pytest.raises(InputError):
        faces.identify_face([])
    with pytest.raises(ConfigurationError):
        faces.identify_finger(word("abc"))


def test_an_unknown_fusion_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="median"):
        Gallery(fusion="median")  # type: ignore[arg-type]


def test_fingers_are_prepared_once_and_ranked() -> None:
    engine = LetterFingers()
    gallery = Gallery(finger_engine=engine)  # type: ignore[arg-type]
    gallery.replace(
        [
            finger_reference("f1", "anna", word("abcd")),
            finger_reference("f2", "anna", word("wxyz"), position=FingerPosition.LEFT_INDEX),
            finger_reference("f3", "bert", word("abxy")),
        ]
    )
    assert engine.prepared == [b"abcd", b"wxyz", b"abxy"]
    found = gallery.identify_finger(word("abcd"))
    assert [(item.person_id, item.reference_id) for item in found] == [("anna", "f1"), ("bert", "f3")]
    assert found[0].score == 1.0
    assert len(engine.prepared) == 4
    assert gallery.positions("anna") == (FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX)
    assert gallery.people(Modality.FINGER) == {"anna", "bert"}
    assert gallery.people(Modality.FACE) == frozenset()


def test_a_named_finger_is_compared_with_that_finger_only() -> None:
    gallery = Gallery(finger_engine=LetterFingers())  # type: ignore[arg-type]
    gallery.replace(
        [
            finger_reference("f1", "anna", word("abcd")),
            finger_reference("f2", "anna", word("wxyz"), position=FingerPosition.LEFT_INDEX),
        ]
    )
    named = gallery.verify_finger("anna", word("abcd"), position=FingerPosition.LEFT_INDEX)
    assert named is not None
    assert (named.reference_id, named.score) == ("f2", 0.0)
    assert gallery.verify_finger("anna", word("abcd"), position=FingerPosition.LEFT_THUMB) is None


def test_the_best_of_several_impressions_speaks() -> None:
    gallery = Gallery(finger_engine=LetterFingers())  # type: ignore[arg-type]
    gallery.replace([finger_reference("f1", "anna", word("abcd"))])
    found = gallery.verify_finger("anna", [word("xyz"), word("abcd")])
    assert found is not None
    assert found.score == 1.0


def test_several_fingers_of_a_person_speak_together() -> None:
    gallery = Gallery(finger_engine=LetterFingers())  # type: ignore[arg-type]
    gallery.replace(
        [
            finger_reference("f1", "anna", word("abcd")),
            finger_reference("f2", "anna", word("wxyz"), position=FingerPosition.LEFT_INDEX),
        ]
    )
    right, left, thumb = FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX, FingerPosition.LEFT_THUMB
    both = gallery.verify_fingers("anna", {right: word("abcd"), left: [word("wx"), word("q")]})
    assert both is not None
    assert (both.reference_id, both.score) == ("f1", pytest.approx(0.75))
    one = gallery.verify_fingers("anna", {left: word("wxyz"), thumb: word("abcd")})
    assert one is not None
    assert (one.reference_id, one.score) == ("f2", 1.0)
    assert gallery.verify_fingers("anna", {thumb: word("abcd")}) is None
    assert gallery.verify_fingers("bert", {right: word("abcd")}) is None


def test_many_fingers_are_searched_and_few_are_all_compared() -> None:
    engine, rng = MinutiaeEngine(), np.random.default_rng(4)
    fingers = [synthetic_finger(seed) for seed in range(SEARCHED_FROM)]
    touches = [engine.template(impression_of(finger, rng)) for finger in fingers]
    positions = [FingerPosition(1 + seed % 2) for seed in range(SEARCHED_FROM)]
    gallery = Gallery(finger_engine=engine)
    gallery.replace(
        finger_reference(f"f{seed}", f"person {seed}", touch, position=position)
        for seed, (touch, position) in enumerate(zip(touches, positions, strict=True))
    )
    probe = [engine.template(impression_of(fingers[30], rng)) for _ in range(2)]
    found = gallery.identify_finger(probe)
    assert (found[0].person_id, found[0].reference_id) == ("person 30", "f30")
    assert len(found) < SEARCHED_FROM  # each of both touches brings its own hundred
    assert found[0].score == pytest.approx(max(engine.compare(one, touches[30]) for one in probe))
    same_hand = gallery.identify_finger(probe, position=positions[30])
    assert len(same_hand) == SEARCHED_FROM / 2
    assert same_hand[0] == found[0]
    claimed = gallery.verify_finger("person 30", probe)
    assert claimed == found[0]
