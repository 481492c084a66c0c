"""What the console and the kiosk's screen have in common: languages, words for codes, headers, error answers, style.

Refuses any route of its own.
"""
