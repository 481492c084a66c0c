"""Making this kiosk known to a center: ask, reveal, show the digits, wait for an admin, keep what comes back.

Owns the protocol's kiosk side. Refuses to trust a center whose digits nobody compared: digits are shown only after the
center took the nonce that this kiosk had committed to, and the site key is opened only from an answer that the center
of those digits signed.
"""

from __future__ import annotations

import random
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from enrollment.vault import SiteKey
from kiosk.center_client import Answer, CenterClient, CenterUnreachable
from kiosk.clock import Clock
from kiosk.config import KioskConfig
from kiosk.delivery import Backoff
from kiosk.keys import KioskKeys, Pairing, load_pairing, save_pairing
from models.errors import InputError, SignatureInvalid, VaultError, WireError
from models.text import decode_bytes, encode_bytes
from models.wire import PAIRING_NONCE_BYTES, decode_key, open_document, open_sealed, pairing_code, pairing_commitment
from web.panel.facade import PanelHint

log = structlog.get_logger("kiosk.pairing")

SOFTWARE = "muster-kiosk/0.1"

_LONGEST_WAIT_S = 30.0  # somebody stands there and waits
_PAIRING_ID = re.compile("[A-Za-z0-9_-]{1,64}")  # it becomes part of an address


class PairingRefused(WireError):  # noqa: N818 - named as models.errors names its kin
    """The center said no, or the admin did, or time ran out."""

    code = "pairing_refused"


ShowCode = Callable[[str | None, str | None], None]  # the digits, a hint


def pair(
    config: KioskConfig,
    keys: KioskKeys,
    *,
    clock: Clock,
    show: ShowCode,
    stopping: threading.Event,
) -> Pairing | None:
    """Pair, however long it takes; None if ``stopping`` was set. An expired attempt is followed by a new one.

    Raises PairingRefused if the center rejects this kiosk, StoreError if the result cannot be kept.
    """
    backoff = Backoff(config.center, random.Random())  # noqa: S311 - spreads kiosks in time
    while not stopping.is_set():
        wait_s = config.center.retry_first_s  # each attempt is a try for whoever stands in between: not many
        try:
            done = _attempt(config, keys, clock=clock, show=show, stopping=stopping)
        except CenterUnreachable as error:
            log.info("center_unreachable", reason=str(error))
            show(None, PanelHint.PAIRING_WAITING)
            wait_s = min(backoff.failed(None, clock.now()), max(wait_s, _LONGEST_WAIT_S))
        else:
            backoff.succeeded()
            if done is not None:
                save_pairing(config.state_dir, done)
                log.info("paired", kiosk_id=done.kiosk_id)
                return done
            show(None, PanelHint.PAIRING_EXPIRED)
        stopping.wait(wait_s)
    return None


def _attempt(
    config: KioskConfig, keys: KioskKeys, *, clock: Clock, show: ShowCode, stopping: threading.Event
) -> Pairing | None:
    """One pairing with a nonce of its own, from the commitment to the admin's answer; None if it expired."""
    nonce = secrets.token_bytes(PAIRING_NONCE_BYTES)
    pairing, center_nonce = _begin(config, keys, clock, nonce)
    code = pairing_code(
        pairing.pairing_id,
        kiosk_nonce=nonce,
        center_nonce=center_nonce,
        signing_key=keys.signing_public,
        agreement_key=keys.agreement_public,
        center_key=pairing.center_key,
    )
    save_pairing(config.state_dir, pairing)
    client = CenterClient(config.center, clock, keys.signing, pairing.pairing_id)
    _reveal(client, pairing, nonce)
    log.info("pairing_waits", pairing_id=pairing.pairing_id)
    return _await(config, client, keys, pairing=pairing, show=show, code=code, stopping=stopping)


def _begin(config: KioskConfig, keys: KioskKeys, clock: Clock, nonce: bytes) -> tuple[Pairing, bytes]:
    """Open a pairing at the center, committed to ``nonce``; pin the key that it answers with. Also its nonce."""
    commitment = pairing_commitment(nonce, signing_key=keys.signing_public, agreement_key=keys.agreement_public)
    request = {
        "signing_key": encode_bytes(keys.signing_public),
        "agreement_key": encode_bytes(keys.agreement_public),
        "commitment": encode_bytes(commitment),
        "name": config.kiosk.name,
        "software": SOFTWARE,
    }
    answer = CenterClient(config.center, clock).post("/api/v1/pairings", request)
    _check(answer)
    try:
        pairing_id, center_nonce = str(answer.content["pairing_id"]), decode_bytes(answer.content["center_nonce"])
        center_key = decode_key(answer.content["center_key"]).public_bytes_raw()
        if len(center_nonce) != PAIRING_NONCE_BYTES or not _PAIRING_ID.fullmatch(pairing_id):
            raise ValueError("not a pairing")
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise PairingRefused("The center answered the pairing with something else.") from error
    return Pairing("pending", pairing_id, center_key), center_nonce


def _reveal(client: CenterClient, pairing: Pairing, nonce: bytes) -> None:
    """Tell the nonce. An answer that is lost ends the attempt: a nonce is told once."""
    answer = client.post(f"/api/v1/pairings/{pairing.pairing_id}/reveal", {"nonce": encode_bytes(nonce)})
    _check(answer)
    if not isinstance(answer.content, dict) or answer.content.get("revealed") is not True:
        raise PairingRefused("The center answered the pairing with something else.")


def _await(
    config: KioskConfig,
    client: CenterClient,
    keys: KioskKeys,
    *,
    pairing: Pairing,
    show: ShowCode,
    code: str,
    stopping: threading.Event,
) -> Pairing | None:
    """Ask until the admin decided; None if the attempt expired or the kiosk stops."""
    while not stopping.is_set():
        show(code, PanelHint.PAIRING_WAITING)
        try:
            answer = client.get(f"/api/v1/pairings/{pairing.pairing_id}")
        except CenterUnreachable as error:
            log.info("center_unreachable", reason=str(error))
            stopping.wait(config.center.retry_first_s)
            continue
        _check(answer)
        status = answer.content.get("status") if isinstance(answer.content, dict) else None
        if status == "approved":
            return _approved(answer, pairing, keys)
        if status == "rejected":
            raise PairingRefused("An admin rejected this kiosk.", code="pairing_rejected")
        if status == "expired":
            return None
        stopping.wait(config.center.pairing_poll_s)
    return None


def _approved(answer: Answer, pairing: Pairing, keys: KioskKeys) -> Pairing:
    """What an approval hands over, if the center that was pinned signed it."""
    try:
        signed = {**answer.content, "pairing_id": pairing.pairing_id}
        wire = {"signature": signed.pop("signature", None), "document": signed}
        content = open_document(wire, pairing.center)
        done = replace(
            pairing,
            status="approved",
            kiosk_id=str(content["kiosk_id"]),
            site_id=str(content["site_id"]),
            sealed_site_key=dict(content["sealed_site_key"]),
        )
        open_site_key(done, keys)
    except (KeyError, TypeError, ValueError, VaultError, InputError, SignatureInvalid) as error:
        raise PairingRefused("The center approved this kiosk but its answer cannot be used.") from error
    return done


def _check(answer: Answer) -> None:
    if answer.status >= 500 or answer.status == 429:
        raise CenterUnreachable(f"The center cannot pair at the moment ({answer.error_code}).")
    if answer.status >= 400:
        raise PairingRefused(f"The center refuses to pair this kiosk ({answer.error_code}).", code=answer.error_code)


def open_site_key(pairing: Pairing, keys: KioskKeys) -> SiteKey:
    """The site key that the center sealed to this kiosk. Raises VaultError."""
    if pairing.sealed_site_key is None:
        raise VaultError("This kiosk was given no site key; pair it again with `muster kiosk pair`.")
    try:
        return SiteKey.from_json(open_sealed(keys.agreement, pairing.sealed_site_key, pairing.pairing_id))
    except InputError as error:
        raise VaultError("The site key that this kiosk was given cannot be used; pair it again.") from error


def mark_revoked(state_dir: Path) -> None:
    """Note that the center revoked this kiosk and forget the site key."""
    pairing = load_pairing(state_dir)
    if pairing is not None:
        save_pairing(state_dir, replace(pairing, status="revoked", sealed_site_key=None))
