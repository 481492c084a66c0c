"""The layouts of the kiosk's database, in order."""
