"""A kiosk's process is killed in the middle of a visit: the store holds, the chain holds, nothing is there twice."""

from __future__ import annotations

from pathlib import Path

from center_parts import RealCenter, quick_config, wait_until
from kill_parts import KilledKiosk, kept
from kiosk_parts import Cast

TABLES = {"visit": {"result_s": 5.0, "look_timeout_s": 20.0, "finger_timeout_s": 20.0}}


def test_a_kiosk_that_is_killed_in_any_step_goes_on_where_it_was(
    real_center: RealCenter, cast: Cast, tmp_path: Path
) -> None:
    """Idle, looking, waiting for a finger, showing a result: killed in each, started again, and at last served."""
    site = real_center.new_site()
    site.enroll("1", faces=cast.faces["visitor_1"])
    site.enroll("2", fingers=cast.fingers("visitor_2"))
    _, pairing = site.pair_kiosk(quick_config(real_center.url, tmp_path / "kiosk", **TABLES))
    killed = KilledKiosk(real_center.url, tmp_path / "kiosk", TABLES)
    before = 0
    for step, order in (
        ("idle", {}),
        ("look", {"show": "visitor_1"}),
        ("finger", {"claim": "2"}),
        ("result", {"show": "visitor_1"}),
    ):
        killed.start()
        try:
            if order:
                killed.tell(**order)
            killed.wait_for({step})
        finally:
            killed.kill()
        held = kept(tmp_path / "kiosk")
        assert held.events - before in ((0, 1) if step != "result" else (1,)), step
        before = held.events
    assert kept(tmp_path / "kiosk").accepted == 1
    killed.start()
    try:
        wait_until(lambda: len(real_center.events(pairing.kiosk_id)) >= before, 30)
    finally:
        killed.kill()
    arrived = [row.seq for row in real_center.events(pairing.kiosk_id)]
    assert arrived == list(range(1, len(arrived) + 1)) and len(arrived) == kept(tmp_path / "kiosk").events
    print("starts took", [round(each, 1) for each in killed.started_in_s], "s")  # noqa: T201 - shown with -s
