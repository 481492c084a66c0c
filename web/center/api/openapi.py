"""The OpenAPI 3.1 document, made from the same pydantic classes that check the requests. Owns ``/openapi.json``.

Refuses hand-written schemas: what is not in ``web.center.api.schemas`` is not described.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.center.api import schemas

_ERRORS = {
    "400": "The body is not JSON.",
    "401": "The request is not signed, or its signature does not hold.",
    "403": "The kiosk was revoked, or asks for what is not its own.",
    "404": "There is no such thing.",
    "405": "This address does not know the method.",
    "409": "The request was replayed, or does not follow from what is stored.",
    "413": "The body is larger than the center accepts.",
    "415": "The body is not application/json.",
    "422": "The body has another shape.",
    "429": "Too many requests; Retry-After says when to come again.",
    "500": "Something went wrong inside the center.",
    "503": "The center cannot store anything at the moment.",
}
_SIGNED = ("400", "401", "403", "409", "413", "429", "500", "503")
_MODELS: tuple[type[BaseModel], ...] = (
    schemas.PairingRequest,
    schemas.PairingOpened,
    schemas.PairingReveal,
    schemas.PairingState,
    schemas.EventSubmission,
    schemas.EventBatch,
    schemas.EventStored,
    schemas.BatchStored,
    schemas.ParcelSubmission,
    schemas.ParcelStored,
    schemas.SignedDocument,
    schemas.LedgerHead,
    schemas.Health,
    schemas.ErrorAnswer,
)


def describe(version: str) -> dict[str, Any]:
    """The whole document as JSON values."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Muster correction center",
            "version": version,
            "summary": "What a kiosk asks of its center.",
            "description": (
                "Every request but a pairing's first is signed (RFC 9421, Ed25519) over method, path, query and "
                "Content-Digest (RFC 9530), with keyid, created and nonce. Times are RFC 3339 in UTC."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(),
        "components": {"schemas": definitions["$defs"], "securitySchemes": {"signature": _SCHEME}},
    }


_SCHEME = {
    "type": "apiKey",
    "in": "header",
    "name": "Signature",
    "description": "HTTP message signature with its Signature-Input and Content-Digest headers (RFC 9421, RFC 9530).",
}


def _paths() -> dict[str, Any]:
    pairing_id = {
        "name": "pairing_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "maxLength": 64, "minLength": 1},
    }
    known = {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "The ETag of the gallery the kiosk holds.",
    }
    return {
        "/api/v1/health": {
            "get": _operation(
                "health", "Whether the center works", {"200": schemas.Health}, ("429", "500", "503"), signed=False
            )
        },
        "/api/v1/pairings": {
            "post": _operation(
                "open_pairing",
                "Ask to be paired",
                {"201": schemas.PairingOpened},
                ("400", "409", "413", "415", "422", "429", "500", "503"),
                body=schemas.PairingRequest,
                signed=False,
            )
        },
        "/api/v1/pairings/{pairing_id}": {
            "parameters": [pairing_id],
            "get": _operation(
                "pairing_state", "Where a pairing stands", {"200": schemas.PairingState}, (*_SIGNED, "404")
            ),
        },
        "/api/v1/pairings/{pairing_id}/reveal": {
            "parameters": [pairing_id],
            "post": _operation(
                "reveal_pairing",
                "Tell the nonce that was committed to",
                {"200": schemas.PairingState},
                (*_SIGNED, "404", "415", "422"),
                body=schemas.PairingReveal,
            ),
        },
        "/api/v1/gallery": {
            "parameters": [known],
            "get": _operation(
                "gallery",
                "The site's policy, people and sealed references",
                {"200": schemas.SignedDocument, "304": None},
                _SIGNED,
            ),
        },
        "/api/v1/events": {
            "post": _operation(
                "submit_event",
                "Hand in one attendance event; idempotent by event_id",
                {"200": schemas.EventStored, "201": schemas.EventStored},
                (*_SIGNED, "415", "422"),
                body=schemas.EventSubmission,
            )
        },
        "/api/v1/events/batch": {
            "post": _operation(
                "submit_events",
                "Hand in events in order; stops at the first one rejected",
                {"200": schemas.BatchStored},
                (*_SIGNED, "415", "422"),
                body=schemas.EventBatch,
            )
        },
        "/api/v1/parcels": {
            "post": _operation(
                "submit_parcel",
                "Hand in one sealed parcel; idempotent by parcel_id",
                {"200": schemas.ParcelStored, "201": schemas.ParcelStored},
                (*_SIGNED, "415", "422"),
                body=schemas.ParcelSubmission,
            )
        },
        "/api/v1/ledger/head": {
            "get": _operation("ledger_head", "The newest signed tree head", {"200": schemas.LedgerHead}, _SIGNED)
        },
    }


def _operation(
    name: str,
    summary: str,
    answers: dict[str, type[BaseModel] | None],
    errors: tuple[str, ...],
    *,
    body: type[BaseModel] | None = None,
    signed: bool = True,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "security": [{"signature": []}] if signed else [],
        "responses": {status: _answer(model) for status, model in answers.items()}
        | {status: _error(_ERRORS[status]) for status in sorted({*errors, "405"})},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _json(body)}
    return operation


def _answer(model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"description": "Unchanged."}
    return {"description": (model.__doc__ or "").split("\n")[0], "content": _json(model)}


def _error(sentence: str) -> dict[str, Any]:
    return {"description": sentence, "content": _json(schemas.ErrorAnswer)}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
