"""``muster kiosk check``: is everything here that a kiosk needs, and if not, what is to be done?

Owns the tests and their plain words. Refuses to repair and to leave traces: devices are closed again, nothing is
paired, no event is written.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from hardware.drivers import make_camera, make_sensor
from kiosk.center_client import CenterClient, CenterUnreachable
from kiosk.clock import Clock
from kiosk.config import KioskConfig
from kiosk.journal import Journal
from kiosk.keys import KioskKeys, load_pairing, make_state_dir
from kiosk.pairing import open_site_key
from kiosk.presence import site_network
from matcher.engines import load_engine
from models.attendance import TimeQuality, parse_time
from models.errors import MusterError, StoreError, WeightsError
from models.store.engine import check_store, open_store

_CLOCK_MAY_DIFFER_S = 120.0  # the center refuses requests that are signed five minutes off

ADVICE = {
    "device_not_found": "Look whether it is plugged in, and whether the configuration names the right port.",
    "device_busy": "Another program holds it; end that one (perhaps another kiosk is running).",
    "device_silent": "Look at its cable and power, and at the speed (baud) in the configuration.",
    "device_protocol": "Something else answers at this port; look at the port and the speed in the configuration.",
    "device_unplugged": "Plug it in again.",
    "weights_invalid": "Run `muster weights fetch`.",
    "store_full": "Make room on this disk.",
    "store_locked": "Another program holds the database; a running kiosk is fine, anything else is not.",
    "store_damaged": "Keep the file and ask for help: it may hold events that the center does not have yet.",
    "journal_damaged": "Keep the file and ask for help: it may hold events that the center does not have yet.",
    "vault_closed": "Pair this kiosk again: `muster kiosk pair`.",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of the answer. ``fatal`` ones end in a non-zero exit code."""

    what: str
    ok: bool
    said: str
    advice: str = ""
    fatal: bool = True


def check_kiosk(config: KioskConfig, *, clock: Clock | None = None) -> list[Checked]:
    """Test everything, one after the other; what fails never keeps the rest from being tested."""
    clock = clock or Clock.of_this_machine()
    tests: list[tuple[str, Callable[[], Checked]]] = [
        ("state folder", lambda: _state(config)),
        ("disk", lambda: _disk(config)),
        ("camera", lambda: _camera(config)),
        ("sensor", lambda: _sensor(config)),
        ("face engine", lambda: _engine("face engine", config.face.engine)),
        ("finger engine", lambda: _engine("finger engine", config.finger.engine)),
        ("network", lambda: _network(config)),
        ("pairing", lambda: _pairing(config)),
        ("journal", lambda: _journal(config, clock)),
        ("center", lambda: _center(config, clock)),
        ("clock", lambda: _clock(clock)),
    ]
    return [_tested(what, test) for what, test in tests]


def _tested(what: str, test: Callable[[], Checked]) -> Checked:
    try:
        return test()
    except MusterError as error:
        return Checked(what, False, str(error), ADVICE.get(error.code, ""))


def _state(config: KioskConfig) -> Checked:
    make_state_dir(config.state_dir)
    KioskKeys.load_or_create(config.state_dir)
    readable = config.state_dir.stat().st_mode & 0o077
    if readable:
        return Checked("state folder", False, f"{config.state_dir} is open to others.", f"chmod 700 {config.state_dir}")
    return Checked("state folder", True, f"{config.state_dir} is there, with this kiosk's keys.")


def _disk(config: KioskConfig) -> Checked:
    try:
        free = shutil.disk_usage(config.state_dir).free
    except OSError as error:
        raise StoreError(f"{config.state_dir} cannot be looked at: {error.strerror}.") from error
    wanted = config.storage.wanted_free_bytes
    said = f"{free // 1_048_576} MiB are free, {wanted // 1_048_576} MiB are wanted."
    return Checked("disk", free >= wanted, said, "" if free >= wanted else ADVICE["store_full"])


def _camera(config: KioskConfig) -> Checked:
    if config.camera.driver == "disabled":
        return Checked("camera", True, "switched off in the configuration.")
    camera = make_camera(config.camera.driver, **config.camera.options)
    try:
        camera.open()
        frame = camera.read(timeout_s=5.0)
        height, width = frame.pixels.shape[:2]
        if int(frame.pixels.max()) - int(frame.pixels.min()) < 8:
            return Checked("camera", False, "its picture is one plain color.", "Take the cap off, switch on the light.")
        return Checked("camera", True, f"{camera.info().description}, pictures of {width}x{height} pixels.")
    finally:
        camera.close()


def _sensor(config: KioskConfig) -> Checked:
    if config.sensor.driver == "disabled":
        return Checked("sensor", True, "switched off in the configuration.")
    sensor = make_sensor(config.sensor.driver, **config.sensor.options)
    try:
        sensor.open()
        known = sensor.parameters()
        sensor.capture(timeout_s=0.0)
        return Checked("sensor", True, f"{sensor.info().description}, room for {known.capacity} templates.")
    finally:
        sensor.close()


def _engine(what: str, name: str) -> Checked:
    engine = load_engine(name)
    return Checked(what, True, f"{name} is ready, its templates are {engine.format}.")


def _network(config: KioskConfig) -> Checked:
    try:
        network = site_network(config.presentation)
    except WeightsError as error:
        return Checked(
            "network", False, str(error), "See [presentation] in the configuration; until then nobody passes by face."
        )
    if network is None:
        return Checked("network", True, "none is configured; the presentation check does without one.")
    return Checked("network", True, f"{network.manifest.name} is ready, and every visit must pass it.")


_PAIR = "Run the kiosk and type the digits on its screen into the center's console, or run `muster kiosk pair`."


def _pairing(config: KioskConfig) -> Checked:
    pairing = load_pairing(config.state_dir)
    if pairing is None or pairing.status == "pending":
        return Checked("pairing", False, "this kiosk is not paired with a center.", _PAIR)
    if pairing.status == "revoked":
        advice = "If that was a mistake, stop the kiosk and run `muster kiosk pair`: it makes new keys."
        return Checked("pairing", False, "the center revoked this kiosk.", advice)
    open_site_key(pairing, KioskKeys.load_or_create(config.state_dir))
    return Checked("pairing", True, f"paired as {pairing.kiosk_id}.")


def _journal(config: KioskConfig, clock: Clock) -> Checked:
    pairing = load_pairing(config.state_dir)
    if pairing is None or not pairing.kiosk_id:
        return Checked("journal", True, "there is none before the kiosk is paired.")
    keys = KioskKeys.load_or_create(config.state_dir)
    store = open_store(config.store_url(pairing.kiosk_id), branch="kiosk")
    try:
        check_store(store)
        journal = Journal(store, key=keys.signing, kiosk_id=pairing.kiosk_id, clock=clock)
        events, counts = journal.verify(), journal.counts()
    finally:
        store.dispose()
    said = f"{events} events, every signature and the chain hold; {counts.pending} wait for the center."
    if counts.quarantined:
        said += f" {counts.quarantined} were refused by the center."
        return Checked("journal", False, said, "See `muster kiosk status` and ask the center why.")
    return Checked("journal", True, said)


def _center(config: KioskConfig, clock: Clock) -> Checked:
    try:
        answer = CenterClient(config.center, clock).get("/api/v1/health")
    except CenterUnreachable as error:
        advice = "Look at the network and at center.url; check-ins work meanwhile and are delivered later."
        return Checked("center", False, str(error), advice)
    content = answer.content if isinstance(answer.content, dict) else {}
    if answer.status != 200 or content.get("status") != "ok":
        said = f"{config.center.url} answers, but not as a center ({answer.error_code})."
        return Checked("center", False, said, "Look at center.url, or ask the center's admin.")
    return _center_clock(config, clock, str(content.get("time", "")))


def _center_clock(config: KioskConfig, clock: Clock, text: str) -> Checked:
    try:
        apart_s = abs((clock.now() - parse_time(text)).total_seconds())
    except ValueError:
        return Checked("center", False, f"{config.center.url} does not say what time it is.", "Update the center.")
    if apart_s > _CLOCK_MAY_DIFFER_S:
        said = f"it answers, but its clock and this one are {apart_s:.0f} s apart."
        return Checked("center", False, said, "Set this machine's clock; the center refuses requests from other times.")
    return Checked("center", True, f"{config.center.url} answers, clocks agree.")


def _clock(clock: Clock) -> Checked:
    quality = clock.time_quality()
    if quality is TimeQuality.SYNCED:
        return Checked("clock", True, "follows a time server.")
    said = "runs by the battery clock." if quality is TimeQuality.RTC else "cannot be trusted after a power cut."
    return Checked("clock", False, said, "Turn on time synchronisation (timedatectl set-ntp true).", fatal=False)
