"""Migrations of the kiosk's database."""
