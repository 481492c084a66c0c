"""The kiosk's own screen. Owns one page and what it pushes; refuses names, records and decisions."""
