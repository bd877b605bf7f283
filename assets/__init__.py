"""How Dagster runs the work: the code location, its jobs, schedules, sensors, and the command line.

Belongs here: thin assets that fetch, call one function of `pipeline/` and attach metadata.
Does not belong here: decisions, formulas, file formats.
"""
