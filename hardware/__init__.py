"""Cameras and fingerprint sensors, real and simulated, behind two ports. Knows nothing of matching.

Where simulated hardware needs a matcher inside (a fingerprint sensor has one), it is handed in.
"""
