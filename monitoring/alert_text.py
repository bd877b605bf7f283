"""How an alert is written for people."""

from monitoring.alerts import Alert, NewsKind


def text_of(alert: Alert, news: NewsKind) -> tuple[str, str]:
    """Subject and body of the message."""
    if news == "ended":
        return f"all clear: {alert.key}", f"Over since {alert.ended}. It began in {alert.opened}: {alert.says}"
    again = "still " if news == "changed" else ""
    lines = {
        "": alert.says,
        "Since": alert.opened,
        "Costs": alert.cost,
        "Decided": alert.decided,
        "Look at": alert.link,
    }
    body = "\n".join(f"{name}: {text}" if name else text for name, text in lines.items() if text)
    return f"{again}{alert.severity.name.lower()}: {alert.key}", body
