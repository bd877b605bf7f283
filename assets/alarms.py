"""Tells somebody: by webhook where one is set, in the log otherwise."""

import json
import logging
import urllib.request
from http.client import HTTPException

from pipeline.settings import Settings

SECONDS_TO_ANSWER = 10


def tell(settings: Settings, subject: str, body: str, run_id: str = "") -> bool:
    """Send one message; False where it could only be logged. Never raises: an alarm must not fail what it tells of."""
    log = logging.getLogger("churn.alarms")
    log.error("%s: %s (run %s)", subject, body, run_id)
    if settings.webhook_url is None:
        return False
    message = json.dumps({"text": f"{subject}\n{body}", "run_id": run_id}).encode()
    url = settings.webhook_url.get_secret_value()
    try:
        request = urllib.request.Request(url, message, {"Content-Type": "application/json"})  # noqa: S310  (the user's own)
        with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER):  # noqa: S310
            return True
    except (OSError, HTTPException, ValueError) as error:
        log.error("the webhook did not take the message: %s", error)
        return False
