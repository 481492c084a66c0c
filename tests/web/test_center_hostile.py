"""Thousands of odd requests made from the OpenAPI document itself, signed and unsigned."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from center_house import HOST, Station, make_house
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import ValidationError

from models.wire import sign_request
from web.center.api.schemas import EventBatch, EventSubmission

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class SigningDoor:
    """Signs whatever comes through, so that the odd bodies reach the code behind the signature."""

    def __init__(self, station: Station, app: Wsgi) -> None:
        self.station, self.app = station, app

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        signed = sign_request(
            environ["REQUEST_METHOD"],
            HOST + quote(environ["PATH_INFO"].encode("latin-1")) + query,
            body,
            key=self.station.signing,
            key_id=self.station.kiosk_id,
            now=self.station.house.clock(),
        )
        environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed.items()}
        return self.app(environ, start)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Station:
    house = make_house(tmp_path_factory.mktemp("hostile"), api_limit="1000000 per minute", pending_pairings=10**6)
    return Station(house, house.client()).pair()


odd = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


# A well-formed event with a made-up hash, or a key of small order, is refused for what it means, not for its shape.
MEANING = schemathesis.checks.positive_data_acceptance


def try_everything(schema: Any, *excluded: Any) -> int:
    """Odd requests for each operation of the document; answers how many were sent."""
    sent = 0
    for operation in schema.get_all_operations():

        @odd
        @given(case=operation.ok().as_strategy())
        def odd_requests(case: Any) -> None:
            nonlocal sent
            sent += 1
            case.call_and_validate(excluded_checks=[MEANING, *excluded])

        odd_requests()
    return sent


def test_odd_unsigned_requests_get_an_answer_of_the_document(station: Station) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", station.house.app)
    assert try_everything(schema) > 20


def test_odd_signed_requests_get_an_answer_of_the_document(station: Station) -> None:
    door = SigningDoor(station, station.house.app.wsgi_app)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", door)
    assert try_everything(schema, schemathesis.checks.ignored_auth) > 20


def test_the_document_says_3_1_and_names_every_address(station: Station) -> None:
    document = station.client.get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    paths = {rule.rule.replace("<", "{").replace(">", "}") for rule in station.house.app.url_map.iter_rules()}
    assert {path for path in paths if path.startswith("/api/")} == set(document["paths"])


@pytest.mark.parametrize(
    "odd_value", [False, 0, 1.0, None, [], {}, "", "x" * 64, ["0" * 64]], ids=lambda value: repr(value)[:12]
)
def test_strict_models_take_no_value_of_another_type(odd_value: object) -> None:
    for model, field in ((EventSubmission, "hash"), (EventBatch, "events")):
        with pytest.raises(ValidationError):
            model.model_validate({"body": {}, "hash": "0" * 64, "signature": "0" * 128, field: odd_value})


def test_the_document_lies_beside_no_file(tmp_path: Path) -> None:
    client = make_house(tmp_path).client()
    for path in ("/static/../app.py", "/shared/../i18n.py", "/static/%2e%2e/app.py", "/shared/%2e%2e%2fi18n.py"):
        assert client.get(path).status_code == 404
