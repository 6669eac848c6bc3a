"""What the package raises for the person at the keyboard."""


class SfscError(Exception):
    """Something the user can mend.

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


class Interrupted(SfscError):  # noqa: N818 - a wish of the user's, not a mistake
    """The user stopped a piece of work, with which the same or another command goes on."""
