"""The demonstration's center: the real one, on a folder of its own, that can be switched off and on.

Owns its start, its stop, and the acts of the made-up admin who pairs the kiosk and changes the policy.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from models.attendance import utc_now
from models.bundle import verify_bundle
from models.export import export_bundle
from models.store.center import EventRow, PersonRow
from models.supervision import SitePolicy
from models.verdict import VerificationReport
from web.center.accounts import first_admin
from web.center.app import center_of, create_center
from web.center.heads import HeadSigner, sign_tree_head_now
from web.center.pairing import approve_pairing
from web.center.serving import server_options
from web.center.settings import CenterSettings
from web.center.sites import add_site, change_site
from web.shared.serving import end_server, open_server

SITE_ID, SITE_NAME = "demo", "示例司法所"
HOST, USUAL_PORT = "127.0.0.1", 8420


class DemoCenter:
    """A center at a fixed address; ``start`` and ``stop`` may be called again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        settings = CenterSettings(database=f"sqlite:///{folder / 'center.db'}", tree_head_interval_s=5)
        self.app = create_center(settings)
        self.center = center_of(self.app)
        self.password = first_admin(self.center) or ""
        self.port = free_port(USUAL_PORT)
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._signer = HeadSigner(self.center)
        self._signer.start()
        with self.writing() as session:
            add_site(self.center, session, SITE_ID, SITE_NAME)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}/"

    def start(self) -> None:
        """Listen."""
        self._server = open_server(self.app, host=HOST, port=self.port, **server_options(self.center.settings))
        self._thread = threading.Thread(target=self._server.run, name="center", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections until the next ``start``, as if the line were cut."""
        if self._server is None or self._thread is None:
            return
        end_server(self._server, self._thread, finish_s=5.0)
        self._server = None

    def close(self) -> None:
        """End for good."""
        self.stop()
        self._signer.stop()
        self.center.store.dispose()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction on the center's store."""
        with self.center.writing() as session:
            yield session

    def add_person(self, person_id: str, number: str, name: str) -> None:
        """Enter a person at the demonstration's site."""
        with self.writing() as session:
            session.add(
                PersonRow(
                    person_id=person_id,
                    number=number,
                    name=name,
                    site_id=SITE_ID,
                    level="2",
                    category="02",
                    active=True,
                    created_at=utc_now(),
                )
            )

    def approve(self, code: str) -> str:
        """Type the kiosk's twelve digits; the kiosk's id."""
        with self.writing() as session:
            return approve_pairing(self.center, session, code, site_id=SITE_ID, name="demo kiosk")

    def set_policy(self, policy: SitePolicy) -> None:
        """Give the site another policy; its kiosks fetch it."""
        with self.writing() as session:
            change_site(self.center, session, SITE_ID, name=SITE_NAME, policy=policy)

    def events(self) -> int:
        """How many events the center holds."""
        with self.center.reading() as session:
            return session.query(EventRow).count()

    def verify(self) -> VerificationReport:
        """Sign the log, export it, and check the export as a stranger with the center's public key would."""
        sign_tree_head_now(self.center)
        bundle = self._folder / "ledger.jsonl"
        with self.center.reading() as session:
            export_bundle(session, bundle)
        return verify_bundle(bundle, center_key=self.center.key.public_key())


def free_port(usual: int) -> int:
    """The usual port if nothing listens there, else any free one."""
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port")
