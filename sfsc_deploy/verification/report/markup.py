"""HTML in which nothing is forgotten to be escaped: only what `tag` made is taken for HTML."""

import html
from base64 import b64encode

from sfsc_deploy.verification.report.texts import legible


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *content: str, **attributes: str) -> Html:
    """An element.

    Args:
        name: of the element.
        content: other elements, or text, which is escaped.
        attributes: values are escaped; `_` in names stands for `-`, and at their end for nothing, as in `class_`.
    """
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{joined(*content)}</{name}>")


def picture(png: bytes, description: str) -> Html:
    """An image that is part of the page."""
    source = f"data:image/png;base64,{b64encode(png).decode('ascii')}"
    return Html(f'<img src="{source}" alt="{_escaped(description)}">')


def joined(*content: str) -> Html:
    """Elements and texts one after the other, texts escaped."""
    return Html("".join(part if isinstance(part, Html) else _escaped(part) for part in content))


def _escaped(text: str) -> str:
    return html.escape(legible(text), quote=True)
