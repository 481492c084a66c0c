"""Words for the codes that the floors below emit. Owns code -> message; refuses sentences of any other kind.

Every word is neutral: a failed match is never called an absence, and nothing here accuses anybody.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext
from flask_babel import lazy_gettext as _

OUTCOMES = {
    "accepted": _("Checked in"),
    "not_identified": _("Not identified"),
    "not_verified": _("Not verified"),
    "attack_suspected": _("Presentation in doubt"),
    "outside_window": _("Outside the hours"),
    "already_present": _("Already checked in today"),
    "reference_revoked": _("Enrollment withdrawn"),
    "failure_to_acquire": _("No usable sample"),
    "referred_to_staff": _("Referred to staff"),
    "witnessed": _("Witnessed by staff"),
}

METHODS = {
    "face": _("Face"),
    "finger": _("Finger"),
    "face+finger": _("Face and finger"),
    "claim+face": _("Number and face"),
    "claim+finger": _("Number and finger"),
    "claim+face+finger": _("Number, face and finger"),
    "witness": _("Staff witness"),
    "none": _("None"),
}

EVENT_TYPES = {
    "report_in_person": _("Report in person"),
    "failed_attempt": _("Attempt without a result"),
    "witnessed_check_in": _("Witnessed check-in"),
    "amendment": _("Correction"),
    "device": _("Device event"),
    "presence": _("Came by"),
    "written_report": _("Written report handed in"),
    "education_in": _("Education: came"),
    "education_out": _("Education: went"),
    "service_in": _("Community service: came"),
    "service_out": _("Community service: went"),
    "leave_return": _("Back from leave"),
    "help_request": _("Asked to see somebody"),
    "answers": _("Answers to questions"),
    "staff": _("Staff at the kiosk"),
}

QUESTIONS = {
    "address_changed": _("Address changed"),
    "job_changed": _("Work changed"),
    "phone_changed": _("Telephone changed"),
    "health_changed": _("Health changed"),
}

SAID = {"yes": _("yes"), "no": _("no"), "unsure": _("not sure")}

DETAILS = QUESTIONS | {
    "visit": _("Belongs to the visit"),
    "parcel": _("Sealed parcel"),
    "pages": _("Number of pages"),
    "act": _("Act"),
    "staff_id": _("Staff member"),
    "by": _("Signed in with"),
    "faces": _("Faces"),
    "fingers": _("Fingers"),
    "references": _("References"),
    "similar": _("Similar records found"),
    "cleared": _("Looked at and cleared"),
    "missing": _("Left out because"),
    "notice": _("Notice"),
    "language": _("Language"),
    "simulated": _("Simulated"),
    "why": _("Why"),
}

STAFF_ACTS = {
    "sign_in": _("Signed in at the kiosk"),
    "sign_in_refused": _("Sign-in at the kiosk refused"),
    "sign_out": _("Signed out at the kiosk"),
    "witness_refused": _("Vouching refused"),
    "enroll": _("Enrolled a person at the kiosk"),
    "re_enroll": _("Enrolled a person anew at the kiosk"),
    "enroll_self": _("Enrolled their own self"),
    "enroll_stopped": _("Enrollment stopped"),
    "health": _("Looked at the device"),
    "notice_printed": _("Printed the notice"),
    "test_slip": _("Printed a test slip"),
    "light": _("Checked the light"),
    "exposure": _("Changed the exposure"),
}

MODALITIES = {"face": _("Face"), "finger": _("Finger")}

OPERATIONS = {"identify": _("identified among all"), "verify": _("compared with one person")}

VERDICTS = {
    "passed": _("passed"),
    "failed": _("failed"),
    "undecided": _("undecided"),
    "not_available": _("not available"),
}

TIME_QUALITIES = {
    "synced": _("clock in step with the network"),
    "rtc": _("from the kiosk's own clock"),
    "unknown": _("clock not certain"),
}

FINGERS = {
    1: _("Right thumb"),
    2: _("Right index finger"),
    3: _("Right middle finger"),
    4: _("Right ring finger"),
    5: _("Right little finger"),
    6: _("Left thumb"),
    7: _("Left index finger"),
    8: _("Left middle finger"),
    9: _("Left ring finger"),
    10: _("Left little finger"),
}

HINTS = {
    "no_face": _("No face was found. Show the whole face."),
    "several_faces": _("More than one face is in the picture. One person at a time."),
    "come_closer": _("Come a little closer."),
    "step_back": _("Step back a little."),
    "look_here": _("Look straight at the camera."),
    "too_dark": _("Too dark. Turn on a light or face the window."),
    "too_bright": _("Too bright. Turn away from the light."),
    "hold_still": _("Hold still; the picture is blurred."),
    "center_face": _("Move to the middle of the picture."),
    "no_finger": _("No finger was found. Lay it flat on the glass."),
    "finger_messy": _("The print is not clear. Wipe the finger and the glass."),
    "finger_few_points": _("Too little of the finger shows. Press a little more."),
    "finger_off_center": _("Lay the middle of the finger on the glass."),
    "fingers_differ": _("This is not the same finger as before."),
    "lift_finger": _("Lift the finger."),
    "lay_card": _("Lay the card flat and leave it there for a moment."),
}

ROLES = {"admin": _("Administrator"), "staff": _("Staff"), "auditor": _("Auditor")}

LEVELS = {"1": _("Loose"), "2": _("Normal"), "3": _("Strict")}

CATEGORIES = {
    "01": _("Public surveillance"),
    "02": _("Probation"),
    "03": _("Parole"),
    "04": _("Temporary execution outside prison"),
    "99": _("Other"),
}

WITNESS_REASONS = {
    "not_recognized": _("Not recognized by the device"),
    "device_failed": _("Device not working"),
    "cannot_present": _("Cannot give a face or a finger"),
    "wish": _("Asked for a person"),
    "no_match": _("Not matched by the device"),
    "worn_fingers": _("Fingers are worn"),
    "injured": _("Injured"),
    "cannot_perform_challenge": _("Cannot follow what the screen asks"),
    "no_reference": _("Nothing is enrolled"),
    "other": _("Another reason"),
}


PRESENTATION_WITNESSES = {
    "challenge": _("Did what the screen asked"),
    "solid_head": _("Moved as a head, not as a sheet"),
    "face_relief": _("Nose, cheeks and brows lie as on a head"),
    "passive_network": _("Looks like a living face"),
    "surround": _("Nothing flat around the face moves with it"),
    "room_behind": _("The room is seen around the head"),
    "screen_pattern": _("No pattern of a screen or a print"),
    "approach": _("Came up to the kiosk"),
    "head_turn": _("Turn of the head"),
    "frame_freshness": _("Fresh pictures of the camera"),
    "same_head": _("The head that moved is the head compared"),
    "none": _("None"),
}

NOTES = {
    "help_asked": _("Asked for help"),
    "revoked_during_visit": _("Enrollment was withdrawn during the visit"),
    "all_references_revoked": _("Enrollment is withdrawn"),
    "person_inactive": _("Does not report at kiosks at present"),
    "not_enrolled": _("Not enrolled yet"),
    "presentation_failed": _("The presentation check did not hold"),
    "presentation_undecided": _("The presentation check came to no answer"),
    "face_not_acquired": _("No usable picture of the face"),
    "face_not_available": _("The face could not be compared here"),
    "camera_failed": _("The camera did not work"),
    "finger_not_acquired": _("No usable impression of the finger"),
    "finger_not_available": _("The finger could not be compared here"),
    "sensor_failed": _("The finger reader did not work"),
    "second_factor_missing": _("A finger was wanted and could not be compared"),
    "modalities_conflict": _("Face and finger named different records"),
    "look_alike": _("Resembles another person here; a second factor was wanted"),
    "number_first": _("The number goes first for this person"),
    "broken_off": _("Broken off after an attempt"),
    "journal_damaged": _("The kiosk's journal is damaged"),
    "store_full": _("The kiosk's disk is full"),
    "store_failed": _("The kiosk could not store anything"),
    "store_locked": _("The kiosk's store was in use"),
    "store_damaged": _("The kiosk's store is damaged"),
}

SUFFICES = {
    "": _("As above"),
    "either": _("Face or finger; both in doubt"),
    "both": _("Always face and finger"),
    "claim_first": _("Number first, then as above"),
}

SECOND_FACTORS = {"never": _("Never"), "doubt": _("In doubt"), "always": _("Always")}


def word(table: Mapping[str, object], code: object) -> str:
    """The word of ``code`` in the request's language, or the code itself if the table does not know it."""
    return str(table[str(code)]) if str(code) in table else str(code)


def finger_name(position: int | None) -> str:
    """The name of a finger by its ISO/IEC 19794-2 code."""
    return str(FINGERS[position]) if position in FINGERS else gettext("Unknown finger")
