"""Where the staff's desk meets the station."""

from __future__ import annotations

from dataclasses import dataclass, field

from center_parts import RealCenter, wait_until
from kiosk_parts import StartKiosk

from kiosk.screen import Cancelled, Claim, Request, StaffActed
from kiosk.staffing import StationTools
from models.attendance import CheckInOutcome, EventType
from web.panel.facade import PanelStep


@dataclass
class RecordingDesk:
    """Records one staff event for each act, until somebody types a number."""

    acts: list[str] = field(default_factory=list)

    def serve(self, request: StaffActed, tools: StationTools) -> Request | None:
        asked: Request | None = request
        while isinstance(asked, StaffActed) or asked is None:
            if isinstance(asked, StaffActed):
                self.acts.append(asked.act)
                tools.checkin.screen.show(PanelStep.STAFF, staff={"page": asked.act})
                policy = tools.fresh().policy.version
                draft = tools.recorder.draft(
                    EventType.STAFF, person_id=None, policy_version=policy, details={"act": asked.act}
                )
                tools.recorder.store(draft)
                tools.wake()
            asked = tools.hear(0.1)
        return None if isinstance(asked, Cancelled) else asked


def test_the_desk_serves_staff_between_visits_and_hands_back_what_was_asked_for(
    real_center: RealCenter, start_kiosk: StartKiosk
) -> None:
    """At the start page and at the help page; a number typed meanwhile begins a visit."""
    site = real_center.new_site()
    site.enroll("2901")
    desk = RecordingDesk()
    running = start_kiosk(site)
    assert running.kiosk.station is not None
    running.kiosk.station._desk = desk
    running.kiosk.screen.staff_act("sign_in", {"pin": "2468"})
    assert running.wait_step("staff").staff == {"page": "sign_in"}
    running.kiosk.screen.cancel()
    running.wait_step("idle")
    running.kiosk.screen.ask_for_help()
    running.result()
    running.wait_step("help")
    running.kiosk.screen.staff_act("witness", {})
    wait_until(lambda: desk.acts == ["sign_in", "witness"])
    running.kiosk.screen.claim("2901")
    assert running.result().outcome is CheckInOutcome.REFERRED_TO_STAFF
    running.delivered()
    assert [row.type for row in site.real.events(running.pairing.kiosk_id)] == [
        "staff", "help_request", "staff", "failed_attempt",
    ]  # fmt: skip
    assert "2468" not in repr(StaffActed("sign_in", {"pin": "2468"})) + repr(Claim("2468"))
