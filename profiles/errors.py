"""The one error type of this package that is meant for the person at the keyboard."""


class ProfileError(Exception):
    """A profile that doesn't exist, can't be read, or says something that can't be done.

    Args:
        message: what was wrong, in which file, and what was expected instead.
        remedy: the name or key that mends it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()
