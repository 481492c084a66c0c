"""The voice: no text that is heard lacks a clip, a clip says what the screen shows, a site's files are judged."""

from __future__ import annotations

import json
import re
import struct
import wave
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from models.errors import ConfigurationError, InputError
from web.panel.app import create_panel
from web.panel.facade import CHALLENGE_CODES, FINGER_CODES
from web.panel.texts import load_texts
from web.panel.voice.catalogue import SHIPPED, SILENT, VOICES, is_silent, slots, spoken, unspeakable
from web.panel.voice.chimes import CHIMES, RATE_HZ, chime
from web.panel.voice.containers import clip_duration_s
from web.panel.voice.manifest import CLIPS, SOUNDS, load_manifest
from web.panel.voice.recordings import BAD, NO_SLOT, NOTE_FILE, STALE, note_recordings, read_recordings
from web.panel.voice.render import CEILING, polished, read_pinyin
from web.panel.voice.settings import VoiceSettings, parse_quiet_hours
from web.panel.voice.voices import LACKING, RECORDED, STALE_CLIP, SYNTHETIC, Voices, gaps

MOST_BYTES_OF_ALL = 1_900_000
SHANGHAI = ZoneInfo("Asia/Shanghai")
HAN = re.compile(r"[\u4e00-\u9fff]")
SYLLABLE = re.compile(r"(?:r5|[a-zü]+[1-5])")
LOOK = "step.look.title"


def shipped(voice: str, code: str) -> bytes:
    return load_manifest()[voice][code].path.read_bytes()


# --- the lint: whoever changes a text runs `python -m web.panel.voice.render` ------------------------------------


@pytest.mark.parametrize("voice", SHIPPED)
def test_every_text_that_is_heard_has_a_clip_that_says_it(voice: str) -> None:
    clips = load_manifest()[voice]
    lacking = [code for code in slots() if code not in clips or not clips[code].path.exists()]
    stale = [code for code, slot in slots().items() if code in clips and not clips[code].says(slot, voice)]
    surplus = [code for code in clips if code not in slots()]
    assert {"lacking": lacking, "stale": stale, "of no text": surplus} == {"lacking": [], "stale": [], "of no text": []}


def test_every_shipped_clip_can_be_read_and_is_as_long_as_its_text() -> None:
    for voice in SHIPPED:
        for code, clip in load_manifest()[voice].items():
            text = slots()[code].text(voice)
            weight = len(HAN.findall(text)) if voice == "mandarin" and HAN.search(text) else len(text) / 3.5
            duration_s = clip_duration_s(clip.path.read_bytes(), ".ogg")
            assert duration_s == pytest.approx(clip.duration_s, abs=0.01), code
            assert 0.12 * weight < duration_s < 0.6 + 0.6 * weight, (voice, code)


def test_all_clips_together_stay_small_and_none_is_there_that_nobody_plays() -> None:
    files = list(CLIPS.rglob("*.ogg"))
    assert sum(file.stat().st_size for file in files) < MOST_BYTES_OF_ALL
    assert set(files) == {clip.path for of in load_manifest().values() for clip in of.values()}


def test_no_sentence_that_is_heard_has_a_gap_for_something_personal() -> None:
    assert unspeakable() == []
    for slot in slots().values():
        assert not re.search(r"[{}]|\d{3}", slot.chinese + slot.english), slot.code


def test_the_parts_of_a_visit_are_heard_and_names_and_numbers_are_not() -> None:
    heard = set(slots())
    assert {f"challenge.{code}" for code in CHALLENGE_CODES} <= heard
    assert {f"finger_title.{code}" for code in FINGER_CODES} <= heard
    assert {"step.approach.title", "step.finger.title", "step.help.title", "tries_last", "tries_left.2"} <= heard
    assert not [code for code in heard if code.startswith(("staff.", "result.", "device", "error", "step.pairing"))]
    assert [code for code in load_texts("zh_CN")["hint"] if f"hint.{code}" not in heard] == [
        code for code in load_texts("zh_CN")["hint"] if is_silent(f"hint.{code}")
    ]


def test_what_is_kept_silent_is_a_text_of_the_screen() -> None:
    texts = load_texts("zh_CN")

    def there(path: str) -> bool:
        node: Any = texts
        for key in path.rstrip(".").split("."):
            node = node.get(key) if isinstance(node, dict) else None
        return node is not None

    assert [path for path in SILENT if not there(path) and path != "staff."] == []


def test_every_chinese_sentence_is_written_in_as_many_syllables_as_characters() -> None:
    for text, pinyin in read_pinyin().items():
        syllables = SYLLABLE.findall(pinyin)
        assert re.sub(r"[\s,.?]", "", pinyin) == "".join(syllables), text
        if not re.search("[A-Za-z]", text):
            assert len(syllables) == len(re.findall(r"[\u4e00-\u9fff0-9]", text)), text


def test_the_tones_of_bu_and_yi_follow_the_next_syllable() -> None:
    for text, pinyin in read_pinyin().items():
        syllables = SYLLABLE.findall(pinyin)
        characters = re.findall(r"[\u4e00-\u9fff0-9]", text)
        if len(syllables) != len(characters):
            continue
        for at, character in enumerate(characters[:-1]):
            falls = syllables[at + 1][-1] == "4"
            if character == "不":
                assert syllables[at] == ("bu2" if falls else "bu4"), text
            if character == "一" and characters[at - 1] != "第":
                assert syllables[at] == ("yi2" if falls else "yi4"), text


@pytest.mark.parametrize(
    ("character", "said"),
    [("签", "qian1"), ("还", "hai2"), ("得", "de5"), ("了", "le5"), ("着", "zhe5"), ("重", "chong2"), ("干", "gan1"),
     ("处", "chu4"), ("转", "zhuan3"), ("为", "wei4"), ("只", "zhi1"), ("都", "dou1"), ("卡", "ka3"),
     ("行", "xing2"), ("片", "pian4")],
)  # fmt: skip
def test_characters_of_several_readings_are_read_as_the_sentences_mean_them(character: str, said: str) -> None:
    meant = {"着急": "zhao2", "只用": "zhi3"}
    for text, pinyin in read_pinyin().items():
        syllables, characters = SYLLABLE.findall(pinyin), re.findall(r"[\u4e00-\u9fff0-9]", text)
        for at, found in enumerate(characters):
            if found == character and len(syllables) == len(characters):
                assert syllables[at] == meant.get("".join(characters[at : at + 2]), said), text


def test_quotation_marks_are_not_read_out() -> None:
    assert spoken("press “See someone”.") == "press See someone."


# --- containers ----------------------------------------------------------------------------------------------------


def wav(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(16_000)
        clip.writeframes(samples.astype("<i2").tobytes())
    return path


def tone(seconds: float) -> np.ndarray:
    return 8_000 * np.sin(np.arange(int(16_000 * seconds)) / 5)


def mp3(frames: int) -> bytes:
    """Frames of MPEG-1 layer III, 64 kbit/s, 44.1 kHz, whose content nobody looks at."""
    return b"".join(b"\xff\xfb\x50\xc0" + bytes([number % 251] * 204) for number in range(frames))


def test_a_wav_file_and_an_mp3_file_tell_their_length(tmp_path: Path) -> None:
    assert clip_duration_s(wav(tmp_path / "a.wav", tone(1.5)).read_bytes(), ".wav") == pytest.approx(1.5)
    assert clip_duration_s(mp3(100), ".mp3") == pytest.approx(100 * 1152 / 44_100)
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 0, 20]) + bytes(20)
    assert clip_duration_s(tag + mp3(100) + b"TAG" + bytes(125), ".mp3") == pytest.approx(100 * 1152 / 44_100)


def test_a_vorbis_file_tells_its_length_by_its_own_rate() -> None:
    identification = b"\x01vorbis" + struct.pack("<IBIIIIBB", 0, 1, 22_050, 0, 64_000, 0, 0xB8, 1)
    pages = [(0, identification), (44_100, bytes(range(250)))]
    assert clip_duration_s(b"".join(ogg_page(granule, body) for granule, body in pages), ".ogg") == pytest.approx(2.0)


def ogg_page(granule: int, body: bytes) -> bytes:
    head = b"OggS" + struct.pack("<BBqIIIB", 0, 0, granule, 7, 0, 0, 1) + bytes([len(body)])
    page = head + body
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1) ^ (0x04C11DB7 if checksum & 0x80000000 else 0)
        checksum &= 0xFFFFFFFF
    return page[:22] + struct.pack("<I", checksum) + page[26:]


def silent_opus() -> bytes:
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
    return ogg_page(0, head) + ogg_page(0, b"OpusTags" + bytes(8)) + ogg_page(48_312, b"\xf8\xff\xfe" * 50)


@pytest.mark.parametrize(
    ("suffix", "content", "said"),
    [
        (".ogg", b"", "is empty"),
        (".ogg", b"RIFF", "not an Ogg file"),
        (".ogg", shipped("mandarin", LOOK)[:-9], "cut off or damaged"),
        (".ogg", shipped("mandarin", LOOK)[:900] + b"\x00\x01" + shipped("mandarin", LOOK)[902:], "cut off or damaged"),
        (".ogg", ogg_page(9, b"\x7fFLAC" + bytes(20)), "neither Opus nor Vorbis"),
        (".ogg", silent_opus(), "nothing but silence"),
        (".wav", shipped("mandarin", LOOK), "not a WAV file"),
        (".mp3", shipped("mandarin", LOOK), "not an MP3 file"),
        (".mp3", mp3(3), "plays 0.08 s"),
        (".mp3", mp3(2000), "plays 52"),
        (".mp3", bytes(2_000_001), "larger than"),
        (".flac", b"fLaC", "not one of .ogg, .wav, .mp3"),
    ],
)
def test_a_file_that_is_no_good_clip_is_told_in_a_sentence(suffix: str, content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        clip_duration_s(content, suffix)


def test_a_silent_or_cut_wav_file_is_no_good_clip(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="silence"):
        clip_duration_s(wav(tmp_path / "a.wav", np.zeros(16_000)).read_bytes(), ".wav")
    with pytest.raises(InputError, match="cut off"):
        clip_duration_s(wav(tmp_path / "b.wav", tone(1)).read_bytes()[:-4_000], ".wav")


# --- a site's recordings ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "teochew").mkdir()
    wav(tmp_path / "teochew" / f"{LOOK}.wav", tone(1))
    return tmp_path


def test_a_recording_is_heard_before_the_synthetic_clip_and_mandarin_where_there_is_none(folder: Path) -> None:
    voices = Voices(VoiceSettings(language="teochew", folder=folder))
    recorded = voices.clip("teochew", LOOK)
    other = voices.clip("teochew", "hint.come_closer")
    assert recorded is not None and (recorded.media_type, recorded.content[:4]) == ("audio/wav", b"RIFF")
    assert other is not None and other.content == shipped("mandarin", "hint.come_closer")
    assert voices.languages() == ["mandarin", "teochew", "english"]
    assert voices.page_settings()["first"] == {"zh_CN": "teochew", "en": "english"}


def test_the_english_page_hears_english_only_and_a_chinese_page_never_begins_in_english(folder: Path) -> None:
    voices = Voices(VoiceSettings(language="english", folder=folder))
    english = voices.clip("english", LOOK)
    assert english is not None and english.content == shipped("english", LOOK)
    assert voices.page_settings()["first"] == {"zh_CN": "mandarin", "en": "english"}


def test_the_states_say_what_is_recorded_synthetic_and_lacking(folder: Path) -> None:
    states = gaps(Voices(VoiceSettings(folder=folder)))
    assert states["teochew"][LOOK] == RECORDED
    assert states["mandarin"][LOOK] == states["english"][LOOK] == SYNTHETIC
    assert {states["hakka"][code] for code in slots()} == {LACKING}
    assert set(states) == set(VOICES)


def test_bad_files_are_told_and_skipped_and_the_rest_is_heard(folder: Path) -> None:
    (folder / "teochew" / "hint.come_closer.ogg").write_bytes(b"no sound")
    (folder / "teochew" / "hint.comecloser.wav").write_bytes(b"")
    (folder / "teochew" / "hint.hold_still.txt").write_bytes(b"")
    (folder / "hokkien").mkdir()
    (folder / "teochew" / ".hidden").write_bytes(b"")
    found = read_recordings(folder)
    assert list(found.found) == [("teochew", LOOK)]
    assert [(item.kind, item.said.split(":")[0]) for item in found.complaints] == [
        (NO_SLOT, "hokkien"),
        (BAD, "teochew/hint.come_closer.ogg"),
        (NO_SLOT, "teochew/hint.comecloser.wav"),
        (BAD, "teochew/hint.hold_still.txt"),
    ]
    assert all(item.said.endswith(".") for item in found.complaints)


def test_a_link_that_leads_out_of_the_folder_is_not_followed(folder: Path, tmp_path_factory: Any) -> None:
    outside = wav(tmp_path_factory.mktemp("outside") / "secret.wav", tone(1))
    (folder / "teochew" / "hint.hold_still.wav").symlink_to(outside)
    found = read_recordings(folder)
    assert ("teochew", "hint.hold_still") not in found.found
    assert [item.kind for item in found.complaints] == [BAD]


def test_a_folder_that_is_missing_does_not_keep_the_kiosk_closed(tmp_path: Path) -> None:
    found = read_recordings(tmp_path / "stick")
    assert not found.found
    assert [item.said for item in found.complaints] == [
        f"The folder {tmp_path / 'stick'} cannot be read: No such file or directory."
    ]


def test_a_recording_that_disappears_later_gives_way_to_the_next_voice(folder: Path) -> None:
    voices = Voices(VoiceSettings(folder=folder))
    (folder / "teochew" / f"{LOOK}.wav").unlink()
    clip = voices.clip("teochew", LOOK)
    assert clip is not None and clip.content == shipped("mandarin", LOOK)


def test_a_noted_recording_whose_sentence_has_changed_is_stale_and_not_heard(folder: Path) -> None:
    assert note_recordings(folder, read_recordings(folder)) == 1
    assert note_recordings(folder, read_recordings(folder)) == 0
    assert list(read_recordings(folder).found) == [("teochew", LOOK)]
    (folder / NOTE_FILE).write_text(json.dumps({"teochew": {LOOK: "0123456789abcdef"}}), "utf-8")
    voices = Voices(VoiceSettings(folder=folder))
    assert [item.kind for item in voices.recordings.complaints] == [STALE]
    assert voices.state_of("teochew", LOOK) == STALE_CLIP
    clip = voices.clip("teochew", LOOK)
    assert clip is not None and clip.content == shipped("mandarin", LOOK)


@pytest.mark.parametrize("content", ["{", "[]", '{"teochew": 3}'])
def test_damaged_notes_are_told_and_the_recordings_are_heard_all_the_same(folder: Path, content: str) -> None:
    (folder / NOTE_FILE).write_text(content, "utf-8")
    found = read_recordings(folder)
    assert list(found.found) == [("teochew", LOOK)]
    assert "damaged" in found.complaints[0].said


def test_a_shipped_clip_whose_text_has_changed_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(load_manifest()["mandarin"][LOOK], text="0123456789abcdef")
    manifest = {**load_manifest(), "mandarin": {**load_manifest()["mandarin"], LOOK: changed}}
    monkeypatch.setattr("web.panel.voice.voices.load_manifest", lambda: manifest)
    voices = Voices(VoiceSettings())
    assert voices.state_of("mandarin", LOOK) == STALE_CLIP
    assert voices.clip("mandarin", LOOK) is None


# --- volume ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "minute", "volume"),
    [(11, 59, 0.8), (12, 0, 0.3), (13, 59, 0.3), (14, 0, 0.8), (20, 59, 0.8), (21, 0, 0.3), (0, 0, 0.3), (6, 59, 0.3),
     (7, 0, 0.8)],
)  # fmt: skip
def test_the_volume_follows_the_clock_on_the_wall(hour: int, minute: int, volume: float) -> None:
    settings = VoiceSettings(quiet_hours=parse_quiet_hours("12:00-14:00, 21:00-7:00"), volume=0.8, quiet_volume=0.3)
    moment = datetime(2026, 3, 5, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)
    assert settings.volume_at(moment, SHANGHAI) == volume


@pytest.mark.parametrize("text", ["12-14", "24:00-07:00", "12:00-12:00", "12:00-14:60", "noon"])
def test_quiet_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="12:00-14:00"):
        parse_quiet_hours(text)


def test_a_voice_or_a_volume_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="teochew"):
        VoiceSettings(language="hokkien")
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        VoiceSettings(volume=1.5)


# --- routes ----------------------------------------------------------------------------------------------------------


def test_a_clip_is_served_once_and_then_known(station: Any) -> None:
    client = create_panel(station).test_client()
    first = client.get(f"/voice/mandarin/{LOOK}")
    assert (first.status_code, first.mimetype, first.data) == (200, "audio/ogg", shipped("mandarin", LOOK))
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    again = client.get(f"/voice/mandarin/{LOOK}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", SOUNDS)
def test_the_sounds_are_served(station: Any, name: str) -> None:
    answer = create_panel(station).test_client().get(f"/voice/sounds/{name}")
    assert (answer.status_code, answer.data[:4]) == (200, b"OggS")


@pytest.mark.parametrize(
    "path",
    ["mandarin/../../manifest.json", "mandarin/%2e%2e%2fmanifest", "mandarin/step.look.title.ogg", "klingon/" + LOOK,
     "sounds/" + LOOK, "mandarin/good", "mandarin/step.pairing.title", "mandarin/finger_title", "%2e%2e/%2e%2e"],
)  # fmt: skip
def test_no_name_leads_out_of_the_catalogue(station: Any, path: str) -> None:
    assert create_panel(station).test_client().get(f"/voice/{path}").status_code == 404


def test_a_slot_without_any_clip_is_answered_with_nothing(station: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = create_panel(station).test_client()
    monkeypatch.setattr("web.panel.voice.voices.load_manifest", lambda: {})
    assert client.get(f"/voice/teochew/{LOOK}").status_code == 204


def test_another_page_may_not_fetch_clips(station: Any) -> None:
    client = create_panel(station).test_client()
    assert client.get(f"/voice/mandarin/{LOOK}", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_voice_that_is_switched_off_serves_nothing_and_tells_the_page(station: Any) -> None:
    app = create_panel(station, voice=VoiceSettings(enabled=False))
    client = app.test_client()
    assert client.get(f"/voice/mandarin/{LOOK}").status_code == 404
    assert '"enabled": false' in client.get("/").text


def test_every_state_is_pushed_with_the_volume_of_that_moment(station: Any) -> None:
    settings = VoiceSettings(quiet_hours=parse_quiet_hours("12:00-14:00"), quiet_volume=0.3)
    moments = iter([datetime(2026, 3, 5, 3, 59, tzinfo=UTC), datetime(2026, 3, 5, 4, 0, tzinfo=UTC)])
    app = create_panel(station, voice=settings, clock=lambda: next(moments), heartbeat_s=0.01)
    volumes = []
    answer = app.test_client().get("/events")
    for chunk in answer.response:
        if b"event: state" in chunk:
            volumes.append(json.loads(chunk.decode().split("data: ")[1])["volume"])
            station.show("look")
        if len(volumes) == 2:
            break
    answer.close()
    assert volumes == [0.8, 0.3]


# --- how clips are made ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_short_soft_at_its_ends_and_stays_below_two_kilohertz(name: str) -> None:
    sound = chime(name).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    pitch_hz = np.fft.rfftfreq(sound.size, 1 / RATE_HZ)
    assert sound.size / RATE_HZ < 1.5
    assert max(abs(sound[0]), abs(sound[-1])) < 0.01
    assert 0.45 < np.abs(sound).max() <= 0.5
    assert spectrum[pitch_hz > 2_000].sum() < 0.01 * spectrum.sum()
    assert set(CHIMES) == set(SOUNDS)


def test_polishing_cuts_silence_and_brings_quiet_and_loud_speech_to_one_level() -> None:
    speech = np.concatenate([np.zeros(22_050), 0.02 * np.sin(np.arange(22_050) / 9), np.zeros(22_050)])
    quiet, loud = polished(speech, 22_050), polished(speech * 40, 22_050)
    assert quiet.size == pytest.approx(22_050 * 1.11, abs=900)
    assert np.allclose(quiet, loud, atol=1e-6)
    assert np.abs(loud).max() <= CEILING
    assert 20 * np.log10(np.sqrt((loud[2_000:20_000] ** 2).mean())) == pytest.approx(-19, abs=0.5)
