"""What every report says in the same words."""

import re

from sfsc_deploy.verification.verdict import Number, Verdict

_ILLEGIBLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_LONGEST = 40


def legible(text: str) -> str:
    """`text` with a replacement character for what neither XML nor UTF-8 can hold: a file's name may be any bytes."""
    return _ILLEGIBLE.sub("\ufffd", text)


def figure(value: Number | str | None) -> str:
    """A value or threshold as people read it: nothing where there is none, of a hash its beginning."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:12]}..."
    return f"{value:.9g}"


def percent(share: float) -> str:
    """A share of 1 in percent, without the sign."""
    return f"{100 * share:.1f}"


def thresholds_told(verdict: Verdict) -> str:
    """Which thresholds were kept."""
    if verdict.policy is None:
        return "Thresholds: those built in."
    looser = f", looser than built in: {'; '.join(verdict.policy.looser)}" if verdict.policy.looser else ""
    return f"Thresholds: policy {verdict.policy.file}, SHA-256 {verdict.policy.sha256}{looser}."
