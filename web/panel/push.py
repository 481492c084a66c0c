"""What travels in the two streams: the state as server-sent events, the preview as a multipart JPEG stream.

Owns the framing and the pace; refuses to send a frame at any step that shows no preview, so that a bystander's face
does not leave the station while nobody is checking in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from models.attendance import format_time
from web.panel.facade import PanelFacade, PanelFrame, PanelState, PanelStep, state_body
from web.panel.streams import Stream

PREVIEW_STEPS = frozenset({PanelStep.APPROACH, PanelStep.LOOK, PanelStep.CHALLENGE, PanelStep.DOCUMENT})
_PREVIEW_OF_STAFF = "preview"  # in the view of the staff's pages: a face is being captured, or the light looked at
BOUNDARY = "muster-frame"
CAPTURED_HEADER = "X-Captured-Monotonic-Ns"
SLICE_S = 1.0  # how long a stream waits before it looks whether it should end
RECONNECT_MS = 1000


def shows_preview(state: PanelState) -> bool:
    """Whether the screen shows the live picture now; of the staff's pages, those that say so."""
    if state.step == PanelStep.STAFF:
        return bool((state.staff or {}).get(_PREVIEW_OF_STAFF))
    return state.step in PREVIEW_STEPS


def event_name(boot: str, version: int) -> str:
    """The event's id: unique across restarts of the station, where versions begin anew."""
    return f"{boot}:{version}"


def push_states(
    facade: PanelFacade,
    stream: Stream,
    *,
    boot: str,
    last_event_id: str,
    clock: Callable[[], datetime],
    heartbeat_s: float,
    volume_at: Callable[[datetime], float],
) -> Iterator[bytes]:
    """Every state as an event, a heartbeat when nothing changes. The page that has ``last_event_id`` gets news only.

    ``volume_at`` tells how loud the page's voice is at a moment, 0..1.
    """
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    state = facade.state()
    if event_name(boot, state.version) != last_event_id:
        yield _state_event(state, boot, clock(), volume_at)
    spoke_at = time.monotonic()
    while not stream.ended():
        newer = facade.wait(state.version, min(SLICE_S, heartbeat_s))
        if newer.version != state.version:
            state = newer
            yield _state_event(state, boot, clock(), volume_at)
            spoke_at = time.monotonic()
        elif time.monotonic() - spoke_at >= heartbeat_s:
            yield f": alive\nevent: alive\ndata: {format_time(clock())}\n\n".encode()
            spoke_at = time.monotonic()
    yield b"event: replaced\ndata: {}\n\n"


def push_frames(facade: PanelFacade, stream: Stream, *, most_per_s: float) -> Iterator[bytes]:
    """The newest frame, never a queue of old ones, at most ``most_per_s`` a second, until the step shows none."""
    interval_s = 1 / most_per_s
    number, due_at = -1, time.monotonic()
    while not stream.ended() and shows_preview(facade.state()):
        newest = facade.preview(number, SLICE_S)
        if newest is None:
            continue
        number = newest.number
        yield _part(newest)
        due_at = max(due_at + interval_s, time.monotonic())
        time.sleep(max(0.0, due_at - time.monotonic()))
    yield f"--{BOUNDARY}--\r\n".encode()


def _part(frame: PanelFrame) -> bytes:
    """One part of the stream. Says when the picture was taken, so that whoever reads it can tell its age."""
    head = (
        f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame.jpeg)}\r\n"
        f"{CAPTURED_HEADER}: {frame.captured_ns}\r\n\r\n"
    )
    return head.encode() + frame.jpeg + b"\r\n"


def _state_event(state: PanelState, boot: str, now: datetime, volume_at: Callable[[datetime], float]) -> bytes:
    body = {**state_body(state), "boot": boot, "now": format_time(now), "volume": volume_at(now)}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))  # on one line: newlines are escaped
    return f"id: {event_name(boot, state.version)}\nevent: state\ndata: {content}\n\n".encode()
