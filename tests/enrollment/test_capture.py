"""Live capture with the real engines: a simulated sensor at a serial port, a simulated camera, people who obey."""

from __future__ import annotations

import gc
from functools import partial

import cv2
import numpy as np
import pytest
from capture_parts import Person, RememberingFingers, StillClock, TakingTurns, WatchedCamera
from click.testing import CliRunner
from sqlalchemy import select

from enrollment.capture import CaptureLimits, CaptureNews, LiveCapture, Step
from enrollment.commands import enroll
from enrollment.live import WORDS, in_words
from enrollment.notice import MissingReason
from enrollment.samples import Refusal
from enrollment.session import EnrollmentSession
from enrollment.vault import SiteKey, Vault
from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.glass import HandGlass, see
from hardware.simulation.scene import Scene, Visitor
from hardware.simulation.zfm_emulator import ZfmEmulator
from matcher import weights
from matcher.engines import load_engine, on_chip
from matcher.gallery import Gallery
from matcher.pictures import read_rgb
from models.biometrics import FingerPosition, Modality
from models.errors import ConfigurationError, DeviceError, DeviceNotFound, DeviceUnplugged, InputError, RetryReason
from models.store.center import ReferenceRow
from models.store.engine import reading

RIGHT, LEFT, THUMB = FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX, FingerPosition.RIGHT_THUMB
ONE_TOUCH = [Step.LAY_FINGER, Step.TAKEN, Step.LIFT_FINGER]
QUICK = CaptureLimits(touch_timeout_s=0.0, lift_timeout_s=0.0, lift_poll_s=0.0, most_touches=5)


@pytest.fixture(scope="module")
def engines():
    return {"sface": load_engine("sface"), "minutiae": RememberingFingers(load_engine("minutiae"))}


@pytest.fixture(scope="module")
def prints():
    """Impressions of a right and of a left index finger."""
    return {
        position: [SimulatedFinger(seed).impression(number) for number in range(count)]
        for position, seed, count in ((RIGHT, 11, 4), (LEFT, 12, 3))
    }


@pytest.fixture(scope="module")
def visitors(engines):
    made = {}
    for name in ("1a", "2"):
        pixels = read_rgb(weights.path(f"portrait_visitor_{name}"))
        made[name] = Visitor.make(
            f"visitor_{name}", [(pixels, engines["sface"].detect(pixels)[0].landmarks)], finger_seed=1
        )
    return made


@pytest.fixture
def vault():
    return Vault(SiteKey.create())


@pytest.fixture
def session(engines, vault):
    face, finger = engines["sface"], engines["minutiae"]
    everyone = Gallery(face_engine=face, finger_engine=finger)
    return EnrollmentSession("p-1", face_engine=face, finger_engine=finger, everyone=everyone, vault=vault)


@pytest.fixture
def glass():
    return HandGlass()


@pytest.fixture
def emulator(glass, engines):
    with ZfmEmulator(glass, engines["minutiae"]) as running:
        yield running


@pytest.fixture
def sensor(emulator):
    with ZfmSensor(emulator.port) as opened:
        yield opened


def impressions(session, position=RIGHT):
    return session.progress().impressions.get(position, 0)


def own_templates(session, vault, notice):
    """The sensor's own templates of a finished enrollment, opened."""
    done = session.complete(notice, missing_reason=MissingReason.FACE_DECLINED)
    return [
        on_chip.unwrap(vault.open(sealed, done.wrapped).template)
        for sealed in done.references
        if sealed.source == "sensor"
    ]


def test_two_fingers_are_taken_three_times_each_with_the_sensors_own_template(
    session, vault, glass, sensor, prints, notice
):
    """The sensor's template comes back into the sensor and matches that finger there, and no other."""
    person = Person(glass, *prints[RIGHT][:3], *prints[LEFT][:3])
    capture = LiveCapture(session, person)
    capture.capture_finger(sensor, RIGHT)
    capture.capture_finger(sensor, LEFT)
    assert person.codes == ONE_TOUCH * 6
    assert [(news.position, news.taken) for news in person.news if news.code == Step.TAKEN] == [
        (position, count) for position in (RIGHT, LEFT) for count in (1, 2, 3)
    ]
    own = own_templates(session, vault, notice)
    assert len(own) == 2

    glass.lay(prints[RIGHT][3])
    assert sensor.capture(timeout_s=0.0)
    sensor.convert(1)
    matched = []
    for template in own:
        sensor.write_characteristics(2, template)
        matched.append(sensor.match() is not None)
    assert matched == [True, False]


def test_what_the_sensor_cannot_use_becomes_a_hint_and_another_try(session, glass, sensor, prints):
    noise = np.random.default_rng(1).integers(0, 256, (288, 256), dtype=np.uint8)
    person = Person(glass, noise, *prints[RIGHT][:3])
    LiveCapture(session, person).capture_finger(sensor, RIGHT)
    assert person.codes == [Step.LAY_FINGER, RetryReason.FINGER_MESSY, Step.LIFT_FINGER, *ONE_TOUCH * 3]


def test_another_finger_on_the_glass_is_noticed_by_the_sensor(session, glass, sensor, prints):
    person = Person(glass, prints[RIGHT][0], prints[LEFT][0], *prints[RIGHT][1:3])
    LiveCapture(session, person).capture_finger(sensor, RIGHT)
    assert person.hints == [RetryReason.FINGERS_DIFFER] and impressions(session) == 3


def test_an_impression_that_the_session_refuses_does_not_enter_the_sensors_template(
    engines, session, vault, glass, sensor, prints, notice
):
    """The same picture twice: the sensor would combine it with itself, the session counts it once."""
    first, second, third = prints[RIGHT][:3]
    person = Person(glass, first, first, second, third, *prints[LEFT][:3])
    capture = LiveCapture(session, person)
    capture.capture_finger(sensor, RIGHT)
    capture.capture_finger(sensor, LEFT)
    assert person.hints == [Refusal.SAMPLE_REPEATED]
    engine = engines["minutiae"]
    seen = [engine.to_characteristics(engine.extract(see(picture))) for picture in (first, second)]
    combined = engine.combine([engine.from_characteristics(each) for each in seen])
    assert own_templates(session, vault, notice)[0] == engine.to_characteristics(combined)


def test_a_sensors_template_that_was_cut_short_on_the_line_is_left_out(session, vault, glass, sensor, prints, notice):
    """Or another module's, of another length: the impressions are enough without it."""

    class CutShort:
        def __getattr__(self, name):
            return getattr(sensor, name)

        def read_characteristics(self, slot):
            return sensor.read_characteristics(slot)[:384]

        def write_characteristics(self, slot, characteristics):
            raise AssertionError("nothing was refused, so nothing is put back")

    capture = LiveCapture(session, Person(glass, *prints[RIGHT][:3], *prints[LEFT][:3]))
    capture.capture_finger(CutShort(), RIGHT)
    capture.capture_finger(CutShort(), LEFT)
    assert (impressions(session, RIGHT), impressions(session, LEFT)) == (3, 3)
    assert own_templates(session, vault, notice) == []


def test_an_empty_glass_ends_after_a_bounded_number_of_tries(session, glass, sensor):
    person = Person(glass)
    with pytest.raises(InputError, match="0 of 3 impressions of the right index finger") as caught:
        LiveCapture(session, person, limits=QUICK).capture_finger(sensor, RIGHT)
    assert caught.value.code == "capture_failed" and caught.value.details["hint"] == RetryReason.NO_FINGER
    assert person.codes == [Step.LAY_FINGER, RetryReason.NO_FINGER] * QUICK.most_touches


def test_a_finger_that_is_never_lifted_does_not_count_twice(session, glass, sensor, prints):
    glass.lay(prints[RIGHT][0])
    with pytest.raises(InputError, match="the last hint was: lift finger"):
        LiveCapture(session, [].append, limits=QUICK).capture_finger(sensor, RIGHT)
    assert impressions(session) == 1


def test_one_finger_too_many_is_asked_for_once(session, glass, sensor, prints):
    capture = LiveCapture(session, Person(glass, *prints[RIGHT][:3], *prints[LEFT][:3]))
    capture.capture_finger(sensor, RIGHT)
    capture.capture_finger(sensor, LEFT)
    person = Person(glass, prints[RIGHT][3])
    with pytest.raises(InputError, match="enough"):
        LiveCapture(session, person).capture_finger(sensor, THUMB)
    assert person.codes.count(Step.LAY_FINGER) == 1


def test_a_sensor_that_goes_away_is_the_callers_to_handle_and_loses_nothing(session, glass, emulator, sensor, prints):
    person = Person(glass, *prints[RIGHT][:3])

    def told(news):
        person(news)
        if news.code == Step.LAY_FINGER and news.taken == 1:
            emulator.unplug()

    with pytest.raises(DeviceError):
        LiveCapture(session, told).capture_finger(sensor, RIGHT)
    assert impressions(session) == 1


class Studio:
    """A scene, a camera and a still clock; ``told`` remembers and lets the visitor act."""

    def __init__(self, session, visitors):
        self.clock, self.codes, self.act = StillClock(), [], lambda news: None
        self.scene = Scene(seed=3, clock=self.clock)
        self.visitors = visitors
        self.camera = WatchedCamera(SimulatedCamera(self.scene, clock=self.clock, wait=self.clock.wait))
        self.camera.open()
        self.limits = CaptureLimits(faces_s=6.0)
        self.capture = LiveCapture(session, self.told, limits=self.limits, monotonic=self.clock, sleep=self.clock.wait)

    def told(self, news):
        self.codes.append(news.code)
        self.act(news)

    def hints(self):
        return [code for code in self.codes if code not in set(Step)]


@pytest.fixture
def studio(session, visitors):
    return Studio(session, visitors)


def test_five_faces_are_taken_of_a_person_who_looks_at_the_camera(studio, session):
    studio.scene.show(studio.visitors["1a"], "stand")
    assert studio.capture.capture_faces(studio.camera) == 5 == session.progress().faces
    assert studio.codes == [Step.LOOK, Step.TAKEN] * 5
    assert studio.clock.now_s - 100.0 >= 4 * studio.limits.between_faces_s


def test_a_hint_is_told_until_the_person_does_it(studio):
    studio.scene.show(studio.visitors["1a"], "too_dark")

    def brighter(news):
        if len(studio.hints()) == 2:
            studio.scene.show(studio.visitors["1a"], "stand")

    studio.act = brighter
    studio.capture.capture_faces(studio.camera)
    assert len(studio.hints()) == 2 and set(studio.hints()) <= {RetryReason.TOO_DARK, RetryReason.NO_FACE}


def test_another_person_who_steps_in_is_not_mixed_in_and_three_faces_are_enough(studio, session):
    studio.scene.show(studio.visitors["1a"], "stand")

    def swap(news):
        if news.code == Step.TAKEN and news.taken == 3:
            studio.scene.show(studio.visitors["2"], "stand")

    studio.act = swap
    assert studio.capture.capture_faces(studio.camera) == 3
    assert studio.hints() == [Refusal.FACES_DIFFER]


def test_an_empty_room_ends_after_a_bounded_time(studio):
    with pytest.raises(InputError, match=r"Only 0 of 3 face samples .* no face") as caught:
        studio.capture.capture_faces(studio.camera)
    assert caught.value.code == "capture_failed"
    assert studio.limits.faces_s <= studio.clock.now_s - 100.0 <= studio.limits.faces_s + 1.0


def test_a_camera_that_goes_away_is_the_callers_to_handle(studio, session):
    studio.scene.show(studio.visitors["1a"], "stand")
    studio.act = lambda news: studio.scene.fault("camera", "unplug") if news.code == Step.TAKEN else None
    with pytest.raises(DeviceUnplugged):
        studio.capture.capture_faces(studio.camera)
    assert session.progress().faces == 1


def test_no_picture_stays_in_memory(studio):
    studio.scene.show(studio.visitors["1a"], "stand")
    studio.capture.capture_faces(studio.camera)
    studio.camera.close()
    gc.collect()
    assert len(studio.camera.pictures) == 5
    assert [picture() for picture in studio.camera.pictures] == [None] * 5


class Rooms:
    """What the command line hands over."""

    def __init__(self, engines):
        self.load_engine = engines.__getitem__


@pytest.fixture
def run(store, tmp_path, engines, monkeypatch):
    """``muster enroll`` for the person 20261, with quick captures."""
    quick = CaptureLimits(between_faces_s=0.0, after_hint_s=0.0, touch_timeout_s=0.0, lift_poll_s=0.0)
    monkeypatch.setattr("enrollment.live.LiveCapture", partial(LiveCapture, limits=quick))
    keys = tmp_path / "keys" / "sites"
    keys.mkdir(parents=True)
    SiteKey.load_or_create(keys / "s-1.key")
    fixed = ["--site", "s-1", "--notice", "1", "--staff", "staff-1", "--database", f"sqlite:///{tmp_path}/center.db"]
    return lambda *arguments: CliRunner().invoke(enroll, ["20261", *fixed, *map(str, arguments)], obj=Rooms(engines))


@pytest.fixture
def recording(tmp_path, visitors):
    """A folder of four pictures of one visitor."""
    clock = StillClock()
    scene = Scene(seed=4, clock=clock)
    scene.show(visitors["1a"], "stand")
    (tmp_path / "faces").mkdir()
    for number in range(4):
        clock.wait(0.5)
        frame = scene.render(sequence=number)
        cv2.imwrite(str(tmp_path / "faces" / f"{number}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return tmp_path / "faces"


@pytest.fixture
def port(engines, prints):
    """A sensor on which both index fingers are laid in turn."""
    with ZfmEmulator(TakingTurns([*prints[RIGHT][:3], *prints[LEFT][:3]]), engines["minutiae"]) as running:
        yield running.port


def sources(store):
    with reading(store) as rows:
        return sorted((row.modality, row.source) for row in rows.scalars(select(ReferenceRow)))


FINGERS = [("finger", "image")] * 6 + [("finger", "sensor")] * 2


def test_the_command_enrolls_live_and_says_quality_and_hints_in_plain_words(run, store, recording, port, tmp_path):
    before = {path for path in tmp_path.rglob("*") if "center.db" not in path.name}
    result = run("--camera", f"recorded:{recording}", "--sensor", port)
    assert result.exit_code == 0, result.exception
    assert sources(store) == [("face", "image")] * 4 + FINGERS
    lines = result.output.splitlines()
    assert "Using SIMULATED ZFM-20/R30x fingerprint sensor" in result.output
    assert "Face: look at the camera." in lines and "Left index finger: lay it on the sensor." in lines
    assert "  the same picture again; it counts once" in lines
    assert sum("quality 0." in line or "quality 1." in line for line in lines) == 10
    assert {path for path in tmp_path.rglob("*") if "center.db" not in path.name} == before


def test_an_enrollment_that_stays_incomplete_stores_nothing(run, store, recording, port):
    faces = [argument for number in range(3) for argument in ("--face", recording / f"{number}.png")]
    assert run(*faces, "--sensor", f"zfm:{port}", "--finger-position", "right_index").exception.code == (
        "enrollment_incomplete"
    )
    assert sources(store) == []


def test_files_and_live_capture_may_be_mixed(run, store, recording, engines, prints, tmp_path):
    files = []
    for number, picture in enumerate(prints[RIGHT][:3]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
        files += ["--finger", f"right_index={tmp_path / f'{number}.png'}"]
    with ZfmEmulator(TakingTurns(prints[LEFT][:3]), engines["minutiae"]) as running:
        result = run(*files, "--camera", f"recorded:{recording}", "--sensor", running.port)
    assert result.exit_code == 0, result.exception
    assert sources(store) == [("face", "image")] * 4 + FINGERS[:-1]


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        (["--finger-position", "left_index"], InputError, "name its port with --sensor"),
        (["--sensor", "/dev/nowhere"], DeviceNotFound, "/dev/nowhere"),
        (["--sensor", "pyfingerprint:/dev/nowhere"], DeviceNotFound, "/dev/nowhere"),
        (["--sensor", "/dev/nowhere", "--sensor-baud", 1234], ConfigurationError, "1234 baud does not exist"),
        (["--camera", "63"], DeviceNotFound, "/dev/video63"),
        (["--camera", "recorded:/nowhere"], DeviceNotFound, "no recording"),
        (
            ["--sensor", "x", "--finger", "right_index=a.png", "--finger-position", "right_index"],
            InputError,
            "either from files or from the sensor",
        ),
        (
            ["--sensor", "x", "--finger", "right_thumb=a.png", "--finger", "left_thumb=b.png"],
            InputError,
            "An enrollment has 2 fingers",
        ),
        (["--camera", "63", "--notice", ""], InputError, "A notice needs"),
    ],
)
def test_what_is_wrong_is_said_before_anybody_is_asked_for_anything(run, arguments, kind, sentence):
    result = run(*arguments)
    assert isinstance(result.exception, kind) and sentence in str(result.exception)


def test_every_code_has_words():
    spoken = {*RetryReason, *Refusal, *Step} - {Step.LOOK, Step.TAKEN, RetryReason.LAY_CARD}  # nobody enrolls a card
    assert {code.value for code in spoken} == set(WORDS)
    news = CaptureNews(Step.TAKEN, Modality.FINGER, FingerPosition.RIGHT_THUMB, 1, 3)
    assert in_words(news) == "  right thumb 1 of 3"
