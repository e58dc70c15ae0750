"""How well inherited errors agree with own trainings: lines of the panel and of `nas watch` without a terminal."""

from __future__ import annotations

from rich.text import Text

from nas.runs.sharing_quality import SharingQuality

_NOT_TRUSTED = "not trusted: candidates are trained"


def sharing_section(quality: SharingQuality | None, width: int) -> list[Text]:
    """The newest numbers in lines of at most `width` columns where they fit, first whether they are not trusted; none without any."""
    if quality is None:
        return []
    lines: list[str] = []
    for part in ([] if quality.trusted else [_NOT_TRUSTED]) + str(quality).split(", "):
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return [Text(line, style="" if quality.trusted else "yellow") for line in lines]


def sharing_lines(quality: SharingQuality | None) -> list[tuple[str, bool]]:
    """The sentence of the decision, and whether inherited errors are trusted; none before it."""
    if quality is None or not quality.text:
        return []
    return [(f"{'' if quality.trusted else 'warning: '}{quality.text}", quality.trusted)]
