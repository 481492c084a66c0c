"""The correction center: its interface for kiosks and the console for its staff.

``create_center`` in ``web.center.app`` puts everything together.
"""
