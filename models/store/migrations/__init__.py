"""Alembic scripts: one folder per branch, because a kiosk and a center never share a database."""
