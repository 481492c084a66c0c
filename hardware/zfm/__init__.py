"""The language of ZhianTec ZFM-20 and R30x fingerprint sensors: frames, codes and the packed image.

Shared by the driver, which asks, and the simulated sensor, which answers. Refuses ports, clocks and threads.
"""
