"""How this kiosk is: its devices, its records, its disk, its clock. Owns the page; refuses to mend anything.

``muster kiosk check`` tests the same from outside and in more depth; this page asks nothing of a device and stops
nothing.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from functools import cache
from typing import Any

from kiosk.staff.parts import DeskParts
from kiosk.staff.printing import print_test_slip
from kiosk.staff.records import Acts, StaffAct
from kiosk.staff.sign_in import SignedIn
from kiosk.staff.talk import Talk
from models.attendance import TimeQuality, format_time
from web.panel.facade import CenterLink

DEVICES = {"camera": "camera", "sensor": "sensor", "card_reader": "card", "printer": "printer"}  # row: device's name
ROWS_ON_A_PAGE = 4
_MIB = 1_048_576


def show_health(parts: DeskParts, talk: Talk, signed_in: SignedIn) -> None:
    """The page, renewed while it is shown, until the staff member goes back. Raises Back, Over, StoreError."""
    rows = health_rows(parts, talk)
    faults = sum(not row["ok"] for row in rows)
    Acts(talk.tools).record(StaffAct.HEALTH, staff_id=signed_in.staff_id, faults=faults)
    first, printed = 0, None
    codes = ["other_rows", "test_slip"] if parts.can_print() else ["other_rows"]

    def shown() -> dict[str, Any]:
        return {"rows": health_rows(parts, talk)[first : first + ROWS_ON_A_PAGE]}

    while True:
        if talk.pick("health", codes, refresh=shown, printed=printed, **shown()) == "test_slip":
            printed = print_test_slip(parts, talk, signed_in)
        else:
            first, printed = (first + ROWS_ON_A_PAGE) % len(rows), None


def health_rows(parts: DeskParts, talk: Talk) -> list[dict[str, Any]]:
    """One row each: ``name``, whether it is ``ok``, a ``code`` where it is not, a ``value`` where there is one."""
    state, checkin = talk.tools.checkin.screen.state(), talk.tools.checkin
    there = {device[0]: device for device in state.devices}
    rows = [_device(name, there.get(device)) for name, device in DEVICES.items()]
    rows.append(_row("center", state.center == CenterLink.REACHABLE, code=str(state.center)))
    events, parcels = parts.journal.counts(), parts.parcels.counts()
    reachable = state.center == CenterLink.REACHABLE  # then what waits is on its way
    rows.append(_row("events_pending", reachable or events.pending == 0, value=events.pending))
    rows.append(_row("parcels_pending", reachable or parcels.pending == 0, value=parcels.pending))
    refused = events.quarantined + parcels.quarantined
    rows.append(_row("refused", refused == 0, value=refused))
    free = shutil.disk_usage(talk.tools.config.state_dir).free
    rows.append(_row("disk_mib", free >= talk.tools.config.storage.wanted_free_bytes, value=free // _MIB))
    quality = checkin.clock.time_quality()
    rows.append(_row("clock", quality is TimeQuality.SYNCED, code=quality.value))
    newest = parts.journal.newest()
    rows.append(_row("last_event", True, value=None if newest is None else format_time(newest.event.captured_at)))
    rows.append(_row("version", True, value=version()))
    return rows


@cache
def version() -> str:
    """The version of the installed package; 0 in a checkout that was not installed."""
    try:
        return importlib.metadata.version("muster")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _device(name: str, noted: tuple[str, bool, str | None] | None) -> dict[str, Any]:
    if noted is None:
        return _row(name, True, code="not_configured")
    return _row(name, noted[1], code=noted[2] or "ok")


def _row(name: str, ok: bool, *, code: str | None = None, value: int | str | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "ok": ok}
    return row | ({"code": code} if code is not None else {}) | ({"value": value} if value is not None else {})
