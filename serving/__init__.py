"""How the current release answers: the web service, its ladder of fallbacks, its guard and its Bento.

Belongs here: requests, responses, the choice of what answers. Training and scoring formulas live in `pipeline/`.
"""
