"""All parts of the console, in the order of the menu."""

from __future__ import annotations

from flask import Blueprint

from web.center.console.account import account_pages

CONSOLE: tuple[Blueprint, ...] = (account_pages,)
