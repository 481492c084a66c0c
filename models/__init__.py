"""The shared language of Muster and its rules: biometrics, people, attendance, ledger, wire format, store.

Knows no Flask, no OpenCV, no device. Everything else stands on it.
"""
