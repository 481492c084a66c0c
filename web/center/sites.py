"""Sites, their policies, and what they ask and offer. Owns entering and changing them.

The rules of a policy stand in ``models.supervision``, those of questions in ``models.questions``.
"""

from __future__ import annotations

import json
import re

from sqlalchemy.orm import Session

from enrollment.repository import bump_gallery
from models.errands import USUAL_ERRANDS, Errand
from models.errors import InputError
from models.questions import Question, check_questions
from models.store.center import SiteRow
from models.supervision import SitePolicy
from web.center.context import Center
from web.center.vaults import site_key

_SITE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def add_site(center: Center, session: Session, site_id: str, name: str, policy: SitePolicy | None = None) -> None:
    """Enter a site with its own key. Raises InputError: site_id_invalid, site_taken or site_name_invalid."""
    if not _SITE_ID.fullmatch(site_id):
        raise InputError("A site's code is 1 to 32 small letters, digits and hyphens.", code="site_id_invalid")
    if session.get(SiteRow, site_id) is not None:
        raise InputError(f"The site {site_id} is there already.", code="site_taken")
    chosen = policy or SitePolicy(timezone=center.settings.timezone)
    site_key(center, site_id)
    session.add(
        SiteRow(
            site_id=site_id, name=_name(name), policy_json=json.dumps(chosen.to_json()), policy_version=chosen.version
        )
    )
    session.flush()
    bump_gallery(session, site_id, center.clock())


def change_site(center: Center, session: Session, site_id: str, *, name: str, policy: SitePolicy) -> None:
    """Change a site. Raises InputError if a changed policy keeps its version: past reports refer to it."""
    row = session.get(SiteRow, site_id)
    if row is None:
        raise InputError("There is no such site.", code="site_unknown")
    if policy != policy_of(row) and policy.version == row.policy_version:
        raise InputError("A changed policy needs a new version.", code="policy_version_same")
    row.name, row.policy_json, row.policy_version = _name(name), json.dumps(policy.to_json()), policy.version
    bump_gallery(session, site_id, center.clock())


def change_visit(center: Center, session: Session, site_id: str, *, questions: list[str], errands: list[str]) -> None:
    """Say what is asked and offered at a site's kiosks. Raises InputError: question_unknown, questions_many,
    errand_unknown, or errand_report_missing: whoever comes must be able to report."""
    row = session.get(SiteRow, site_id)
    if row is None:
        raise InputError("There is no such site.", code="site_unknown")
    if not set(errands) <= {errand.value for errand in Errand}:
        raise InputError("There is no such errand.", code="errand_unknown")
    if Errand.REPORT_IN_PERSON.value not in errands:
        raise InputError("A kiosk takes reports in person.", code="errand_report_missing")
    row.questions = " ".join(check_questions(questions))
    row.errands = " ".join(errand for errand in USUAL_ERRANDS if errand in errands)
    bump_gallery(session, site_id, center.clock())


def questions_of(row: SiteRow) -> tuple[Question, ...]:
    """What is asked at a site."""
    return tuple(Question(code) for code in (row.questions or "").split())


def errands_of(row: SiteRow) -> tuple[Errand, ...]:
    """What is offered at a site; everything, until the office chose."""
    return USUAL_ERRANDS if row.errands is None else tuple(Errand(code) for code in row.errands.split())


def policy_of(row: SiteRow) -> SitePolicy:
    """The policy of a site. Raises ConfigurationError if the row is damaged."""
    return SitePolicy.from_json(json.loads(row.policy_json))


def _name(name: str) -> str:
    trimmed = " ".join(name.split())
    if not 1 <= len(trimmed) <= 64 or not trimmed.isprintable():
        raise InputError("A site's name is 1 to 64 printable characters.", code="site_name_invalid")
    return trimmed
