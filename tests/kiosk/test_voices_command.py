"""``muster kiosk voices`` tells what lacks a clip, and has the rest of a site's recordings read from a list."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kiosk.config import load_config
from kiosk.voices_command import voices_command
from models.errors import ConfigurationError, InputError
from web.panel.voice.catalogue import VOICES, slots
from web.panel.voice.settings import VoiceSettings

LOOK = "step.look.title"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A kiosk's configuration whose folder holds one Teochew recording and one file of no slot."""
    folder = tmp_path / "voices" / "teochew"
    folder.mkdir(parents=True)
    with wave.open(str(folder / f"{LOOK}.wav"), "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(1)
        clip.setframerate(8_000)
        clip.writeframes(bytes(range(256)) * 32)
    (folder / "nothing.wav").write_bytes(b"")
    path = tmp_path / "kiosk.toml"
    path.write_text(f'[voice]\nlanguage = "teochew"\nfolder = "{folder.parent}"\n', "utf-8")
    return path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(voices_command, arguments, env={"COLUMNS": "200"})


def test_the_table_names_every_slot_and_says_what_is_not_heard(site: Path) -> None:
    result = call("--config", str(site))
    assert result.exit_code == 0
    assert all(code in result.output for code in slots())
    assert f"teochew: 1 recorded, 0 synthetic, 0 stale, {len(slots()) - 1} without a clip" in result.output
    assert "mandarin: 0 recorded" in result.output
    assert "not heard: teochew/nothing.wav: there is no slot 'nothing'." in result.output


def test_everything_can_be_had_as_json(site: Path) -> None:
    told = json.loads(call("--config", str(site), "--json").output)
    assert told["language"] == "teochew"
    assert set(told["states"]) == set(VOICES)
    assert told["states"]["teochew"][LOOK] == "recorded"
    assert {told["states"]["mandarin"][code] for code in slots()} == {"synthetic"}
    assert [item["kind"] for item in told["complaints"]] == ["no_slot"]


def test_the_list_to_be_read_aloud_leaves_out_what_is_recorded(site: Path) -> None:
    lines = call("--config", str(site), "--lines", "teochew").output.splitlines()
    assert f"teochew/hint.come_closer.wav\t{slots()['hint.come_closer'].chinese}" in lines
    assert len(lines) == len(slots()) - 1


def test_recordings_are_noted_once(site: Path) -> None:
    assert "1 recordings noted" in call("--config", str(site), "--note").output
    assert "0 recordings noted" in call("--config", str(site), "--note").output


def test_without_a_folder_there_is_nothing_to_note(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("", "utf-8")
    assert isinstance(call("--config", str(path), "--note").exception, InputError)


def test_the_settings_of_the_voice_are_read_from_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text('[voice]\nvolume = 0.5\nquiet_hours = "21:00-07:00"\nquiet_volume = 0.1\n', "utf-8")
    settings = load_config(path).voice.settings()
    assert (settings.volume, settings.quiet_volume, len(settings.quiet_hours)) == (0.5, 0.1, 1)
    assert load_config_of(tmp_path, "") == VoiceSettings()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('quiet_hours = "noon"', "voice.quiet_hours"),
        ("volume = 2", "voice.volume"),
        ('language = "hokkien"', "teochew"),
    ],
)
def test_impossible_settings_of_the_voice_are_told_in_a_sentence(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_config_of(tmp_path, f"[voice]\n{line}\n")


def load_config_of(folder: Path, content: str) -> VoiceSettings:
    path = folder / "other.toml"
    path.write_text(content, "utf-8")
    return load_config(path).voice.settings()
