"""The contents of a page: links to all of its sections."""

import re
from collections.abc import Iterator

_HEADING = re.compile(r"<h2(?: id=\"([^\"]*)\")?>(.*?)</h2>", re.DOTALL)
_EMPTY = '<nav class="contents" aria-label="Contents"></nav>'


def with_contents(page: str) -> str:
    """The page with an id on each section heading that has none, and links to all of them in its empty `nav`.

    What a run says is escaped in it: a heading in the text is one of the template.
    """
    known = {found[1] for found in _HEADING.finditer(page)}
    links: list[str] = []

    def named(found: re.Match[str]) -> str:
        title = re.sub(r"<[^>]*>", "", found[2]).strip()
        place = found[1] or next(_ids(title, known))
        known.add(place)
        links.append(f'<a href="#{place}">{title}</a>')
        return f'<h2 id="{place}">{found[2]}</h2>'

    page = _HEADING.sub(named, page)
    return page.replace(_EMPTY, _EMPTY.replace("></", f">{''.join(links)}</"), 1)


def _ids(title: str, known: set[str | None]) -> Iterator[str]:
    """Ids of a title that are not taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", re.sub(r"&[#a-z0-9]+;", " ", title.lower())).strip("-") or "part"
    number = 1
    while True:
        name = plain if number == 1 else f"{plain}-{number}"
        if name not in known:
            yield name
        number += 1
