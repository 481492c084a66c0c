"""Comparing faces and fingers: engines, quality, gallery, decision, presentation check, evaluation.

Knows no device and no person's name. Weights are files named in ``weights.toml``, never part of the tree.
"""
