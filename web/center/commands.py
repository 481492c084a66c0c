"""``muster center``: run the center, prepare its database, add sites and accounts, check the store. Owns no rule."""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path
from typing import Any

import click
import structlog

from models.errors import MusterError
from models.store.engine import check_store, open_store
from models.wire import encode_key
from web.center.accounts import add_account, first_admin
from web.center.app import center_of, create_center
from web.center.context import Center
from web.center.heads import HeadSigner, sign_tree_head_now
from web.center.serving import server_options
from web.center.settings import CenterSettings
from web.center.sites import add_site as enter_site
from web.center.verification import check_ledger
from web.shared.serving import end_server, open_server

DEFAULT_DATABASE = "sqlite:///var/center.db"

_log = structlog.get_logger("web.center")


def _store_options(command: Any) -> Any:
    command = click.option(
        "--keys", type=click.Path(path_type=Path), help="Folder of the keys [keys beside the database]."
    )(command)
    return click.option(
        "--database",
        default=DEFAULT_DATABASE,
        show_default=True,
        envvar="MUSTER_DATABASE",
        help="Address of the store.",
    )(command)


@click.group()
def center() -> None:
    """The correction center's service and its database."""


@center.command()
@_store_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8420, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--timezone", default="Asia/Shanghai", show_default=True, help="In which days begin and times are shown.")
@click.option("--https/--no-https", default=False, help="The console is reached through TLS: mark its cookie Secure.")
@click.option("--proxies", default=0, type=click.IntRange(0, 5), help="Number of trusted proxies in front.")
def run(database: str, keys: Path | None, host: str, port: int, timezone: str, https: bool, proxies: int) -> None:
    """Serve the kiosks and the console until Ctrl-C."""
    _make_folder(database)
    settings = CenterSettings(database=database, keys_dir=keys, timezone=timezone, https=https, proxies=proxies)
    app = create_center(settings)
    assembled = center_of(app)
    _show_first_password(assembled)
    try:
        server = open_server(app, host=host, port=port, **server_options(settings))
    except OSError as error:
        advice = "; --port takes another one" if error.errno == errno.EADDRINUSE else ""
        raise MusterError(f"Cannot listen on {host}:{port}: {error.strerror}{advice}.") from error
    signer = HeadSigner(assembled)
    signer.start()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))  # a service manager's stop: sign what is left
    click.echo(f"The center listens on http://{host}:{server.effective_port}/")
    try:
        server.run()
    except KeyboardInterrupt:
        click.echo("Stopping ...")
    finally:
        end_server(server, None, finish_s=0.0)  # running requests had their time when the loop was stopped
        signer.stop()


@center.command()
@_store_options
def init(database: str, keys: Path | None) -> None:
    """Make the database, the keys and the first account."""
    assembled = _open(database, keys)
    _show_first_password(assembled)
    click.echo("The database is ready.")


@center.command("add-site")
@click.argument("site_id")
@click.argument("name")
@_store_options
def add_site(site_id: str, name: str, database: str, keys: Path | None) -> None:
    """Enter a site: SITE_ID is a short code, NAME what people call it."""
    assembled = _existing(database, keys)
    with assembled.writing() as session:
        enter_site(assembled, session, site_id, name)
    click.echo(f"The site {site_id} was entered.")


@center.command("add-staff")
@click.argument("login")
@click.option("--name", required=True, help="The person's name.")
@click.option("--role", required=True, type=click.Choice(["admin", "staff", "auditor"]))
@click.option("--site", "site_id", default=None, help="Restrict the account to a site.")
@_store_options
def add_staff(login: str, name: str, role: str, site_id: str | None, database: str, keys: Path | None) -> None:
    """Make an account and print its one-time password."""
    assembled = _existing(database, keys)
    with assembled.writing() as session:
        _, password = add_account(
            assembled, session, login=login, name=name, role=role, site_id=site_id, expires_at=None
        )
    click.echo(f"One-time password of {login}: {password}")


@center.command()
@_store_options
def verify(database: str, keys: Path | None) -> None:
    """Check every event of the store against its kiosk's chain, the hash tree and the signed heads."""
    assembled = _existing(database, keys)
    check_store(assembled.store)
    sign_tree_head_now(assembled)
    with assembled.reading() as session:
        checked = check_ledger(session, assembled.key.public_key())
    click.echo(f"{checked.events} events and {checked.heads} tree heads hold.")


@center.command("public-key")
@_store_options
def public_key(database: str, keys: Path | None) -> None:
    """Print the center's public key, for ``muster ledger verify --center-key``. Hand it over on another way."""
    click.echo(encode_key(_existing(database, keys).key.public_key()))


def _existing(database: str, keys: Path | None) -> Center:
    """A center that is there: a mistyped address must not become a new, empty center with keys of its own."""
    open_store(database, branch="center", create=False).dispose()
    return _open(database, keys)


def _open(database: str, keys: Path | None) -> Center:
    _make_folder(database)
    return center_of(create_center(CenterSettings(database=database, keys_dir=keys)))


def _make_folder(database: str) -> None:
    if database == DEFAULT_DATABASE:
        Path("var").mkdir(exist_ok=True)


def _show_first_password(assembled: Center) -> None:
    password = first_admin(assembled)
    if password is not None:
        click.echo("First start: sign in to the console as “admin” and choose a password of your own.")
        click.echo(f"One-time password: {password}")
