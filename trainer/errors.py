"""The one error type of the trainer that is meant for the person at the keyboard."""


class TrainerError(Exception):
    """A recipe, checkpoint or set of images that the trainer can't work with.

    Args:
        message: what was wrong, where, and what was expected instead.
        remedy: the setting that mends it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()
