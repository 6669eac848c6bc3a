"""Words that go with numbers."""


def number_of(count: int, noun: str) -> str:
    """``1 pair``, ``2 pairs``: for nouns that take an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
