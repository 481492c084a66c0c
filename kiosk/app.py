"""The kiosk put together, to be read from top to bottom. Owns the order of the parts; refuses rules of its own.

configuration -> keys -> screen and panel -> pairing -> store -> devices -> engines -> gallery -> station -> reporter
-> run until told to stop, or until a vital thread dies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import structlog

from enrollment.vault import Vault
from hardware.drivers import make_camera, make_sensor
from hardware.ports import Camera, CardReader, FingerSensor, ReceiptPrinter
from kiosk.center_client import CenterClient
from kiosk.checkin import CheckIn, CheckInResult
from kiosk.clock import Clock
from kiosk.config import KioskConfig
from kiosk.devices import CameraReader, SensorWorker
from kiosk.face_step import SAME_HEAD_FMR, FaceStep
from kiosk.finger_step import FingerStep
from kiosk.journal import Ballast, Journal
from kiosk.keys import KioskKeys, Pairing, hold_state_dir, load_pairing, make_state_dir
from kiosk.pairing import PairingRefused, mark_revoked, open_site_key, pair
from kiosk.parcels import ParcelStore
from kiosk.presence import make_checks
from kiosk.recording import Recorder
from kiosk.reporter import Reporter
from kiosk.roster import RosterStore
from kiosk.screen import Screen
from kiosk.side_devices import SideDevices
from kiosk.staff.desk import Desk
from kiosk.staff.parts import DeskParts, exposure_control
from kiosk.staff.pins import BackOff
from kiosk.station import Station
from kiosk.supervisor import KeptThread, Supervisor, VitalThread, catch_signals, waiting_alive
from kiosk.thresholds import SiteThresholds
from kiosk.timekeeping import ClockWatch, TimeKeeper
from matcher.empty_room import EmptyRoom
from matcher.engines import load_engine
from matcher.gallery import Gallery
from matcher.scales import similarity_threshold
from models.errors import ConfigurationError, InputError, WireError
from models.store.engine import open_store
from web.panel.app import SERVER_OPTIONS, create_panel
from web.panel.facade import PanelHint
from web.shared.serving import end_server, open_server

log = structlog.get_logger("kiosk.app")

_REFUSED_AGAIN_S = 30.0
_WITNESS_WAIT_S = 30.0
LoadEngine = Callable[..., Any]


class Kiosk:
    """One kiosk in this process. ``run`` blocks until ``stop``; ``screen`` is the panel's facade.

    ``camera``, ``sensor``, ``card_reader`` and ``printer`` replace the configured devices (the
    demonstration and the tests hand simulated ones in);
    ``on_result`` is told of every result, in the matcher thread.
    """

    def __init__(
        self,
        config: KioskConfig,
        *,
        camera: Camera | None = None,
        sensor: FingerSensor | None = None,
        card_reader: CardReader | None = None,
        printer: ReceiptPrinter | None = None,
        clock: Clock | None = None,
        load: LoadEngine = load_engine,
        on_result: Callable[[CheckInResult], None] = lambda result: None,
    ) -> None:
        self.config = config
        self.clock = clock or Clock.of_this_machine()
        self.screen = Screen()
        self.panel_url = ""
        self.station: Station | None = None
        self.reporter: Reporter | None = None
        self.journal: Journal | None = None
        self.roster: RosterStore | None = None
        self.parcels: ParcelStore | None = None
        self.sensor: SensorWorker | None = None
        self.camera: CameraReader | None = None
        self.ready = threading.Event()  # set once the station waits for people
        self._given = (camera, sensor)
        self._sides = SideDevices(card_reader, printer)
        self._side_given = (card_reader, printer)
        self._load = load
        self._on_result = on_result
        self._stopping = threading.Event()
        self._supervisor: Supervisor | None = None
        self._vital: list[VitalThread] = []
        self._revoked = False

    def run(self) -> int:
        """Everything, until the end; the exit code of the process. Raises MusterError if it cannot even begin."""
        catch_signals(self.stop)
        reader, printer = self._side_given
        self._sides = SideDevices.made(self.config, reader=reader, printer=printer)
        self._given = self._made()  # a mistyped driver is told now, not after the pairing
        make_state_dir(self.config.state_dir)
        with hold_state_dir(self.config.state_dir), self._panel():
            keys = KioskKeys.load_or_create(self.config.state_dir)
            pairing = self._paired(keys)
            code = 0 if pairing is None else self._work(keys, pairing)
            if self._revoked:
                self._show_revoked()
            return code

    def stop(self) -> None:
        """End ``run`` from any thread."""
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.stop()

    @contextmanager
    def _panel(self) -> Iterator[None]:
        """The kiosk's own screen, served to this machine only."""
        panel = self.config.panel
        if not panel.enabled:
            yield
            return
        app = create_panel(
            self.screen,
            language=panel.language,
            timezone=panel.timezone,
            slides=Path(panel.slides).expanduser() if panel.slides else None,
            voice=self.config.voice.settings(),
        )
        try:
            server = open_server(app, host=panel.host, port=panel.port, **SERVER_OPTIONS)
        except OSError as error:  # most often: another kiosk, or a demonstration, runs on this machine
            where, why = f"{panel.host}:{panel.port}", error.strerror or "it cannot be used"
            raise ConfigurationError(f"The screen cannot be served at {where} (panel.port): {why}.") from error
        self.panel_url = f"http://{panel.host}:{server.effective_port}/"
        thread = KeptThread("panel", server.run)
        thread.start()
        self._vital.append(thread)
        log.info("panel_ready", url=self.panel_url)
        try:
            yield
        finally:
            end_server(server, thread, finish_s=0.0)  # the streams of the page would never end by themselves

    def _paired(self, keys: KioskKeys) -> Pairing | None:
        """The pairing of before, or a new one; None if the kiosk stops first or was revoked."""
        pairing = load_pairing(self.config.state_dir)
        if pairing is not None and pairing.status == "revoked":
            self._show_revoked()
            return None
        if pairing is None or pairing.status != "approved":
            with waiting_alive():
                pairing = self._pair(keys, pairing)
        return pairing

    def _pair(self, keys: KioskKeys, pairing: Pairing | None) -> Pairing | None:
        while not self._stopping.is_set() and (pairing is None or pairing.status != "approved"):
            try:
                pairing = pair(
                    self.config,
                    keys,
                    clock=self.clock,
                    show=lambda code, hint: self.screen.show_pairing(code, hint=hint),
                    stopping=self._stopping,
                )
            except PairingRefused as error:
                log.error("pairing_refused", code=error.code, reason=str(error))
                self.screen.show_pairing(None, hint=PanelHint.PAIRING_REJECTED)
                self._stopping.wait(_REFUSED_AGAIN_S)
        return pairing

    def _show_revoked(self) -> None:
        """Say so until somebody ends the process; a service manager that restarts us meets the same page."""
        self.screen.show_pairing(None, hint=PanelHint.KIOSK_REVOKED)
        with waiting_alive():
            self._stopping.wait()

    def _work(self, keys: KioskKeys, pairing: Pairing) -> int:
        """Assemble, serve people, take apart."""
        config, screen = self.config, self.screen
        with ExitStack() as closing:
            store = open_store(config.store_url(pairing.kiosk_id), branch="kiosk")
            closing.callback(store.dispose)
            ballast = Ballast(config.state_dir / "ballast", config.storage.ballast_bytes)
            ballast.restore()
            journal = Journal(store, key=keys.signing, kiosk_id=pairing.kiosk_id, clock=self.clock, ballast=ballast)
            keeper = TimeKeeper(self.clock, last_record=journal.last_time())
            clock = keeper.clock
            site_key = open_site_key(pairing, keys)
            vault = Vault(site_key)
            roster = RosterStore(store, center=pairing.center, site_id=pairing.site_id, vault=vault)
            parcels = ParcelStore(store, vault=vault, site_id=pairing.site_id, clock=clock)
            _load_roster(roster)
            camera, sensor = self._devices(closing)
            face_engine = self._load(config.face.engine) if camera is not None else None
            finger_engine = self._load(config.finger.engine) if sensor is not None else None
            gallery = Gallery(face_engine=face_engine, finger_engine=finger_engine)
            thresholds = SiteThresholds(face_engine, finger_engine)
            face = face_step(config, face_engine, gallery, camera, thresholds) if camera is not None else None
            finger = finger_step(config, finger_engine, gallery, sensor, thresholds) if sensor is not None else None
            checkin = CheckIn(face, finger, roster, journal, screen, clock, thresholds)
            reporter = Reporter(
                journal,
                CenterClient(config.center, clock, keys.signing, pairing.kiosk_id),
                roster=roster,
                config=config.center,
                clock=clock,
                screen=screen,
                on_revoked=self._on_revoked,
                ballast=ballast,
                parcels=parcels,
            )
            station = Station(
                checkin,
                config=config,
                roster=roster,
                gallery=gallery,
                engine=face_engine,
                camera=camera,
                screen=screen,
                clock=clock,
                on_event=lambda result: self._told(reporter, result),
                on_stored=reporter.wake,
                on_errand=self._sides.told,
                desk=Desk(
                    DeskParts(
                        back_off=BackOff(store, clock.seconds),
                        vault=vault,
                        parcels=parcels,
                        journal=journal,
                        sensor=sensor,
                        exposure=exposure_control(self._given[0]),
                        face_engine=face_engine,
                        finger_engine=finger_engine,
                        can_print=lambda: self._sides.receipts is not None,
                        print_slip=self._sides.print_slip,
                        language=config.panel.language,
                    )
                ),
                parcels=parcels,
            )
            self.journal, self.roster, self.station, self.reporter = journal, roster, station, reporter
            self.parcels = parcels
            self._sides.start(closing, screen, config, site_key=site_key.key, signing=keys.signing)
            watch = ClockWatch(
                keeper,
                Recorder(journal, clock),
                policy_version=lambda: roster.current.policy.version,
                note=screen.note_device,
            )
            watch.start()
            closing.callback(watch.stop)
            devices = [thread for thread in (self.camera, self.sensor, *self._sides.threads) if thread is not None]
            self._supervisor = Supervisor([station, reporter, *devices, *self._vital])
            if self._stopping.is_set():
                return 0
            reporter.start()
            closing.callback(reporter.stop)
            station.start()
            closing.callback(station.stop)
            self.ready.set()
            log.info("kiosk_ready", kiosk_id=pairing.kiosk_id, events=journal.counts().pending)
            return self._supervisor.watch()

    def _made(self) -> tuple[Camera | None, FingerSensor | None]:
        """The devices, not open yet. Raises ConfigurationError for a driver or an option that there is not."""
        config, (camera, sensor) = self.config, self._given
        if camera is None and config.camera.driver != "disabled":
            camera = make_camera(config.camera.driver, **config.camera.options)
        if sensor is None and config.sensor.driver != "disabled":
            sensor = make_sensor(config.sensor.driver, **config.sensor.options)
        return camera, sensor

    def _devices(self, closing: ExitStack) -> tuple[CameraReader | None, SensorWorker | None]:
        """Start a thread for each device that the site did not switch off."""
        camera, sensor = self._given
        if camera is not None:
            self.camera = CameraReader(camera, note=self.screen.note_device)
            self.camera.start()
            closing.callback(self.camera.stop)
            self.screen.attach_preview(self.camera.peek)
        if sensor is not None:
            self.sensor = SensorWorker(sensor, note=self.screen.note_device)
            self.sensor.start()
            closing.callback(self.sensor.stop)
        started = [thread for thread in (self.camera, self.sensor) if thread is not None]
        for thread in started:
            thread.settle(5.0)
        if any(thread.info().simulated for thread in started):
            self.screen.note_simulated()
        return self.camera, self.sensor

    def _told(self, reporter: Reporter, result: CheckInResult) -> None:
        reporter.wake()
        self._sides.told(result)
        self._on_result(result)

    def _on_revoked(self) -> None:
        """Called by the reporter: no more visits, no more references, no more site key."""
        self._revoked = True
        mark_revoked(self.config.state_dir)
        if self._supervisor is not None:
            self._supervisor.stop()


def face_step(
    config: KioskConfig, engine: Any, gallery: Gallery, camera: CameraReader, thresholds: SiteThresholds
) -> FaceStep:
    """The face's part of the line, with this configuration's times.

    Raises ConfigurationError for an engine of which nobody knows when two templates are of one head: with it every
    visit would end there.
    """
    similarity_threshold(engine.format, SAME_HEAD_FMR)
    room = EmptyRoom()
    return FaceStep(
        engine=engine,
        gallery=gallery,
        frames=camera,
        face=config.face,
        timing=config.visit,
        make_check=make_checks(config, room),
        simulated=lambda: camera.info().simulated,
        thresholds=thresholds,
        room=room,
    )


def finger_step(
    config: KioskConfig, engine: Any, gallery: Gallery, sensor: SensorWorker, thresholds: SiteThresholds
) -> FingerStep:
    """The finger's part of the line, with this configuration's times."""
    return FingerStep(
        engine=engine,
        gallery=gallery,
        sensor=sensor,
        info=sensor.info,
        finger=config.finger,
        how=config.sensor,
        timing=config.visit,
        thresholds=thresholds,
    )


def _load_roster(roster: RosterStore) -> None:
    """The gallery of before; one that was damaged on the disk is fetched again."""
    try:
        roster.load()
    except (WireError, InputError, ConfigurationError) as error:
        log.error("gallery_untrusted", code=error.code, reason=str(error))
        roster.purge()
