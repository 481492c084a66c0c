"""Simulated visits of attackers and of genuine visitors through the kiosk's own presentation check, and their rates."""
