"""A subscription company that exists only as a seed: it writes raw tables and, apart from them, the truth.

Belongs here: how the simulated world moves. No other module may read the truth except the project's own benchmarks.
"""
