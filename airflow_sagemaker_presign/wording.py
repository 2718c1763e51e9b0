"""Words for values that messages, pages and logs all show."""

from __future__ import annotations

from datetime import timedelta


def sentence_case(text: str) -> str:
    """Return a text with its first letter upper; ``str.capitalize`` would make "MLflow" "Mlflow"."""
    return text[:1].upper() + text[1:]


def format_duration(duration: timedelta) -> str:
    """Return a duration in words: ``7 days``, ``1 hour 30 minutes``."""
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    counts = ((days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second"))
    words = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counts if count]
    return " ".join(words) or "0 seconds"
