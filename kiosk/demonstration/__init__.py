"""The demonstration: a center and a kiosk with simulated hardware, and visitors who do what the screen asks.

Everything between the simulated devices and the ledger is the real thing. Owns the play and its expected outcomes;
refuses to help it along: the visitors see the screen's state and nothing else.
"""
