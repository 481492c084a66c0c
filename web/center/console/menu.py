"""All parts of the console, in the order of the menu."""

from __future__ import annotations

from flask import Blueprint

from web.center.console.account import account_pages
from web.center.console.due import due_pages
from web.center.console.enrolling import enrolling_pages
from web.center.console.kiosks import kiosk_pages
from web.center.console.log import log_pages
from web.center.console.overview import overview_pages
from web.center.console.people import people_pages
from web.center.console.reports import report_pages
from web.center.console.sites import site_pages
from web.center.console.staff import staff_pages
from web.center.console.trail import trail_pages

CONSOLE: tuple[Blueprint, ...] = (
    account_pages,
    overview_pages,
    people_pages,
    enrolling_pages,
    due_pages,
    report_pages,
    log_pages,
    kiosk_pages,
    site_pages,
    staff_pages,
    trail_pages,
)
