"""The command line: the only file that knows every room.

Commands live in their rooms (``<room>/commands.py``) and are imported when asked for, so that ``muster ledger verify``
needs no camera library. What one room needs of a sibling is handed over in the context object, ``Rooms``.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from models.errors import CaptureRetry, InputError, MusterError

COMMANDS = {
    "weights": ("matcher.commands:weights", "Fetch, list and import the weights of the engines."),
    "template": ("matcher.iso_command:template", "Write and read finger templates as ISO/IEC 19794-2 records."),
    "evaluate": ("matcher.commands:evaluate", "Measure an engine's error rates on a folder of pictures."),
    "sensor": ("hardware.commands:sensor", "Fingerprint sensors, real and simulated."),
    "hardware": ("hardware.device_commands:hardware", "Card readers and receipt printers: try them, simulate them."),
    "kiosk": ("kiosk.commands:kiosk", "The station: run it, check its devices."),
    "center": ("web.center.commands:center", "The correction center's service and its database."),
    "enroll": ("enrollment.commands:enroll", "Enroll a person from pictures or devices at the center."),
    "ledger": ("models.commands:ledger", "Export and verify the attendance ledger."),
    "demo": ("kiosk.demonstration.command:demo", "A center and a kiosk with simulated hardware and scripted visitors."),
}


# Read by numpy and its kin when they are loaded. The matrices here are small: on a busy machine several threads wait
# for each other, which made comparing fingers five times slower. Work is spread over processes instead.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

JOINED = {  # commands of a room's group that need a room above it
    "evaluate": {"site": ("enrollment.site_command:site_command", "Measure a site on its own references and visits.")},
}


class Rooms:
    """What one room may ask of a sibling it does not know."""

    @staticmethod
    def load_engine(name: str, **options: Any) -> Any:
        """A matching engine by name; see ``matcher.engines``."""
        return import_module("matcher.engines").load_engine(name, **options)


class JoinedGroup(click.Group):
    """A room's group together with commands of rooms above it, which are imported when they are called."""

    def __init__(self, group: click.Group, others: dict[str, tuple[str, str]]) -> None:
        super().__init__(name=group.name, help=group.help, commands=dict(group.commands))
        self._others = others

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of both."""
        return sorted({*super().list_commands(ctx), *self._others})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The group's own command, or the other one, imported."""
        if cmd_name not in self._others:
            return super().get_command(ctx, cmd_name)
        return _imported(self._others[cmd_name][0])


class LazyGroup(click.Group):
    """A group that imports a command when it is called, not when the program starts."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in ``COMMANDS``."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command called ``cmd_name``."""
        if cmd_name not in COMMANDS:
            return None
        command = _imported(COMMANDS[cmd_name][0])
        joined = JOINED.get(cmd_name)
        return JoinedGroup(command, joined) if joined and isinstance(command, click.Group) else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


def _imported(place: str) -> click.Command:
    module, _, attribute = place.partition(":")
    command: click.Command = getattr(import_module(module), attribute)
    return command


@click.command(cls=LazyGroup)
@click.version_option(package_name="muster")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Muster: face and fingerprint check-in with a ledger that shows every change."""
    ctx.obj = Rooms()


def main() -> None:
    """Run the command line; an expected error is one sentence on stderr and exit code 2 (bad input) or 1."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    try:
        cli(standalone_mode=True)
    except CaptureRetry as retry:
        _fail(f"The sample cannot be used: {retry.reason.value.replace('_', ' ')}.", 2)
    except MusterError as error:
        _fail(str(error), 2 if isinstance(error, InputError) else 1)


def _fail(sentence: str, code: int) -> None:
    print(f"muster: {sentence}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
