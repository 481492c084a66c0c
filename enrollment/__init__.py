"""Enrolling a person: the session, the notice, the search for duplicates, sealed references and their erasure."""
