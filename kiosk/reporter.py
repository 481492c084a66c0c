"""Carries the outbox to the center, in order, for ever, then what is sealed; and brings the site's gallery back.

Owns the thread, its waits and what an answer leads to. Refuses to change an event. The journal is the queue: whatever
happens to this thread or to the power, the next start goes on with the oldest event that is still pending. An event
that arrived but whose answer was lost is sent again and answered as a duplicate.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import structlog

from kiosk.center_client import Answer, CenterClient, CenterUnreachable
from kiosk.clock import Clock
from kiosk.config import CenterConfig
from kiosk.delivery import CHAIN_GAP, Backoff, Meaning, is_receipt, meaning, sort_results
from kiosk.journal import Ballast, Journal
from kiosk.parcels import ParcelStore
from kiosk.roster import RosterStore
from kiosk.screen import Screen
from kiosk.supervisor import Pulse
from models.attendance import SignedEvent
from models.errors import ConfigurationError, InputError, StoreError, WireError
from web.panel.facade import CenterLink

log = structlog.get_logger("kiosk.reporter")

_STORE_RETRY_S = 5.0
_UNUSABLE = "answer_unusable"  # a success that is no receipt: a proxy's, perhaps
_ERASED = "person_unknown"  # the center's code of a parcel about somebody whom it does not know, or not any more
_SLOWEST_BYTES_PER_S = 24 * 1024  # a line on which a parcel is still waited for: the largest takes some five minutes
STUCK_AFTER_S = 600.0  # a batch over a slow line, each of its events alone at worst


class Reporter(threading.Thread):
    """The thread. ``wake`` it after an event was stored; ``stop`` it at the end."""

    def __init__(  # noqa: PLR0913 - the parts that it works with, each named
        self,
        journal: Journal,
        client: CenterClient,
        *,
        roster: RosterStore,
        config: CenterConfig,
        clock: Clock,
        screen: Screen,
        on_revoked: Callable[[], None],
        ballast: Ballast | None = None,
        parcels: ParcelStore | None = None,
        rng: random.Random | None = None,
    ) -> None:
        super().__init__(name="reporter", daemon=True)
        self.died: BaseException | None = None
        self.pulse = Pulse(STUCK_AFTER_S)
        self.revoked = False
        self._journal = journal
        self._client = client
        self._roster = roster
        self._config = config
        self._clock = clock
        self._screen = screen
        self._on_revoked = on_revoked
        self._ballast = ballast
        self._parcels = parcels
        self._backoff = Backoff(config, rng or random.Random())  # noqa: S311 - jitter, no secret
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._gallery_due_s = float("-inf")
        self._etag = ""

    def run(self) -> None:
        """The thread's body; ends when stopped or revoked."""
        try:
            while not self._stopping.is_set() and not self.revoked:
                self._rest(self.once())
        except BaseException as error:  # the worker's edge: kept for the supervisor, then the thread ends
            self.died = error
            raise

    def _rest(self, wait_s: float) -> None:
        """Wait until woken or for so long, and go on showing that the thread lives."""
        until = time.monotonic() + wait_s
        while (left_s := until - time.monotonic()) > 0 and not self._woken.wait(min(left_s, STUCK_AFTER_S / 4)):
            self.pulse.beat()
        self.pulse.beat()
        self._woken.clear()

    def wake(self) -> None:
        """There is something to send. While the center is away this does not shorten the wait by much."""
        self._woken.set()

    def stop(self, timeout_s: float = 15.0) -> None:
        """End the thread; what is pending stays in the journal."""
        self._stopping.set()
        self._woken.set()
        if self.is_alive():
            self.join(timeout_s)

    def once(self) -> float:
        """Send what is pending, fetch the gallery if it is due; seconds until it makes sense to come again."""
        try:
            wait_s = self._deliver()
            # neither events that must wait nor a parcel that no line carries keep a revocation of references away
            fetched = None if self.revoked else self._fetch_gallery()
            if wait_s is None and not self.revoked:  # a record goes before what it names
                wait_s = self._deliver_parcels()
            wait_s = fetched if wait_s is None else wait_s
            if wait_s is None:
                self._backoff.succeeded()
                wait_s = max(0.01, self._gallery_due_s - self._clock.seconds())
                self._show(CenterLink.REACHABLE)
            return wait_s
        except CenterUnreachable as error:
            log.info("center_unreachable", kiosk_id=self._journal.kiosk_id, reason=str(error))
            return self._later(None)
        except StoreError as error:
            log.error("outbox_unreadable", kiosk_id=self._journal.kiosk_id, code=error.code)
            return _STORE_RETRY_S

    def _deliver(self) -> float | None:
        """Send batches until nothing is pending (None), or seconds to wait."""
        while not self._stopping.is_set():
            self.pulse.beat()
            events = self._journal.pending(self._config.batch_events)
            if not events:
                return None
            answer = self._client.post("/api/v1/events/batch", {"events": [event.wire() for event in events]})
            ids = [str(event.body["event_id"]) for event in events]
            match meaning(answer):
                case Meaning.DONE:
                    wait_s = self._settle_batch(answer, ids)
                case Meaning.REFUSED:
                    wait_s = self._deliver_one(events[0])  # which of them is it? the oldest goes alone
                case Meaning.REVOKED:
                    return self._end()
                case Meaning.LATER:
                    self._journal.note_attempt(ids, answer.error_code)
                    wait_s = self._later(answer)
            if wait_s is not None:
                return wait_s
        return None

    def _settle_batch(self, answer: Answer, ids: list[str]) -> float | None:
        sorted_ = sort_results(answer.content, ids)
        if sorted_.done:
            self._journal.mark_delivered(sorted_.done)
            self._show(CenterLink.REACHABLE)
        for event_id, code in sorted_.refused:
            if code == CHAIN_GAP:
                return self._close_gap(event_id, answer)
            self._quarantine(event_id, code)
        if sorted_.revoked:
            return self._end()
        if not sorted_.done and not sorted_.refused:  # an answer that fits nothing: a proxy's, perhaps
            self._journal.note_attempt(ids, _UNUSABLE)
            return self._later(answer)
        return None

    def _deliver_one(self, event: SignedEvent) -> float | None:
        """Send one event alone: then a refusal is about it and about nothing else."""
        event_id = str(event.body["event_id"])
        answer = self._client.post("/api/v1/events", event.wire())
        match meaning(answer):
            case Meaning.DONE if is_receipt(answer.content, event_id=event_id):
                self._journal.mark_delivered([event_id])
            case Meaning.DONE:
                self._journal.note_attempt([event_id], _UNUSABLE)
                return self._later(answer)
            case Meaning.REFUSED if answer.error_code == CHAIN_GAP:
                return self._close_gap(event_id, answer)
            case Meaning.REFUSED:
                self._quarantine(event_id, answer.error_code)
            case Meaning.REVOKED:
                return self._end()
            case Meaning.LATER:
                self._journal.note_attempt([event_id], answer.error_code)
                return self._later(answer)
        return None

    def _deliver_parcels(self) -> float | None:
        """Send parcels until none is pending (None), or seconds to wait. Events of meanwhile go before each."""
        while self._parcels is not None and not self._stopping.is_set():
            self.pulse.beat()
            parcel = self._parcels.next_pending()
            if parcel is None:
                return None
            timeout_s = self._config.timeout_s + len(parcel.sealed) / _SLOWEST_BYTES_PER_S
            try:
                answer = self._client.post("/api/v1/parcels", parcel.to_json(), timeout_s=timeout_s)
            except CenterUnreachable:
                self._parcels.note_attempt(parcel.parcel_id, CenterUnreachable.code)
                raise
            match meaning(answer):
                case Meaning.DONE if is_receipt(answer.content, parcel_id=parcel.parcel_id):
                    self._parcels.delivered(parcel.parcel_id)
                case Meaning.DONE:  # what has no receipt is not deleted
                    self._parcels.note_attempt(parcel.parcel_id, _UNUSABLE)
                    return self._later(answer)
                case Meaning.REFUSED if answer.error_code == _ERASED:
                    log.warning("parcel_forgotten", parcel_id=parcel.parcel_id, code=answer.error_code)
                    self._parcels.forget(parcel.parcel_id)
                case Meaning.REFUSED:
                    log.error("parcel_quarantined", parcel_id=parcel.parcel_id, code=answer.error_code)
                    self._parcels.quarantine(parcel.parcel_id, answer.error_code)
                case Meaning.REVOKED:
                    return self._end()
                case Meaning.LATER:
                    self._parcels.note_attempt(parcel.parcel_id, answer.error_code)
                    return self._later(answer)
            wait_s = self._deliver()
            if wait_s is not None:
                return wait_s
        return None

    def _close_gap(self, event_id: str, answer: Answer) -> float:
        """The center misses an event of before. One that is quarantined is waited for: it must be released first.

        If none is, the center has lost what it acknowledged (an old backup, perhaps): everything is sent again.
        """
        again = 0 if self._journal.counts().quarantined else self._journal.reopen()
        log.error("chain_gap", record_id=event_id, kiosk_id=self._journal.kiosk_id, sent_again=again)
        self._journal.note_attempt([event_id], CHAIN_GAP)
        return self._later(answer)

    def _quarantine(self, event_id: str, code: str) -> None:
        log.error("event_quarantined", record_id=event_id, kiosk_id=self._journal.kiosk_id, code=code)
        self._journal.quarantine(event_id, code)

    def _fetch_gallery(self) -> float | None:
        """Fetch the gallery if it is due; None if all is well."""
        if self._clock.seconds() < self._gallery_due_s:
            return None
        answer = self._client.get("/api/v1/gallery", headers={"If-None-Match": self._etag} if self._etag else {})
        if meaning(answer) is Meaning.REVOKED:
            return self._end()
        if answer.status == 200:
            self._use_gallery(answer)
        elif answer.status != 304:
            log.warning("gallery_refused", kiosk_id=self._journal.kiosk_id, code=answer.error_code)
            return self._later(answer)
        self._gallery_due_s = self._clock.seconds() + self._config.gallery_poll_s
        if self._ballast is not None:
            self._ballast.restore()
        return None

    def _use_gallery(self, answer: Answer) -> None:
        """Take a new gallery over; one that cannot be trusted is left alone and the old one stays in use."""
        try:
            roster = self._roster.accept(answer.content, self._clock.now())
        except (WireError, InputError, ConfigurationError) as error:
            log.error("gallery_untrusted", kiosk_id=self._journal.kiosk_id, code=error.code, reason=str(error))
            return
        self._etag = answer.headers.get("etag", "")
        log.info("gallery_taken", kiosk_id=self._journal.kiosk_id, version=roster.version, people=len(roster.people))

    def _later(self, answer: Answer | None) -> float:
        self._show(CenterLink.UNREACHABLE)
        return self._backoff.failed(answer, self._clock.now())

    def _end(self) -> float:
        """The center revoked this kiosk: forget every reference, keep the journal, stop; also with a full disk."""
        log.error("kiosk_revoked", kiosk_id=self._journal.kiosk_id)
        self.revoked = True
        if self._ballast is not None:
            self._ballast.free()  # forgetting is written, too
        try:
            self._forget(self._roster.purge)
            if self._parcels is not None:
                self._forget(self._parcels.purge_enrollments)
            self._show(CenterLink.UNPAIRED)
        finally:
            self._on_revoked()
        return 0.0

    def _forget(self, purge: Callable[[], object]) -> None:
        try:
            purge()
        except StoreError as error:  # what stays is sealed, and the key goes next
            log.error("not_forgotten", code=error.code)

    def _show(self, link: CenterLink) -> None:
        self._screen.note_center(link, self._journal.counts().pending)
