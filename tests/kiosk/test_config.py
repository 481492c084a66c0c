"""The configuration: defaults, typos, wrong types, impossible values; each has one sentence with file and key."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from kiosk.config import KioskConfig, load_config, parse_config
from models.errors import ConfigurationError

EXAMPLE = Path(__file__).parents[2] / "docs" / "kiosk.toml"


def test_an_empty_file_is_a_configuration_of_defaults(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("")
    assert load_config(path) == KioskConfig()


def test_the_documented_example_holds_the_defaults() -> None:
    """Whoever copies it changes nothing but the sensor's port."""
    expected = parse_config({"sensor": {"options": {"port": "/dev/ttyUSB0"}}}, source="test")
    assert load_config(EXAMPLE) == expected


def test_the_example_to_try_needs_no_device_and_no_other_folder() -> None:
    config = load_config(EXAMPLE.with_name("kiosk-try.toml"))
    assert (config.camera.driver, config.sensor.options["port"]) == ("simulated", "var/sensor")
    assert str(config.state_dir) == "var/kiosk"


def test_the_documented_example_names_every_key() -> None:
    text = EXAMPLE.read_text("utf-8")
    for table in fields(KioskConfig):
        assert f"[{table.name}]" in text
        for key in getattr(table.default_factory(), "__dataclass_fields__", {}):  # type: ignore[misc]
            assert f"{key} = " in text or f"[{table.name}.{key}]" in text, f"{table.name}.{key}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[kiosk]\nstate_dri = 'x'", "there is no key 'kiosk.state_dri'; did you mean 'state_dir'?"),
        ("[senzor]\n", "there is no key 'senzor'; did you mean 'sensor'?"),
        ('[panel]\nhost = "0.0.0.0"', "panel.host must be 127.0.0.1, ::1 or localhost"),
        (
            "[panel]\nqqq = 1",
            "there is no key 'panel.qqq'; known here: enabled, host, language, port, slides, timezone.",
        ),
        ("[center]\ntimeout_s = '10'", "center.timeout_s must be a number, not '10'."),
        ("[center]\nbatch_events = 1.5", "center.batch_events must be a whole number, not 1.5."),
        ("[center]\nbatch_events = true", "center.batch_events must be a whole number, not True."),
        ("[center]\nbatch_events = 0", "center.batch_events must be between 1 and 200, not 0."),
        ("[center]\ntimeout_s = nan", "center.timeout_s must be a number, not nan."),
        ("[center]\nurl = 'ftp://center'", "center.url must be an http:// or https:// address, not 'ftp://center'."),
        ("[center]\nurl = 'http://center.example'", "center.url must be an https:// address, unless"),
        ("[panel]\nenabled = 1", "panel.enabled must be true or false, not 1."),
        ("[sensor]\ncompare = 'sensr'", "sensor.compare must be one of sensor, image; did you mean 'sensor'?"),
        ("[camera]\noptions = 3", "camera.options must be a table."),
        ("[witnesses]\na = 1", "witnesses must be a table of texts."),
        ("camera = 3", "camera must be a table, [camera]."),
        ("[center]\nretry_first_s = 50\nretry_longest_s = 1", "retry_longest_s must not be less than"),
        ("[kiosk\n", "is not TOML"),
    ],
)
def test_whatever_is_wrong_is_named_with_file_and_key(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.toml")
    path = tmp_path / "kiosk.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        load_config(path)


def test_plain_http_to_another_machine_is_taken_when_the_site_says_so() -> None:
    """Behind a tunnel the line is protected by something else."""
    content = {"center": {"url": "http://center.example", "plain_http": True}}
    assert parse_config(content, source="x").center.url == "http://center.example"


@pytest.mark.parametrize("url", ["http://localhost:1", "http://[::1]:1", "https://center.example"])
def test_https_and_this_machine_need_no_permission(url: str) -> None:
    """The demonstration runs on one machine."""
    assert parse_config({"center": {"url": url}}, source="x").center.url == url
