"""``muster kiosk voices``: which prompts lack a clip in which language. Owns options and tables; judges no file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from kiosk.config import KioskConfig, load_config
from models.errors import InputError
from web.panel.voice.catalogue import VOICES, slots
from web.panel.voice.recordings import note_recordings
from web.panel.voice.voices import LACKING, RECORDED, STALE_CLIP, SYNTHETIC, Voices, gaps

_SIGNS = {RECORDED: "[green]recorded[/]", SYNTHETIC: "synthetic", STALE_CLIP: "[yellow]stale[/]", LACKING: "[red]-[/]"}


@click.command("voices")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The kiosk's configuration, for its folder of recordings.  [default: /etc/muster/kiosk.toml if there is one]",
)
@click.option("--json", "as_json", is_flag=True, help="Write everything as JSON.")
@click.option("--lines", type=click.Choice(VOICES), help="Print the sentences to be recorded in this language instead.")
@click.option("--note", is_flag=True, help="Write down what the recordings say, so that later changes are noticed.")
def voices_command(path: Path | None, as_json: bool, lines: str | None, note: bool) -> None:
    """List which prompts lack a clip, which clips are stale, and which files of the folder are not heard."""
    from kiosk.commands import DEFAULT_CONFIG

    config = load_config(path) if path else load_config(DEFAULT_CONFIG) if DEFAULT_CONFIG.exists() else KioskConfig()
    voices = Voices(config.voice.settings())
    if note:
        _note(voices)
    elif lines:
        _print_lines(voices, lines)
    elif as_json:
        click.echo(json.dumps(_as_json(voices), ensure_ascii=False, indent=1))
    else:
        _print_table(voices)


def _note(voices: Voices) -> None:
    folder = voices.settings.folder
    if folder is None:
        raise InputError("voice.folder names no folder of recordings.", code="no_recordings")
    click.echo(f"{note_recordings(folder, voices.recordings)} recordings noted in {folder}.")


def _print_lines(voices: Voices, voice: str) -> None:
    """What is still to be read aloud: the file's name, and the sentence."""
    states = gaps(voices)[voice]
    for code, slot in slots().items():
        if states[code] != RECORDED:
            click.echo(f"{voice}/{code}.wav\t{slot.text(voice)}")


def _as_json(voices: Voices) -> dict[str, Any]:
    return {
        "language": voices.settings.language,
        "folder": str(voices.settings.folder) if voices.settings.folder else None,
        "slots": {code: {"zh_CN": slot.chinese, "en": slot.english} for code, slot in slots().items()},
        "states": gaps(voices),
        "complaints": [
            {"language": item.voice, "slot": item.slot, "kind": item.kind, "said": item.said}
            for item in voices.recordings.complaints
        ],
    }


def _print_table(voices: Voices) -> None:
    console = Console(highlight=False)
    states = gaps(voices)
    table = Table(Column("slot", no_wrap=True), *VOICES)
    for code in slots():
        table.add_row(code, *(_SIGNS[states[voice][code]] for voice in VOICES))
    console.print(table)
    for voice in VOICES:
        counts = {state: list(states[voice].values()).count(state) for state in _SIGNS}
        console.print(
            f"{voice}: {counts[RECORDED]} recorded, {counts[SYNTHETIC]} synthetic, {counts[STALE_CLIP]} stale, "
            f"{counts[LACKING]} without a clip of {len(slots())}"
        )
    console.print("What lacks a clip is heard in Mandarin, on the English page in English.")
    for item in voices.recordings.complaints:
        console.print(f"not heard: {item.said}", markup=False, soft_wrap=True)
