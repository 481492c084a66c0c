"""The addresses under ``/api/v1``. Each view parses, calls and answers; refuses rules, which stand below."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import select
from werkzeug.http import http_date

from models.attendance import format_time
from models.errors import InputError, LedgerError, SignatureInvalid
from models.ledger_store import IngestStatus, ingest_event, ingest_events, latest_head, log_size
from models.parcels import Parcel
from models.store.center import SiteRow
from models.wire import encode_key
from web.center.api.requests import read_body, signed_kiosk, signed_pairing
from web.center.api.schemas import (
    BatchStored,
    ErrorBody,
    EventBatch,
    EventResult,
    EventStored,
    EventSubmission,
    Health,
    LedgerHead,
    PairingRequest,
    PairingReveal,
    ParcelStored,
    ParcelSubmission,
)
from web.center.context import the_center
from web.center.due import settle
from web.center.galleries import gallery_document, gallery_tag
from web.center.pairing import open_pairing, pairing_state, reveal_pairing
from web.center.parcels import take_parcel
from web.center.version import version
from web.shared.errors import ApiError

api = Blueprint("api", __name__)

_STORED = IngestStatus.STORED


@api.after_request
def tell_time(response: Response) -> Response:
    """Say the center's time, so that a kiosk with a wrong clock can tell why its signature is stale."""
    response.headers["Date"] = http_date(the_center().clock())
    return response


@api.get("/health", provide_automatic_options=False)
def health() -> ResponseReturnValue:
    """Whether the center works; fails with 503 if its store cannot be read."""
    center = the_center()
    with center.reading() as session:
        session.scalar(select(SiteRow.site_id).limit(1))
    return _answer(Health(status="ok", version=version(), time=format_time(center.clock())))


@api.post("/pairings", provide_automatic_options=False)
def open_() -> ResponseReturnValue:
    """A kiosk asks to be paired."""
    return _answer(open_pairing(the_center(), read_body(PairingRequest)), 201)


@api.get("/pairings/<pairing_id>", provide_automatic_options=False)
def state(pairing_id: str) -> ResponseReturnValue:
    """Where a pairing stands."""
    center = the_center()
    signed_pairing(center, pairing_id)
    return _answer(pairing_state(center, pairing_id))


@api.post("/pairings/<pairing_id>/reveal", provide_automatic_options=False)
def reveal(pairing_id: str) -> ResponseReturnValue:
    """A kiosk tells the nonce that it committed to."""
    center = the_center()
    signed_pairing(center, pairing_id)
    return _answer(reveal_pairing(center, pairing_id, read_body(PairingReveal)))


@api.get("/gallery", provide_automatic_options=False)
def gallery() -> ResponseReturnValue:
    """The signed gallery of the kiosk's site, or 304 if the kiosk holds this version."""
    center = the_center()
    caller = signed_kiosk(center)
    with center.reading() as session:
        etag = gallery_tag(center, session, caller.site_id)
        if request.if_none_match.contains(etag):
            response = make_response("", 304)
        else:
            response = jsonify(gallery_document(center, session, caller.site_id))
    response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@api.post("/events", provide_automatic_options=False)
def submit() -> ResponseReturnValue:
    """One attendance event: 201 if it is new, 200 if it was there before."""
    center = the_center()
    caller = signed_kiosk(center)
    event = read_body(EventSubmission)
    try:
        with center.writing() as session:
            done = ingest_event(session, _wire(event), received_at=center.clock(), kiosk_id=caller.kiosk_id)
            if done.status is _STORED:
                settle(center, session, [event.body], kiosk_id=caller.kiosk_id)
    except LedgerError as error:
        if error.code == "kiosk_revoked":  # between the check of the signature and this transaction
            raise ApiError(403, error.code, str(error)) from error
        raise
    center.log_grew.set()
    stored = EventStored.model_validate(done.to_json())
    return _answer(stored, 201 if done.status is _STORED else 200)


@api.post("/events/batch", provide_automatic_options=False)
def submit_batch() -> ResponseReturnValue:
    """Events in order, in one transaction; what came before the first rejected one is kept."""
    center = the_center()
    caller = signed_kiosk(center)
    batch = read_body(EventBatch)
    wires = [_wire(event) for event in batch.events]
    with center.writing() as session:
        done, error = ingest_events(session, wires, received_at=center.clock(), kiosk_id=caller.kiosk_id)
        stored = [event.body for event, one in zip(batch.events, done, strict=False) if one.status is _STORED]
        settle(center, session, stored, kiosk_id=caller.kiosk_id)
    center.log_grew.set()
    results = [EventResult.model_validate(one.to_json()) for one in done]
    if error is not None:
        results.append(_rejected(batch.events[len(done)], error))
    return _answer(BatchStored(results=results))


@api.post("/parcels", provide_automatic_options=False)
def submit_parcel() -> ResponseReturnValue:
    """One sealed parcel: 201 if it is new, 200 if it was there before."""
    center = the_center()
    caller = signed_kiosk(center)
    parcel = Parcel.from_json(read_body(ParcelSubmission).model_dump())
    with center.writing() as session:
        row, new = take_parcel(center, session, parcel, kiosk_id=caller.kiosk_id, site_id=caller.site_id)
        stored = ParcelStored(
            parcel_id=row.parcel_id,
            status="stored" if new else "duplicate",
            received_at=format_time(row.received_at),
        )
    return _answer(stored, 201 if new else 200)


@api.get("/ledger/head", provide_automatic_options=False)
def head() -> ResponseReturnValue:
    """The log's size and its newest signed head."""
    center = the_center()
    signed_kiosk(center)
    with center.reading() as session:
        size, signed = log_size(session), latest_head(session)
    return _answer(
        LedgerHead(
            size=size, signed_head=signed.to_json() if signed else None, center_key=encode_key(center.key.public_key())
        )
    )


def _wire(event: EventSubmission) -> dict[str, Any]:
    """The event as it came; pydantic's own way back would copy the whole body."""
    return {"body": event.body, "hash": event.hash, "signature": event.signature}


def _rejected(event: EventSubmission, error: InputError | SignatureInvalid | LedgerError) -> EventResult:
    named = event.body.get("event_id")
    return EventResult(
        event_id=named if isinstance(named, str) else None,
        status="rejected",
        error=ErrorBody(code=error.code, message=str(error)),
    )


def _answer(model: BaseModel, status: int = 200) -> Response:
    content: dict[str, Any] = model.model_dump()
    response = jsonify(content)
    response.status_code = status
    return response
