"""One session: what it takes, what it refuses and why, and when it is complete."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from enrollment.notice import MissingReason
from enrollment.samples import EnrollmentPlan
from models.biometrics import BiometricSample, FingerPosition, Modality, Reference
from models.errors import InputError, RetryReason, TemplateError

LEFT, RIGHT = FingerPosition.LEFT_INDEX, FingerPosition.RIGHT_INDEX


def references_of(booth, enrollment):
    return [booth.vault.open(item, enrollment.wrapped) for item in enrollment.references]


def test_three_faces_and_two_fingers_three_times_make_an_enrollment(booth, notice):
    assert booth.session.progress().missing == (Modality.FACE, Modality.FINGER)
    booth.take_faces()
    booth.take_fingers()
    progress = booth.session.progress()
    assert progress.complete and progress.impressions == {RIGHT: 3, LEFT: 3}
    enrollment = booth.session.complete(notice)
    opened = references_of(booth, enrollment)
    assert [item.modality for item in opened] == [Modality.FACE] * 3 + [Modality.FINGER] * 6
    assert {item.position for item in opened} == {None, LEFT, RIGHT}
    assert all(item.person_id == "p-1" and 0 < item.quality <= 1 for item in opened)
    assert enrollment.duplicates == () and enrollment.cleared_by is None


def test_quality_is_shown_as_it_goes(booth):
    verdict = booth.face()
    assert verdict.accepted and verdict.hint is None and 0 < verdict.quality.value <= 1
    assert "sharpness" in verdict.quality.components
    assert booth.finger().quality.components["minutiae"] == 40


def test_nobody_in_the_picture_and_two_people_get_their_hints(booth):
    empty = BiometricSample(Modality.FACE, np.zeros((240, 200, 3), np.uint8), booth.now, "camera")
    assert booth.session.add_face(empty).hint == RetryReason.NO_FACE
    assert booth.face(people=(1, 2)).hint == RetryReason.SEVERAL_FACES
    assert booth.session.progress().faces == 0


def test_a_bystander_far_behind_does_not_matter(booth):
    assert booth.face(people=(1, 2), height=239).accepted


def test_a_bad_picture_is_refused_with_the_first_thing_to_do(booth):
    dark = BiometricSample(Modality.FACE, np.full((240, 200, 3), 8, np.uint8), booth.now, "camera")
    verdict = booth.session.add_face(dark)
    assert (verdict.accepted, verdict.hint) == (False, RetryReason.TOO_DARK) and verdict.quality is not None
    assert booth.finger(count=6).hint == RetryReason.FINGER_FEW_POINTS


def test_another_person_in_the_same_session_is_refused(booth):
    booth.take_faces(count=2)
    assert booth.face(person=2).hint == "faces_differ"
    assert booth.face(person=1, shot=2).accepted


def test_where_somebody_else_stood_first_the_faces_begin_anew(booth):
    booth.take_faces(count=1)
    assert booth.face(person=2).hint == "faces_differ"
    booth.session.forget_faces()
    assert booth.session.progress().faces == 0
    assert booth.face(person=2).accepted


def test_another_finger_under_the_same_name_is_refused(booth):
    assert booth.finger(1, 0).accepted
    assert booth.finger(2, 0).hint == RetryReason.FINGERS_DIFFER


def test_the_same_finger_under_another_name_is_refused(booth):
    for shot in range(3):
        assert booth.finger(1, shot).accepted
    assert booth.finger(1, 3, LEFT).hint == "finger_repeated"


def test_the_same_picture_again_is_not_another_sample(booth):
    booth.take_faces(count=1)
    assert booth.face(shot=0).hint == "sample_repeated"
    assert booth.finger().accepted and booth.finger().hint == "sample_repeated"


def test_enough_is_enough(booth):
    booth.take_faces(count=5)
    assert booth.face(shot=5).hint == "enough"
    booth.take_fingers()
    assert booth.finger(1, 3).hint == "enough"
    assert booth.finger(9, 0, FingerPosition.LEFT_THUMB).hint == "enough"


def test_a_finger_that_was_begun_and_given_up_is_not_enrolled(booth, notice):
    booth.take_faces()
    assert booth.finger(7, 0, FingerPosition.RIGHT_THUMB).accepted
    booth.take_fingers()
    positions = {item.position for item in booth.session.complete(notice).references}
    assert positions == {None, LEFT, RIGHT}


def test_the_sensors_own_template_is_kept_beside_the_images(booth, notice):
    booth.take_faces()
    for shot in range(3):
        booth.finger(1, shot, RIGHT, bytes([shot]) * 512)
        booth.finger(2, shot, LEFT)
    enrollment = booth.session.complete(notice)
    sensor = [item for item in enrollment.references if item.source == "sensor"]
    assert [(item.position, item.format.name) for item in sensor] == [(RIGHT, "zfm-characteristics")]
    assert booth.vault.open(sensor[0], enrollment.wrapped).template.payload == b"\x02" * 512
    assert sum(item.source == "image" for item in enrollment.references) == 9


def test_a_sensor_template_of_a_wrong_length_is_refused(booth):
    with pytest.raises(TemplateError):
        booth.finger(1, 0, RIGHT, b"short")


@pytest.mark.parametrize(
    ("faces", "fingers", "reason"),
    [
        (3, 0, None),
        (0, 2, None),
        (3, 0, MissingReason.FACE_DECLINED),
        (0, 2, MissingReason.FINGERS_DECLINED),
        (2, 2, MissingReason.FACE_UNUSABLE),
        (0, 0, MissingReason.FINGERS_UNUSABLE),
    ],
)
def test_an_incomplete_enrollment_is_refused(booth, notice, faces, fingers, reason):
    booth.take_faces(count=faces)
    if fingers:
        booth.take_fingers()
    with pytest.raises(InputError) as caught:
        booth.session.complete(notice, missing_reason=reason)
    assert caught.value.code == "enrollment_incomplete"


def test_a_person_without_usable_fingers_is_enrolled_by_face_with_the_reason(booth, notice):
    booth.take_faces()
    enrollment = booth.session.complete(notice, missing_reason=MissingReason.FINGERS_UNUSABLE)
    assert {item.modality for item in enrollment.references} == {Modality.FACE}
    assert enrollment.missing_reason is MissingReason.FINGERS_UNUSABLE


def test_a_person_who_declines_the_face_is_enrolled_by_finger(booth, notice):
    booth.take_fingers()
    enrollment = booth.session.complete(notice, missing_reason=MissingReason.FACE_DECLINED)
    assert {item.modality for item in enrollment.references} == {Modality.FINGER}


def test_a_sites_plan_may_ask_for_less(make_booth, notice):
    booth = make_booth(plan=EnrollmentPlan(least_faces=1, fingers=0))
    booth.take_faces(count=1)
    assert len(booth.session.complete(notice).references) == 1


@pytest.mark.parametrize("change", [{"version": ""}, {"staff_id": " "}, {"language": "x" * 65}])
def test_without_a_notice_nobody_is_enrolled(booth, notice, change):
    booth.take_faces()
    booth.take_fingers()
    with pytest.raises(InputError) as caught:
        booth.session.complete(replace(notice, **change))
    assert caught.value.code == "notice_missing"
    with pytest.raises(InputError):
        booth.session.complete(replace(notice, given_at=booth.now + timedelta(hours=1)))


def enrolled_elsewhere(booth, notice, person_id="p-9") -> list[Reference]:
    enrollment = booth.session.complete(notice)
    return [replace(item, person_id=person_id) for item in references_of(booth, enrollment)]


def test_somebody_who_is_enrolled_under_another_number_is_found_before_acceptance(booth, make_booth, notice):
    booth.take_faces()
    booth.take_fingers()
    again = make_booth(everyone=enrolled_elsewhere(booth, notice))
    for shot in range(3):
        again.face(1, shot + 10)
    again.take_fingers(first=20)
    found = again.session.duplicates()
    assert [(item.person_id, item.modality) for item in found] == [("p-9", Modality.FACE)]
    assert found[0].score >= found[0].threshold
    with pytest.raises(InputError) as caught:
        again.session.complete(notice)
    assert caught.value.code == "duplicate_found" and caught.value.details["duplicates"] == found
    cleared = again.session.complete(notice, cleared_by="staff-1")
    assert cleared.cleared_by == "staff-1" and cleared.duplicates == found


def test_a_finger_is_found_whatever_it_is_called(booth, make_booth, notice):
    booth.take_faces()
    booth.take_fingers()
    again = make_booth(everyone=enrolled_elsewhere(booth, notice))
    again.take_faces(person=5)
    for shot in range(3):
        again.finger(30, shot, RIGHT)
        again.finger(1, shot + 10, FingerPosition.LEFT_THUMB)
    assert [(item.person_id, item.modality) for item in again.session.duplicates()] == [("p-9", Modality.FINGER)]


def test_a_person_is_no_duplicate_of_the_own_earlier_enrollment(booth, make_booth, notice):
    booth.take_faces()
    booth.take_fingers()
    again = make_booth(everyone=enrolled_elsewhere(booth, notice, person_id="p-1"))
    again.take_faces()
    assert again.session.duplicates() == ()


def test_strangers_are_no_duplicates(booth, make_booth, notice):
    booth.take_faces()
    booth.take_fingers()
    other = make_booth(everyone=enrolled_elsewhere(booth, notice))
    other.take_faces(person=5)
    other.take_fingers(first=20)
    assert other.session.duplicates() == ()


def test_a_sample_of_the_other_modality_or_of_no_finger_is_refused(booth):
    face = BiometricSample(Modality.FACE, np.zeros((9, 9, 3), np.uint8), booth.now, "camera")
    with pytest.raises(InputError):
        booth.session.add_finger(face, RIGHT)
    with pytest.raises(InputError):
        booth.finger(1, 0, FingerPosition.UNKNOWN)


def test_a_session_holds_no_pictures(booth):
    """Everything reachable from a session, searched for arrays: only templates are left."""
    booth.take_faces(count=1)
    booth.finger()
    samples = [*booth.session._faces, *booth.session._fingers[RIGHT]]
    kept = [value for sample in samples for value in (sample.template.payload, sample.quality)]
    assert not any(isinstance(value, np.ndarray) for value in kept)
    assert not any(isinstance(value, np.ndarray) for value in vars(booth.session).values())
    assert "Template" not in repr(booth.session)
