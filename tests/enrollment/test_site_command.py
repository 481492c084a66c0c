"""``muster evaluate site``: a site's own references, opened with its own key, measured and never written out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
from click.testing import CliRunner
from noise_people import KnownFingers, finger_minutiae

import matcher.scales
from enrollment.repository import row_of
from enrollment.site_command import _command, site_command
from enrollment.vault import SiteKey, Vault
from matcher.scales import ScoreScale
from models.biometrics import FingerPosition, Modality, Reference, Template, TemplateFormat
from models.errors import InputError, VaultError
from models.store.center import PersonKeyRow, PersonRow
from models.store.engine import writing

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PEOPLE = 6


class Faces:
    """Compares vectors as face engines do, and finds nothing in pictures."""

    name, format = "vectors", TemplateFormat("vectors", 1)

    def vectors(self, templates):
        return np.array([np.frombuffer(item.payload, "<f4") for item in templates], np.float32)


class Rooms:
    @staticmethod
    def load_engine(name):
        return {"sface": Faces, "minutiae": KnownFingers}[name]()


@pytest.fixture
def site(store, tmp_path, monkeypatch):
    """Six people with three faces and three impressions each, captured on three days, sealed in the center's store."""
    scale = ScoreScale(0.5, ((1e-3, 0.5), (1e-6, 0.6)), near=0.05, apart=0.1)
    monkeypatch.setattr(matcher.scales, "SCALES", {**matcher.scales.SCALES, "vectors": scale})
    monkeypatch.setattr("matcher.decision.SCALES", matcher.scales.SCALES)
    (tmp_path / "keys" / "sites").mkdir(parents=True)
    vault = Vault(SiteKey.load_or_create(tmp_path / "keys" / "sites" / "s-1.key"))
    random = np.random.default_rng(1)
    with writing(store) as rows:
        for number in range(PEOPLE):
            person_id = f"measured-{number}"
            rows.add(
                PersonRow(person_id=person_id, number=f"9{number}", name="某", site_id="s-1", level="2", category="02",
                          active=True, created_at=NOW)
            )  # fmt: skip
            rows.flush()
            key = vault.new_person_key(person_id)
            rows.add(PersonKeyRow(person_id=person_id, key_id=key.key_id, nonce=key.nonce, ciphertext=key.ciphertext))
            middle = random.normal(size=64)
            for shot in range(3):
                at = NOW + timedelta(days=shot)
                vector = middle + 0.3 * random.normal(size=64)
                face = Template(Faces.format, (vector / np.linalg.norm(vector)).astype("<f4").tobytes())
                finger = KnownFingers().template(finger_minutiae(number + 1, shot))
                for modality, position, template in (
                    (Modality.FACE, None, face),
                    (Modality.FINGER, FingerPosition.RIGHT_INDEX, finger),
                ):
                    held = Reference(str(uuid4()), person_id, modality, position, template, 0.9, at)
                    rows.add(row_of(vault.seal(held, key)))
    return tmp_path


def run(site, *arguments, code="s-1"):
    fixed = ["--site", code, "--database", f"sqlite:///{site / 'center.db'}"]
    return CliRunner().invoke(site_command, [*fixed, *arguments], obj=Rooms())


def test_a_site_is_measured_and_says_what_cannot_be_claimed(site):
    result = run(site, "--json", str(site / "rates.json"), "--html", str(site / "page.html"), "--language", "en")
    assert result.exit_code == 0, result.exception
    found = json.loads((site / "rates.json").read_text("utf-8"))
    assert found["enrolled"]["with_face"] == found["enrolled"]["with_finger"] == PEOPLE
    for modality in ("face", "finger"):
        assert found[modality]["comparisons"] == {"genuine": 18, "impostor": 15, "same_sitting": False}
        assert found[modality]["fmr"] == 0.0
        assert found[modality]["lowest_fmr_that_can_be_shown"] == pytest.approx(3 / 15)
        assert found[modality]["fpir"] == 0.0
    assert found["face"]["fnir"] == 0.0
    assert found["visits"]["visits"] == 0
    assert "<html" in (site / "page.html").read_text("utf-8")
    assert f"{site / 'page.html'} shows it as a page." in result.stderr


def test_nobody_is_named_and_no_template_leaves(site):
    text = run(site).output
    assert "某" not in text
    assert "measured-" not in text


def test_without_the_sites_key_nothing_opens(site):
    (site / "keys" / "sites" / "s-1.key").unlink()
    assert isinstance(run(site).exception, VaultError)


def test_a_site_that_is_not_there_is_one_sentence(site):
    error = run(site, code="s-9").exception
    assert isinstance(error, InputError)
    assert error.code == "site_unknown"
    assert str(error) == "There is no site s-9 at this center."


@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_site_is_not_opened_for_a_file_that_cannot_be_written(site, option):
    error = run(site, option, str(site / "gone" / "file"), code="s-9").exception
    assert isinstance(error, InputError)
    assert str(error) == f"{site / 'gone' / 'file'} cannot be written: there is no folder {site / 'gone'}."


@pytest.mark.parametrize("words", [["--database", "{}"], ["--database={}"]])
def test_the_page_never_shows_the_password_of_the_database(words):
    database = "postgresql+psycopg://muster:hidden-word@db/center"
    shown = _command([word.format(database) for word in words], database)
    assert "hidden-word" not in shown
    assert "muster:***@db/center" in shown
