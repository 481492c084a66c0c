"""The language of SAM_V identity card readers: frames, status words and the text on a card.

Shared by the driver, which asks, and the simulated reader, which answers. Refuses ports, clocks and threads.
"""
