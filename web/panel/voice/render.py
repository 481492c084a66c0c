"""Make the shipped clips: ``python -m web.panel.voice.render``. Owns how the synthetic voice speaks.

Needs espeak-ng and opusenc (Debian: espeak-ng, opus-tools) on the machine of whoever changes a text; no kiosk needs
them. Only clips whose text, pinyin or settings changed are made again; what no slot needs any more is removed. Refuses
a Chinese text without checked pinyin: a guessed tone is a wrong word.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from models.errors import InputError, MusterError
from web.panel.voice.catalogue import ENGLISH, MANDARIN, SHIPPED, slots, spoken, text_hash
from web.panel.voice.chimes import CHIMES, RATE_HZ, chime
from web.panel.voice.containers import clip_duration_s
from web.panel.voice.manifest import CLIPS, HERE, MANIFEST_FILE, ShippedClip, read_manifest, write_manifest

PINYIN_FILE: Final = HERE / "pinyin.json"
VOICE_SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    # words/min as espeak-ng counts them; measured: about 195 syllables and 140 words a minute
    MANDARIN: ("-v", "cmn-latn-pinyin", "-s", "160", "-p", "45", "-a", "100"),
    ENGLISH: ("-v", "en-us", "-s", "118", "-p", "45", "-a", "100"),
}
OPUS: Final = ("--bitrate", "14", "--vbr", "--comp", "10", "--framesize", "20", "--speech", "--padding", "0")
LOUDNESS_DB: Final = -19.0  # mean level of the spoken parts, of full scale
CEILING: Final = 0.89  # -1 dB
_SILENCE_DB: Final = -42.0  # below the loudest part
_LEAD_S, _TAIL_S = 0.03, 0.08
_MAKE: Final = "3"  # raise it when the polishing changes, so that every clip is made again

Samples = npt.NDArray[np.float64]


def main() -> int:
    """Bring clips and manifest up to date; say what was made."""
    parser = argparse.ArgumentParser(description="Make the clips of the kiosk's synthetic voice.")
    parser.add_argument("--all", action="store_true", help="make every clip again")
    try:
        made, removed, total = render(again=parser.parse_args().all)
    except MusterError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{made} clips made, {removed} removed, {total:,} bytes in all\n")
    return 0


def render(*, again: bool = False) -> tuple[int, int, int]:
    """Clips made, clips removed, bytes of all. Raises InputError if pinyin or a tool is missing."""
    pinyin = load_pinyin()
    before = (
        {} if again else {clip.recipe: clip for of in read_manifest(MANIFEST_FILE).values() for clip in of.values()}
    )
    manifest: dict[str, dict[str, ShippedClip]] = {}
    kept: dict[str, ShippedClip] = {}
    made = 0
    for voice in SHIPPED:
        for code, slot in slots().items():
            text = slot.text(voice)
            words = pinyin[text] if voice == MANDARIN else spoken(text)
            recipe = text_hash("|".join((_MAKE, *VOICE_SETTINGS[voice], *OPUS, words, text)))
            clip = kept.get(recipe) or _kept(before.get(recipe))
            if clip is None:
                clip = _make(_speak(words, voice), f"{voice}/{code}.{recipe[:6]}.ogg", text_hash(text), recipe)
                made += 1
            kept[recipe] = manifest.setdefault(voice, {})[code] = clip
    for name in CHIMES:
        sound = chime(name).astype(np.float64)
        recipe = text_hash(f"{_MAKE}|{name}|{CHIMES[name]}|{OPUS}")
        clip = _kept(before.get(recipe))
        if clip is None:
            clip = _make((sound, RATE_HZ), f"sounds/{name}.{recipe[:6]}.ogg", text_hash(name), recipe)
            made += 1
        manifest.setdefault("sounds", {})[name] = clip
    write_manifest(MANIFEST_FILE, manifest)
    return made, _remove_others(manifest), sum(path.stat().st_size for path in CLIPS.rglob("*.ogg"))


def load_pinyin() -> dict[str, str]:
    """Pinyin by Chinese text. Raises InputError naming the texts that lack it."""
    pinyin = read_pinyin()
    lacking = sorted({slot.chinese for slot in slots().values()} - set(pinyin))
    if lacking:
        raise InputError(f"Write down in {PINYIN_FILE.name} how this is said: {' | '.join(lacking)}")
    return pinyin


def read_pinyin() -> dict[str, str]:
    """What PINYIN_FILE holds: pinyin by Chinese text, tones as digits, 5 for none."""
    pinyin: dict[str, str] = json.loads(PINYIN_FILE.read_text("utf-8"))
    return pinyin


def _kept(clip: ShippedClip | None) -> ShippedClip | None:
    return clip if clip is not None and clip.path.exists() else None


def _make(sound: tuple[Samples, int], file: str, text: str, recipe: str) -> ShippedClip:
    path = CLIPS / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "clip.wav"
        plain.write_bytes(_as_wav(*sound))
        # A fixed serial number: the same text gives the same file.
        serial = str(int(recipe[:7], 16))
        _run(["opusenc", "--quiet", *OPUS, "--serial", serial, str(plain), str(path)])
    return ShippedClip(file, text, recipe, round(clip_duration_s(path.read_bytes(), ".ogg"), 2))


def _speak(words: str, voice: str) -> tuple[Samples, int]:
    """The words as polished samples, and their rate in Hz."""
    with wave.open(io.BytesIO(_run(["espeak-ng", "-b", "1", *VOICE_SETTINGS[voice], "--stdout"], words))) as clip:
        rate_hz = clip.getframerate()
        content = clip.readframes(1 << 30)  # a stream's header does not know its length
    samples = np.frombuffer(content[: len(content) // 2 * 2], "<i2").astype(np.float64) / 32_768
    return polished(samples, rate_hz), rate_hz


def polished(samples: Samples, rate_hz: int) -> Samples:
    """Without silence at the ends, its spoken parts at LOUDNESS_DB, its peaks bent below CEILING."""
    window = rate_hz // 50
    whole = samples[: samples.size // window * window].reshape(-1, window)
    level_db = 20 * np.log10(np.sqrt((whole**2).mean(axis=1)) + 1e-9)
    heard = np.flatnonzero(level_db > level_db.max() + _SILENCE_DB)
    body = samples[heard[0] * window : (heard[-1] + 1) * window]
    spoken_db = 10 * np.log10((10 ** (level_db[level_db > level_db.max() - 25] / 10)).mean())
    body = body * 10 ** ((LOUDNESS_DB - spoken_db) / 20)
    bend = 0.6
    over = np.abs(body) > bend
    body[over] = np.sign(body[over]) * (
        bend + (CEILING - bend) * np.tanh((np.abs(body[over]) - bend) / (CEILING - bend))
    )
    ramp = np.linspace(0, 1, rate_hz // 200)
    body[: ramp.size] *= ramp
    body[-ramp.size :] *= ramp[::-1]
    return np.concatenate([np.zeros(int(_LEAD_S * rate_hz)), body, np.zeros(int(_TAIL_S * rate_hz))])


def _as_wav(samples: Samples, rate_hz: int) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(rate_hz)
        clip.writeframes((samples * 32_767).astype("<i2").tobytes())
    return content.getvalue()


def _run(command: list[str], words: str = "") -> bytes:
    try:
        return subprocess.run(command, input=words.encode(), capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise InputError(f"{command[0]} is missing; on Debian: apt-get install espeak-ng opus-tools.") from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"{command[0]} failed: {error.stderr.decode(errors='replace').strip()}.") from error


def _remove_others(manifest: Mapping[str, Mapping[str, ShippedClip]]) -> int:
    wanted = {clip.path for of in manifest.values() for clip in of.values()}
    others = [path for path in CLIPS.rglob("*.ogg") if path not in wanted]
    for path in others:
        path.unlink()
    return len(others)


if __name__ == "__main__":
    sys.exit(main())
