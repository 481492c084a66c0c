"""Migrations of the center's database."""
