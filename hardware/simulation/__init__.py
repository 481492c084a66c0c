"""Simulated hardware that speaks the real protocols. Whatever it produces says of itself that it is simulated."""
