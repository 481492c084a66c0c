"""A kiosk's reporter and a real center over HTTP: a parcel arrives whole, and what is due comes back."""

from __future__ import annotations

from pathlib import Path

from center_parts import RealCenter, quick_config
from event_parts import CLOCK
from sqlalchemy import select

from enrollment.vault import Vault
from kiosk.center_client import CenterClient
from kiosk.journal import Journal
from kiosk.pairing import open_site_key
from kiosk.parcels import ParcelCounts, ParcelStore
from kiosk.reporter import Reporter
from kiosk.roster import RosterStore
from kiosk.screen import Screen
from models.errands import USUAL_ERRANDS, Errand
from models.parcels import MOST_PAGE_BYTES, ParcelKind, pack_pages
from models.store.center import ParcelRow
from models.store.engine import open_store
from web.center.parcels import open_pages


def test_a_report_of_several_megabytes_arrives_and_what_is_due_comes_back(
    real_center: RealCenter, tmp_path: Path
) -> None:
    site = real_center.new_site()
    person_id = site.enroll("440101")
    config = quick_config(real_center.url, tmp_path / "kiosk")
    keys, pairing = site.pair_kiosk(config)
    store = open_store(config.store_url(pairing.kiosk_id), branch="kiosk")
    vault = Vault(open_site_key(pairing, keys))
    parcels = ParcelStore(store, vault=vault, site_id=site.site_id, clock=CLOCK)
    roster = RosterStore(store, center=pairing.center, site_id=site.site_id, vault=vault)
    journal = Journal(store, key=keys.signing, kiosk_id=pairing.kiosk_id, clock=CLOCK)
    reporter = Reporter(
        journal,
        CenterClient(config.center, CLOCK, keys.signing, pairing.kiosk_id),
        roster=roster,
        config=config.center,
        clock=CLOCK,
        screen=Screen(),
        on_revoked=lambda: None,
        parcels=parcels,
    )
    page = b"\xff\xd8\xff" + b"simulated" * 200_000 + b"\xff\xd9"
    assert len(page) < MOST_PAGE_BYTES
    sent = parcels.add(ParcelKind.WRITTEN_REPORT, person_id, pack_pages([page, page, page]))
    parcels.add(ParcelKind.WRITTEN_REPORT, "nobody", pack_pages([page]))
    reporter.once()
    assert parcels.counts() == ParcelCounts(0, 0)  # of somebody whom the center does not know nothing is kept
    assert not parcels.refused()
    with real_center.center.reading() as session:
        row = session.scalars(select(ParcelRow).where(ParcelRow.person_id == person_id)).one()
        assert (row.sha256, row.kiosk_id) == (sent.sha256, pairing.kiosk_id)
        assert open_pages(real_center.center, row) == (page, page, page)
    known = roster.current.people[person_id]
    assert known.due is not None and {item.errand for item in known.due} == {Errand.REPORT_IN_PERSON}
    assert (roster.current.errands, roster.current.questions) == (USUAL_ERRANDS, ())
    store.dispose()
