"""The errors of this package, meant for the person at the keyboard."""


class ExportError(Exception):
    """Something about an export that the user can mend.

    Args:
        message: what was wrong, where, and what was expected instead.
        remedy: the command or setting that mends it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class FormatUnavailable(ExportError):  # noqa: N818 - a state of the machine, not a mistake
    """A format that is known but can't be written here."""
