"""How we know that the release still works: drift, estimated and realised performance, and what follows from them.

Belongs here: evidence and decisions as plain functions. `assets/monitoring.py` runs them.
"""
