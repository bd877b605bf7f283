"""What the work is: plain functions and small frozen values, without an orchestrator.

Belongs here: declarations, ingestion, validation, features, labels, models, evaluation, the gate, releases, scoring.
Does not belong here: Dagster (`assets/`), the web service (`serving/`), alarms (`monitoring/`).
"""
