"""The kiosk's configuration: one TOML file, defaults for everything but the center's address.

Owns the keys, their types, their limits and the sentences about what is wrong with a file. Refuses to open devices or
to look at the network: ``muster kiosk check`` does that.
"""

from __future__ import annotations

import difflib
import math
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from models.errors import ConfigurationError
from web.panel.guard import LOOPBACK_NAMES
from web.panel.voice.catalogue import VOICES
from web.panel.voice.settings import VoiceSettings, parse_quiet_hours


def _limited(default: Any, *, minimum: float | None = None, maximum: float | None = None) -> Any:
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum})


def _one_of(default: str, *choices: str) -> Any:
    return field(default=default, metadata={"choices": choices})


@dataclass(frozen=True, slots=True)
class StationConfig:
    """Who this kiosk is and where it keeps its state."""

    name: str = "kiosk"
    state_dir: str = "/var/lib/muster/kiosk"
    log_level: str = _one_of("info", "debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class CenterConfig:
    """Where events go. ``ca_file`` is the certificate authority of the center; empty means the system's.

    ``plain_http`` allows an http:// address of another machine, e.g. behind a tunnel: errors are not signed, so
    somebody on the way could tell this kiosk that it was revoked.
    """

    url: str = "http://127.0.0.1:8420"
    ca_file: str = ""
    plain_http: bool = False
    timeout_s: float = _limited(10.0, minimum=0.1, maximum=120)
    batch_events: int = _limited(50, minimum=1, maximum=200)
    gallery_poll_s: float = _limited(60.0, minimum=0.05, maximum=86_400)
    retry_first_s: float = _limited(1.0, minimum=0.01, maximum=60)
    retry_longest_s: float = _limited(300.0, minimum=0.05, maximum=3_600)
    pairing_poll_s: float = _limited(2.0, minimum=0.05, maximum=60)


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """A driver's name and what it wants to know (see the driver)."""

    driver: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CameraConfig(DeviceConfig):
    """Which camera. ``mirrored`` says that it hands out mirror pictures, as some webcams do."""

    driver: str = "opencv"
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class SensorConfig(DeviceConfig):
    """Which fingerprint sensor. ``compare`` says where a live finger is compared."""

    driver: str = "zfm"
    compare: str = _one_of("sensor", "sensor", "image")


@dataclass(frozen=True, slots=True)
class FaceConfig:
    """How a face becomes a probe."""

    engine: str = "sface"
    frames_per_probe: int = _limited(3, minimum=1, maximum=20)
    near_width_share: float = _limited(0.12, minimum=0.02, maximum=0.9)


@dataclass(frozen=True, slots=True)
class FingerConfig:
    """How a finger's picture is compared, and from which scores on it is a match.

    ``threshold`` is the engine's score (left out: the engine's own); ``sensor_threshold`` is in the sensor's units.
    """

    engine: str = "minutiae"
    threshold: float | None = _limited(None, minimum=0.0, maximum=1.0)
    sensor_threshold: int = _limited(50, minimum=1, maximum=65_535)


@dataclass(frozen=True, slots=True)
class PresentationConfig:
    """The site's own network that judges whether a face is a living one; an empty ``network`` means there is none.

    A network that is known here needs its file's name only; of another one the rest has to be said, too.
    """

    network: str = ""
    network_sha256: str = ""
    crop: float | None = _limited(None, minimum=1.0, maximum=6.0)
    input_px: int | None = _limited(None, minimum=16, maximum=1024)
    live_index: int | None = _limited(None, minimum=0, maximum=1000)
    threshold: float | None = _limited(None, minimum=0.0001, maximum=0.9999)
    attack: float | None = _limited(None, minimum=0.0001, maximum=0.9999)


@dataclass(frozen=True, slots=True)
class VisitConfig:
    """How long the kiosk waits for what.

    ``result_s``: a result is shown at least this long, and longer for whoever stands there. ``away_after_s``: a person
    of whom nothing is seen and who touches nothing has gone. ``rest_s``: after this long without a touch a visit ends
    even for somebody who stands there, or whom no camera sees. ``uncover_s``: so long everybody has to take off hat,
    mask or glasses before the next try, after one in which the presentation check could not decide.
    """

    look_timeout_s: float = _limited(20.0, minimum=0.1, maximum=600)
    finger_timeout_s: float = _limited(20.0, minimum=0.1, maximum=600)
    challenge_timeout_s: float = _limited(20.0, minimum=0.1, maximum=600)
    uncover_s: float = _limited(2.5, minimum=0.0, maximum=60)
    absent_after_s: float = _limited(3.0, minimum=0.05, maximum=60)
    result_s: float = _limited(6.0, minimum=0.0, maximum=120)
    leave_timeout_s: float = _limited(15.0, minimum=0.0, maximum=600)
    away_after_s: float = _limited(4.0, minimum=0.05, maximum=60)
    rest_s: float = _limited(60.0, minimum=0.05, maximum=600)


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """What is put aside for the day the disk is full, and the free space below which ``check`` complains."""

    ballast_bytes: int = _limited(8_388_608, minimum=65_536, maximum=1_073_741_824)
    wanted_free_bytes: int = _limited(268_435_456, minimum=0, maximum=1 << 50)


@dataclass(frozen=True, slots=True)
class PanelConfig:
    """Where the kiosk's own screen is served. ``slides`` is a folder of pictures and texts for when nobody is there."""

    host: str = "127.0.0.1"
    port: int = _limited(8480, minimum=0, maximum=65_535)
    enabled: bool = True
    language: str = _one_of("zh_CN", "zh_CN", "en")
    timezone: str = "Asia/Shanghai"
    slides: str = ""


@dataclass(frozen=True, slots=True)
class VoiceConfig:
    """How the kiosk speaks. ``folder`` holds the site's own recordings; in ``quiet_hours``, spans of local time such as
    ``"12:00-14:00, 21:00-07:00"``, ``quiet_volume`` holds."""

    enabled: bool = True
    language: str = _one_of("mandarin", *VOICES)
    volume: float = _limited(0.8, minimum=0.0, maximum=1.0)
    quiet_hours: str = ""
    quiet_volume: float = _limited(0.4, minimum=0.0, maximum=1.0)
    folder: str = ""

    def settings(self) -> VoiceSettings:
        """The same for the screen. Raises ConfigurationError for spans that are none."""
        return VoiceSettings(
            enabled=self.enabled,
            language=self.language,
            volume=self.volume,
            quiet_hours=parse_quiet_hours(self.quiet_hours),
            quiet_volume=self.quiet_volume,
            folder=Path(self.folder).expanduser() if self.folder else None,
        )


@dataclass(frozen=True, slots=True)
class StaffConfig:
    """How staff sign in here. ``pin_alone`` lets those of ``[witnesses]`` in without a face or a finger, as long as the
    center names no staff: nobody can compare them with anything."""

    pin_alone: bool = False


@dataclass(frozen=True, slots=True)
class CardConfig(DeviceConfig):
    """Which reader of identity cards."""

    driver: str = "disabled"


@dataclass(frozen=True, slots=True)
class ReceiptConfig(DeviceConfig):
    """Which printer of receipts, and the office's own line on top of them (empty: a neutral one)."""

    driver: str = "disabled"
    title: str = ""


@dataclass(frozen=True, slots=True)
class KioskConfig:
    """Everything a kiosk is told. ``witnesses`` maps a staff id to the Argon2 hash of that person's PIN."""

    kiosk: StationConfig = field(default_factory=StationConfig)
    center: CenterConfig = field(default_factory=CenterConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    sensor: SensorConfig = field(default_factory=SensorConfig)
    face: FaceConfig = field(default_factory=FaceConfig)
    finger: FingerConfig = field(default_factory=FingerConfig)
    presentation: PresentationConfig = field(default_factory=PresentationConfig)
    visit: VisitConfig = field(default_factory=VisitConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    panel: PanelConfig = field(default_factory=PanelConfig)
    voice: VoiceConfig = field(default_factory=VoiceConfig)
    staff: StaffConfig = field(default_factory=StaffConfig)
    card: CardConfig = field(default_factory=CardConfig)
    receipt: ReceiptConfig = field(default_factory=ReceiptConfig)
    witnesses: Mapping[str, str] = field(default_factory=dict)

    @property
    def state_dir(self) -> Path:
        """The folder of keys, journal and ballast."""
        return Path(self.kiosk.state_dir).expanduser()

    def store_url(self, kiosk_id: str) -> str:
        """The database of a paired kiosk; a kiosk that is paired anew begins a new chain in a new file."""
        return f"sqlite:///{self.state_dir / f'kiosk-{kiosk_id}.sqlite'}"


def load_config(path: Path) -> KioskConfig:
    """Read a TOML file. Raises ConfigurationError with one sentence naming the file and the key."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: is not TOML: {error}.") from error
    return parse_config(content, source=str(path))


def parse_config(content: Mapping[str, Any], *, source: str) -> KioskConfig:
    """Turn parsed TOML into a configuration. Raises ConfigurationError; ``source`` is named in its sentence."""
    config: KioskConfig = _table(KioskConfig, content, where="", source=source)
    address = urlsplit(config.center.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ConfigurationError(
            f"{source}: center.url must be an http:// or https:// address, not {config.center.url!r}."
        )
    if address.scheme == "http" and address.hostname not in LOOPBACK_NAMES and not config.center.plain_http:
        raise ConfigurationError(
            f"{source}: center.url must be an https:// address, unless the center is on this machine or plain_http is "
            "true because something else protects the line."
        )
    if config.panel.host not in LOOPBACK_NAMES:
        raise ConfigurationError(
            f"{source}: panel.host must be 127.0.0.1, ::1 or localhost: the screen with its preview is this machine's."
        )
    try:
        config.voice.settings()
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: voice.quiet_hours: {error}") from error
    if config.center.retry_longest_s < config.center.retry_first_s:
        raise ConfigurationError(f"{source}: center.retry_longest_s must not be less than center.retry_first_s.")
    return config


def _table(shape: type[Any], content: Mapping[str, Any], *, where: str, source: str) -> Any:
    """One table of the file as the dataclass ``shape``."""
    known = {item.name: item for item in fields(shape)}
    for name in content:
        if name not in known:
            raise ConfigurationError(_unknown(f"{where}{name}", name, list(known), source))
    hints = get_type_hints(shape)
    values = {
        name: _value(hints[name], value, known[name].metadata, where=f"{where}{name}", source=source)
        for name, value in content.items()
    }
    return shape(**values)


def _unknown(key: str, name: str, known: list[str], source: str) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(known))}."
    return f"{source}: there is no key {key!r}; {advice}"


def _value(hint: Any, value: Any, limits: Mapping[str, Any], *, where: str, source: str) -> Any:
    """One value, checked for type and limits."""
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigurationError(f"{source}: {where} must be a table, [{where}].")
        return _table(hint if isinstance(hint, type) else type(hint), value, where=f"{where}.", source=source)
    value = _typed(hint, value, where=where, source=source)
    if limits.get("choices") and value not in limits["choices"]:
        near = difflib.get_close_matches(value, limits["choices"], n=1)
        advice = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"{source}: {where} must be one of {', '.join(limits['choices'])}{advice}")
    minimum, maximum = limits.get("minimum"), limits.get("maximum")
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        raise ConfigurationError(f"{source}: {where} must be between {minimum:g} and {maximum:g}, not {value!r}.")
    return value


_NAMES = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}


def _typed(hint: Any, value: Any, *, where: str, source: str) -> Any:
    """``value`` if it is what ``hint`` says; whole numbers pass for floats, true and false never for numbers."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(item for item in get_args(hint) if item is not type(None))
    if get_origin(hint) is Mapping:
        texts_only = get_args(hint)[1] is str
        if isinstance(value, dict) and not (texts_only and any(not isinstance(item, str) for item in value.values())):
            return value
        raise ConfigurationError(f"{source}: {where} must be a table{' of texts' if texts_only else ''}.")
    fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        fits, value = math.isfinite(value), float(value)
    if not fits:
        raise ConfigurationError(f"{source}: {where} must be {_NAMES[hint]}, not {value!r}.")
    return value
