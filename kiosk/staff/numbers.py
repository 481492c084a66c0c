"""A person's number, typed by staff. Refuses to say more of anybody than the last character of the name."""

from __future__ import annotations

from kiosk.roster import SitePerson
from kiosk.staff.talk import NUMBER, Talk


def ask_number(talk: Talk) -> SitePerson:
    """Whoever has the typed number at this site; asked again until somebody has. Raises Back, Over."""
    refused = 0
    while True:
        number = talk.ask_digits(NUMBER, refused, hint="number_unknown")
        person = talk.tools.fresh().by_number(number) if number else None
        if person is not None:
            return person
        refused += 1
