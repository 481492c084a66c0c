"""A real center on a real port, a site in it, people enrolled with real engines, and a kiosk paired with it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from enrollment.repository import bump_gallery
from enrollment.vault import SiteKey, Vault, WrappedKey
from kiosk.clock import Clock
from kiosk.config import KioskConfig, parse_config
from kiosk.keys import KioskKeys, Pairing, make_state_dir
from kiosk.pairing import pair
from matcher.engines import on_chip
from models.attendance import uuid7
from models.biometrics import FingerPosition, Modality, Reference, Template
from models.store.center import EventRow, KioskRow, PersonKeyRow, PersonRow, ReferenceRow, SiteRow
from models.supervision import SitePolicy
from web.center.app import center_of, create_center
from web.center.keys import site_key_path
from web.center.pairing import approve_pairing, revoke_kiosk
from web.center.settings import CenterSettings
from web.shared.serving import end_server, open_server

OPEN_ALL_DAY = (("00:00", "24:00"),)


def utc() -> datetime:
    return datetime.now(UTC)


def wait_until(condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """What ``condition`` answers once it is true; fails after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return answer


class RealCenter:
    """The center's app behind waitress; ``down`` closes the port, ``up`` opens it again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        settings = CenterSettings(
            database=f"sqlite:///{folder / 'center.db'}",
            pairing_limit="10000 per minute",
            api_limit="100000 per minute",
        )
        self.app = create_center(settings)
        self.center = center_of(self.app)
        self._port = 0
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        self._server = open_server(self.app, host="127.0.0.1", port=self._port, threads=4)
        self._port = self._server.effective_port
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def down(self) -> None:
        assert self._thread is not None
        end_server(self._server, self._thread, finish_s=5.0)

    def close(self) -> None:
        self.down()
        self.center.store.dispose()

    def new_site(self, **policy: Any) -> Site:
        site_id = uuid7(utc())
        chosen = SitePolicy(**({"windows": OPEN_ALL_DAY, "challenge_required": False, "face_alone": True} | policy))
        with self.center.writing() as session:
            row = SiteRow(site_id=site_id, name="site", policy_json="{}", policy_version=chosen.version)
            session.add(row)
        site = Site(self, site_id)
        site.set_policy(chosen)
        return site

    def events(self, kiosk_id: str) -> list[EventRow]:
        """What the ledger holds of one kiosk, in the order of the log."""
        with self.center.reading() as session:
            return list(
                session.scalars(select(EventRow).where(EventRow.kiosk_id == kiosk_id).order_by(EventRow.leaf_index))
            )


@dataclass
class Site:
    real: RealCenter
    site_id: str
    _keys: dict[str, WrappedKey] = field(default_factory=dict)

    def set_policy(self, policy: SitePolicy) -> None:
        with self.real.center.writing() as session:
            row = session.get_one(SiteRow, self.site_id)
            row.policy_json, row.policy_version = json.dumps(policy.to_json()), policy.version
            bump_gallery(session, self.site_id, utc())

    @property
    def site_key(self) -> SiteKey:
        return SiteKey.load_or_create(site_key_path(self.real.center.settings.keys_folder(), self.site_id))

    @property
    def vault(self) -> Vault:
        return Vault(self.site_key)

    def enroll(
        self,
        number: str,
        *,
        name: str = "王小明",
        faces: Sequence[Template] = (),
        fingers: Sequence[tuple[FingerPosition, Template]] = (),
        sensor_fingers: Sequence[tuple[FingerPosition, bytes]] = (),
        active: bool = True,
    ) -> str:
        """A person with these references; the person_id."""
        person_id = uuid7(utc())
        wrapped = self.vault.new_person_key(person_id)
        with self.real.center.writing() as session:
            session.add(
                PersonRow(
                    person_id=person_id,
                    number=number,
                    name=name,
                    site_id=self.site_id,
                    level="2",
                    category="02",
                    active=active,
                    created_at=utc(),
                )
            )
            session.flush()
            session.add(
                PersonKeyRow(
                    person_id=person_id, key_id=wrapped.key_id, nonce=wrapped.nonce, ciphertext=wrapped.ciphertext
                )
            )
            rows = [(Modality.FACE, None, template, "image") for template in faces]
            rows += [(Modality.FINGER, position, template, "image") for position, template in fingers]
            rows += [(Modality.FINGER, position, on_chip.wrap(raw), "sensor") for position, raw in sensor_fingers]
            for modality, position, template, source in rows:
                reference = Reference(uuid7(utc()), person_id, modality, position, template, 0.9, utc())
                sealed = self.vault.seal(reference, wrapped, source=source)
                session.add(
                    ReferenceRow(
                        reference_id=sealed.reference_id,
                        person_id=person_id,
                        modality=modality.value,
                        position=None if position is None else int(position),
                        format=str(sealed.format),
                        quality=sealed.quality,
                        enrolled_at=sealed.enrolled_at,
                        nonce=sealed.nonce,
                        ciphertext=sealed.ciphertext,
                        source=source,
                    )
                )
            bump_gallery(session, self.site_id, utc())
        return person_id

    def revoke_references(self, person_id: str) -> None:
        with self.real.center.writing() as session:
            session.execute(update(ReferenceRow).where(ReferenceRow.person_id == person_id).values(revoked_at=utc()))
            bump_gallery(session, self.site_id, utc())

    def pair_kiosk(self, config: KioskConfig) -> tuple[KioskKeys, Pairing]:
        """Pair as a person at the console would: read the digits off the kiosk, type them in."""
        make_state_dir(config.state_dir)
        keys = KioskKeys.load_or_create(config.state_dir)
        shown: list[str] = []

        def show(code: str | None, hint: str | None) -> None:
            if code and not shown:
                shown.append(code)
                with self.real.center.writing() as session:
                    approve_pairing(self.real.center, session, code, site_id=self.site_id, name="desk")

        pairing = pair(config, keys, clock=Clock.of_this_machine(), show=show, stopping=threading.Event())
        assert pairing is not None
        return keys, pairing

    def revoke_kiosk(self, kiosk_id: str) -> None:
        with self.real.center.writing() as session:
            revoke_kiosk(self.real.center, session, kiosk_id)

    def kiosk_key(self, kiosk_id: str) -> str:
        with self.real.center.reading() as session:
            return session.get_one(KioskRow, kiosk_id).signing_key


def quick_config(url: str, state_dir: Path, **tables: dict[str, Any]) -> KioskConfig:
    """A kiosk that waits for nothing longer than it must."""
    content: dict[str, dict[str, Any]] = {
        "kiosk": {"state_dir": str(state_dir), "name": "desk"},
        "center": {
            "url": url,
            "gallery_poll_s": 0.1,
            "retry_first_s": 0.05,
            "retry_longest_s": 0.1,
            "pairing_poll_s": 0.05,
            "timeout_s": 10,
        },
        "panel": {"enabled": False},
        "storage": {"ballast_bytes": 65_536, "wanted_free_bytes": 0},
        "visit": {
            "look_timeout_s": 3.0,
            "finger_timeout_s": 2.0,
            "challenge_timeout_s": 8.0,
            "absent_after_s": 0.6,
            "result_s": 0.2,
            "leave_timeout_s": 0.2,
            "away_after_s": 1.0,
            "rest_s": 3.0,
        },
    }
    for name, table in tables.items():
        content[name] = content.get(name, {}) | table
    return parse_config(content, source="test")
