"""What templates need beside Django's own: icons, moments, and states that say a word beside their colour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Final

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from certuary.portal.visible import visible

register = template.Library()

_ICONS: Final = resources.files("certuary.portal") / "static" / "portal" / "vendor" / "icons"
_STATE_ICONS: Final = {
    "good": "circle-check",
    "attention": "alert-triangle",
    "broken": "circle-x",
    "quiet": "info-circle",
}
_SPANS: Final = ((365 * 86400, "year"), (30 * 86400, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


@cache
def _svg(name: str) -> str:
    """Only what is drawn: how lines are drawn stands once, in `portal.css`, since a list has a hundred icons."""
    drawn = re.findall(
        r"<(?!/|svg\b)(?!path stroke=\"none\")[^>]+/>", (_ICONS / f"{name}.svg").read_text("utf-8")
    )
    return f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{"".join(drawn)}</svg>'


@register.simple_tag
def icon(name: str) -> SafeString:
    """A Tabler icon, for the eye alone: what it stands for is said in words beside it."""
    # Our own file, of a name that a template wrote.
    return mark_safe(_svg(name))  # noqa: S308


@register.simple_tag
def state(tone: str, text: str) -> SafeString:
    """`tone` is good, attention, broken or quiet."""
    return format_html('<span class="state {}">{} {}</span>', tone, icon(_STATE_ICONS[tone]), text)


@register.simple_tag
def moment(when: datetime | None, empty: str = "never") -> SafeString:
    """Relative for the eye, absolute on hover and for those who listen."""
    if when is None:
        return format_html('<span class="text-secondary">{}</span>', empty)
    absolute = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" title="{}">{}<span class="visually-hidden"> ({})</span></time>',
        when.isoformat(),
        absolute,
        relative(when, timezone.now()),
        absolute,
    )


def relative(when: datetime, now: datetime) -> str:
    seconds = (when - now).total_seconds()
    for size, word in _SPANS:
        count = int(abs(seconds) // size)
        if count:
            span = f"{count} {word}{'s' if count > 1 else ''}"
            return f"in {span}" if seconds > 0 else f"{span} ago"
    return "now" if seconds <= 0 else "in a moment"


@register.simple_tag
def copy_button(value: object, what: str) -> SafeString:
    return format_html(
        '<button type="button" class="copy" data-copy="{}" aria-label="Copy {}">{}</button>',
        value,
        what,
        icon("copy"),
    )


@register.filter
def shown(text: object) -> str:
    """Text of strangers, with what hides or turns around named; autoescaping does the rest."""
    return visible(str(text))


@register.filter
def commands(text: object) -> SafeString:
    """Commands between backticks, as messages for terminals have them, as code."""
    parts = visible(str(text)).split("`")
    if len(parts) % 2 == 0:
        return format_html("{}", "`".join(parts))
    marked = (
        format_html("<code>{}</code>", part) if place % 2 else format_html("{}", part)
        for place, part in enumerate(parts)
    )
    return format_html_join("", "{}", ((part,) for part in marked))


@register.filter
def grouped(number: object) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,}" if isinstance(number, int) else str(number)


@register.filter
def get(mapping: Mapping[str, object], key: str) -> object:
    """For keys that a template cannot write, such as "validity.lifetime"."""
    return mapping.get(key, "")
