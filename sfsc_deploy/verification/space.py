"""Do all subjects embed into one space? Nothing else may be compared."""

from collections import Counter
from collections.abc import Mapping

from sfsc_deploy.verification.verdict import Finding, measured, unverified

_UNKNOWN = unverified("Neither a sidecar nor the file says to which space it belongs. Copy its sidecar along.")

_TWO_GENERATIONS = (
    "Where two generations are meant, the old one's gallery staying, try that: sfsc-deploy verify-compat --upgrade OLD "
    "NEW --data DIR"
)
"""What may have been meant by two spaces."""


def judge_spaces(spaces: Mapping[str, str | None]) -> dict[str, Finding]:
    """Compare the spaces that the subjects name.

    Args:
        spaces: id of the space by subject; None where it isn't known.

    Returns:
        A finding for each subject. Where more than half of them agree the others fail; where no space has the
        majority nobody can tell which is meant, and all fail.
    """
    known = [space for space in spaces.values() if space is not None]
    hint = f" {_TWO_GENERATIONS}" if len(set(known)) == 2 else ""
    meant = next((space for space, count in Counter(known).most_common(1) if 2 * count > len(known)), None)
    return {name: _judge(space, meant, hint) for name, space in spaces.items()}


def judge_generations(spaces: Mapping[str, str | None]) -> dict[str, Finding]:
    """Compare the spaces where two generations are meant: that of the first subject is the old one.

    Args:
        spaces: as of `judge_spaces`.
    """
    known = list(dict.fromkeys(space for space in spaces.values() if space is not None))
    first = next(iter(spaces.values()))
    return {name: _judge_generation(space, first, known) for name, space in spaces.items()}


def _judge_generation(space: str | None, old: str | None, known: list[str]) -> Finding:
    if space is None or old is None:
        return _UNKNOWN
    if len(known) != 2:
        why = f"An upgrade takes artifacts of two spaces, the old one's first; these belong to {len(known)}."
        return measured(False, why, space, "two spaces")
    generation = "old" if space == old else "new"
    return measured(True, f"The {generation} generation, space {space[:12]}.", space, "two spaces")


def _judge(space: str | None, meant: str | None, hint: str) -> Finding:
    if space is None:
        return _UNKNOWN
    if meant is None:
        why = f"The subjects belong to different spaces; their embeddings must not be compared.{hint}"
        return measured(False, why, space, "one space")
    if space != meant:
        why = f"It belongs to space {space[:12]}, the others to {meant[:12]}: they must not be compared.{hint}"
        return measured(False, why, space, meant)
    return measured(True, f"Space {space[:12]}.", space, meant)
