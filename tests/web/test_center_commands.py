"""``muster center``: the first start, sites, accounts and the check of the whole store."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from waitress.buffers import TempfileBasedBuffer

from models.commands import read_center_key
from models.errors import ConfigurationError, LedgerError, StoreError
from models.store.engine import open_store
from web.center.commands import center
from web.center.keys import center_key
from web.center.serving import server_options
from web.center.settings import CenterSettings


def run(folder: Path, *arguments: str) -> Result:
    database = f"sqlite:///{folder / 'center.db'}"
    return CliRunner().invoke(center, [*arguments, "--database", database], catch_exceptions=True)


def test_the_first_start_prints_a_password_once_and_keeps_keys_private(tmp_path: Path) -> None:
    first, second = run(tmp_path, "init"), run(tmp_path, "init")
    assert "One-time password:" in first.output
    assert "One-time password:" not in second.output
    for name in ("center.key", "session.key"):
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600


def test_sites_and_accounts_are_entered_from_the_command_line(tmp_path: Path) -> None:
    run(tmp_path, "init")
    assert run(tmp_path, "add-site", "xiqiao", "西桥司法所").exit_code == 0
    assert stat.S_IMODE((tmp_path / "keys" / "sites" / "xiqiao.key").stat().st_mode) == 0o600
    made = run(tmp_path, "add-staff", "li.na", "--name", "李娜", "--role", "staff", "--site", "xiqiao")
    assert "One-time password of li.na:" in made.output
    again = run(tmp_path, "add-site", "xiqiao", "西桥司法所")
    assert str(again.exception) == "The site xiqiao is there already."


def test_verify_names_a_store_that_was_cut(tmp_path: Path) -> None:
    run(tmp_path, "init")
    assert "0 events" in run(tmp_path, "verify").output
    engine = open_store(f"sqlite:///{tmp_path / 'center.db'}", branch="center")
    with engine.begin() as connection:
        connection.execute(text("UPDATE tree_heads SET size = 3"))
    engine.dispose()
    assert isinstance(run(tmp_path, "verify").exception, LedgerError)


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify",),
        ("public-key",),
        ("add-site", "xiqiao", "西桥"),
        ("add-staff", "li", "--name", "李", "--role", "staff"),
    ],
)
def test_a_mistyped_database_is_named_and_not_made(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused = run(tmp_path, *arguments)
    assert isinstance(refused.exception, StoreError)
    assert str(refused.exception).startswith(f"There is no database at {tmp_path / 'center.db'}: name another")
    assert list(tmp_path.iterdir()) == []


def ran(folder: Path, *arguments: str) -> str:
    """What ``muster center run`` says to whoever started it, in a process of its own."""
    command = [sys.executable, "-m", "muster", "center", "run", "--database", f"sqlite:///{folder / 'center.db'}"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("host", ["nosuch.invalid", "203.0.113.7"])
def test_an_address_that_is_not_this_machines_is_one_sentence(tmp_path: Path, host: str) -> None:
    refused = ran(tmp_path, "--host", host, "--port", "0")
    assert f"Cannot listen on {host}:0: " in refused and "Traceback" not in refused


def test_a_port_that_is_taken_is_said_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = ran(tmp_path, "--port", str(taken.getsockname()[1]))
    assert refused.endswith("Address already in use; --port takes another one.\n")


def test_a_wrong_address_or_key_is_one_sentence(tmp_path: Path) -> None:
    wrong = CliRunner().invoke(center, ["init", "--database", "nonsense"])
    assert isinstance(wrong.exception, ConfigurationError)
    missing = CliRunner().invoke(center, ["init", "--database", f"sqlite:///{tmp_path / 'no' / 'such' / 'c.db'}"])
    assert isinstance(missing.exception, StoreError | ConfigurationError)
    run(tmp_path, "init")
    (tmp_path / "keys" / "center.key").write_bytes(b"short")
    damaged = run(tmp_path, "init")
    assert str(damaged.exception) == "The key file center.key is damaged: it must hold 32 bytes."


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc"])
def test_a_time_zone_that_is_none_is_refused(tmp_path: Path, zone: str) -> None:
    answer = run(tmp_path, "run", "--timezone", zone)
    assert isinstance(answer.exception, ConfigurationError)


def test_the_public_key_is_printed_as_the_ledger_wants_it(tmp_path: Path) -> None:
    run(tmp_path, "init")
    printed = run(tmp_path, "public-key")
    file = tmp_path / "center.pub"
    file.write_text(printed.output)
    assert read_center_key(file) == center_key(tmp_path / "keys").public_key()


def test_no_request_and_no_answer_is_spooled_to_the_disk(
    tmp_path: Path, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture of ten megabytes goes in and comes back, as the center is served; no temporary file is made."""

    def refuse(self: object) -> Any:
        raise AssertionError("a temporary file was asked for")

    monkeypatch.setattr(TempfileBasedBuffer, "newfile", refuse)
    options = server_options(CenterSettings(database=f"sqlite:///{tmp_path / 'center.db'}"))
    assert options.pop("clear_untrusted_proxy_headers")

    def echo(environ: dict[str, Any], start: Any) -> list[bytes]:
        content = environ["wsgi.input"].read()
        start("200 OK", [("Content-Type", "image/jpeg"), ("Content-Length", str(len(content)))])
        return [content]

    address = urlsplit(serve(echo, **options))
    connection = HTTPConnection("127.0.0.1", address.port or 0, timeout=30)
    picture = bytes(10 * 1024 * 1024)
    connection.request("POST", "/", body=picture)
    answer = connection.getresponse()
    assert (answer.status, answer.read() == picture) == (200, True)
    connection.close()
