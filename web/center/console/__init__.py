"""The console for the center's staff: server-rendered pages that work without scripts, except enrolling by webcam.

Each module is one part of the menu. ``CONSOLE`` in ``web.center.console.menu`` lists them.
"""
