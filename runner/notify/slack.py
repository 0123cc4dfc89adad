"""Messages to an incoming webhook of Slack: text for alerts, blocks for the end of a run.

Blocks and their limits (50 blocks, 150 characters of a header, 3,000 of a section):
https://docs.slack.dev/reference/block-kit/blocks
"""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from soak.runner.notify.digest import Digest, ObjectiveLine
from soak.runner.notify.message import COLOURS, Message, Send, Tone

HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
TIMEOUT_S = 10.0
_MOST_HEADER, _MOST_SECTION = 150, 3_000
_MARKS = {Tone.INFO: "", Tone.SUCCESS: "\u2705 ", Tone.WARNING: "\u26a0\ufe0f ", Tone.FAILURE: "\u274c "}


def is_webhook(url: str) -> bool:
    """Whether a URL is that of an incoming webhook, as Slack shows it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.hostname in HOSTS and parts.path.startswith("/services/")


def payload_of(message: Message) -> dict[str, Any]:
    """The body of a request; `text` is what notifications and screen readers show."""
    title = f"{_MARKS[message.tone]}{message.title}"
    if message.digest is None:
        text = f"*{escaped(title)}*\n{escaped(message.text)}"
        return {"text": escaped(title), "attachments": [{"color": COLOURS[message.tone], "blocks": [_section(text)]}]}
    blocks = [_header(title), *_blocks(message.digest)]
    return {"text": escaped(title), "attachments": [{"color": COLOURS[message.tone], "blocks": blocks}]}


def _blocks(digest: Digest) -> list[dict[str, Any]]:
    """What comes below the verdict: why and since when, each objective with its margin, what to copy."""
    blocks = [_section(f"*{escaped(digest.title)}*\n{escaped(digest.about)}")]
    if digest.why:
        lines = [
            f"• {escaped(what)}" + (f"\n{escaped(explained)}" if explained else "") for what, explained in digest.why
        ]
        blocks.append(_section("\n".join(lines)))
    if digest.rows:
        blocks.append(_section(f"```\n{_table(digest.rows)}\n```"))
    more = [f"{digest.more} more objectives are in the report"] if digest.more else []
    commands = [f"`{escaped(each)}`" for each in digest.commands]
    elements = [{"type": "mrkdwn", "text": "   ".join([*map(escaped, more), *commands])[:_MOST_SECTION]}]
    return [*blocks, {"type": "context", "elements": elements}]


def _table(rows: tuple[ObjectiveLine, ...]) -> str:
    cells = [(row.status, row.objective, row.observed, row.margin) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = [
        f"{status:{widths[0]}}  {objective:{widths[1]}}  {observed:>{widths[2]}}  {f'margin {margin}' if margin else ''}"
        for status, objective, observed, margin in cells
    ]
    return escaped("\n".join(line.rstrip() for line in lines)).replace("`", "'")


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(text, _MOST_HEADER)}}


def _section(text: str) -> dict[str, Any]:
    closing = "\n```" if text.startswith("```") else ""
    cut = text if len(text) <= _MOST_SECTION else _cut(text, _MOST_SECTION - len(closing)) + closing
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut}}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def escaped(text: str) -> str:
    """Text in Slack's markup: three letters have a meaning that mentions and links begin with."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_sender(url: str) -> Send:
    """Sends to a webhook."""
    import urllib3

    pool = urllib3.PoolManager(timeout=urllib3.Timeout(TIMEOUT_S), retries=False)

    def send(message: Message) -> bool:
        body = msgspec.json.encode(payload_of(message))
        headers = {"Content-Type": "application/json"}
        answer = pool.request("POST", url, body=body, headers=headers, preload_content=False, redirect=False)
        answer.close()
        return bool(200 <= answer.status < 300)

    return send
