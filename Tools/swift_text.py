"""Swift (and C) sources with comments and strings taken out, for checks that read code."""

from __future__ import annotations


def blanked(text: str, strings: bool) -> str:
    """The text with comments (and the contents of strings) as spaces, lines kept where they are.

    Good enough for this code: nested comments, multi-line strings and interpolations are understood, regex literals
    are not.
    """
    out = list(text)

    def blank(start: int, end: int) -> None:
        for place in range(start, end):
            if out[place] != "\n":
                out[place] = " "

    def string(place: int) -> int:
        quote = '"""' if text.startswith('"""', place) else '"'
        start = place
        place += len(quote)
        while place < len(text) and not text.startswith(quote, place):
            if text.startswith("\\(", place):
                # What is interpolated is code again.
                blank(start + 1, place) if strings else None
                place = code(place + 2, ")")
                start = place - 1
            else:
                place += 2 if text[place] == "\\" else 1
        if strings:
            blank(start + (len(quote) if start == place else 1), place)
        return min(len(text), place + len(quote))

    def code(place: int, stop: str | None) -> int:
        depth = 0
        while place < len(text):
            if text.startswith("//", place):
                end = text.find("\n", place)
                end = len(text) if end < 0 else end
                blank(place, end)
                place = end
            elif text.startswith("/*", place):
                start, nested, place = place, 1, place + 2
                while place < len(text) and nested:
                    if text.startswith("/*", place):
                        nested, place = nested + 1, place + 2
                    elif text.startswith("*/", place):
                        nested, place = nested - 1, place + 2
                    else:
                        place += 1
                blank(start, place)
            elif text[place] == '"':
                place = string(place)
            else:
                if stop and text[place] == "(":
                    depth += 1
                elif stop and text[place] == stop:
                    if depth == 0:
                        return place + 1
                    depth -= 1
                place += 1
        return place

    code(0, None)
    return "".join(out)
