"""The end of a run as HTML for mail: tables, and styles of each element, are what mail programs show."""

from html import escape

from soak.reports.look.palette import Role, light
from soak.runner.notify.digest import Digest, ObjectiveLine
from soak.runner.notify.message import COLOURS, Tone

PICTURE = "run.png"
"""The name of the attached picture, by which the text shows it."""

_STATUS = {"PASS": light(Role.OK), "FAIL": light(Role.BAD)}
_INK, _SOFT, _LINE, _PAPER = map(light, (Role.INK, Role.SOFT, Role.LINE, Role.PAPER))
_FONT = "font-family:system-ui,Segoe UI,Helvetica,Arial,sans-serif"


def html_of(digest: Digest, tone: Tone, *, with_picture: bool) -> str:
    """The body of a mail. `with_picture`: the picture goes with it as PICTURE."""
    why = "".join(_reason(what, explained) for what, explained in digest.why)
    picture = (
        f'<p><img src="cid:{PICTURE}" alt="{escape(digest.pictured)}" width="640" style="max-width:100%;height:auto"></p>'
        if with_picture
        else ""
    )
    more = f"<p>{digest.more} more objectives are in the report.</p>" if digest.more else ""
    commands = "".join(f"<div><code>{escape(each)}</code></div>" for each in digest.commands)
    return (
        f'<div style="{_FONT};color:{_INK};background:{_PAPER};max-width:680px;padding:8px">'
        f'<p style="margin:0;padding:10px 14px;color:{_PAPER};background:{COLOURS[tone]};font-size:20px">'
        f"<strong>{escape(digest.headline)}</strong></p>"
        f'<h2 style="margin:14px 0 2px;font-size:18px">{escape(digest.title)}</h2>'
        f'<p style="margin:0;color:{_SOFT}">{escape(digest.about)}</p>'
        f"{f'<ul>{why}</ul>' if why else ''}{_table(digest.rows)}{more}{picture}"
        f'<div style="margin-top:12px">{commands}</div></div>'
    )


def _reason(what: str, explained: str) -> str:
    below = f'<br><span style="color:{_SOFT}">{escape(explained)}</span>' if explained else ""
    return f"<li><strong>{escape(what)}</strong>{below}</li>"


def _table(rows: tuple[ObjectiveLine, ...]) -> str:
    if not rows:
        return ""
    cell = f"padding:4px 10px;border-bottom:1px solid {_LINE}"
    head = "".join(
        f'<th scope="col" align="{align}" style="{cell}">{name}</th>'
        for name, align in (("", "left"), ("objective", "left"), ("observed", "right"), ("margin", "right"))
    )
    body = "".join(
        f'<tr><td style="{cell};color:{_STATUS.get(row.status, light(Role.DOUBT))}"><strong>{escape(row.status)}</strong></td>'
        f'<td style="{cell}">{escape(row.objective)}</td>'
        f'<td align="right" style="{cell}">{escape(row.observed)}</td>'
        f'<td align="right" style="{cell}">{escape(row.margin)}</td></tr>'
        for row in rows
    )
    return f'<table cellspacing="0" style="border-collapse:collapse;margin:12px 0"><tr>{head}</tr>{body}</table>'
