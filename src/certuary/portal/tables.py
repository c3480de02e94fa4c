"""Lists: one line a record, keyset pages, filters that stand in the URL, and the same rows as CSV or JSON.

A view fills a `Table` and hands it to `table_response`. Pages go by the last row's key and never by an offset.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html
from django.utils.safestring import SafeString

from certuary.portal.column_choice import PARAMETER, ColumnChoice, chosen, remember
from certuary.portal.visible import visible

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    title: str
    is_number: bool = False
    is_extra: bool = False
    """Shown when somebody chooses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """`html` is shown when given (made by `format_html` or a template tag); `text` is what is exported."""

    text: str
    html: SafeString | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    cells: Sequence[Cell]
    is_broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter in force, and the URL without it."""

    text: str
    remove_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A select of the filter form: (value, text) pairs; the first is "any"."""

    name: str
    title: str
    options: Sequence[tuple[str, str]]
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFilter:
    """A typed filter beside the search field; `suggestions` are offered and do not bound it."""

    name: str
    title: str
    value: str = ""
    kind: str = "text"
    suggestions: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    older_url: str = ""
    newer_url: str = ""
    older_text: str = "Older"
    newer_text: str = "Newer"
    chips: Sequence[Chip] = ()
    choices: Sequence[Choice] = ()
    texts: Sequence[TextFilter] = ()
    note: str = ""
    """Said under the rows, such as how far was looked."""
    search_label: str = ""
    query: str = ""
    empty_title: str = "Nothing here yet"
    empty_text: str = ""
    empty_action: tuple[str, str] | None = None
    """(text, URL)"""
    column_choices: Sequence[ColumnChoice] = ()
    kept_parameters: Sequence[tuple[str, str]] = ()
    """What else stands in the URL while columns are chosen."""


def table_response(
    request: HttpRequest, template: str, table: Table, context: dict[str, Any] | None = None
) -> HttpResponse:
    """The page with the columns that its reader chose; or its rows as `?format=csv` or `?format=json`."""
    names = [column.name for column in table.columns]
    usual = [column.name for column in table.columns if not column.is_extra]
    shown = chosen(request, table.caption, names, usual)
    response = _response(request, template, _with_columns(request, table, shown), context)
    remember(request, response, table.caption, shown)
    return response


def _response(
    request: HttpRequest, template: str, table: Table, context: dict[str, Any] | None
) -> HttpResponse:
    form = request.GET.get("format")
    if form == "csv":
        return _csv(table)
    if form == "json":
        return HttpResponse(json.dumps(list(_objects(table)), indent=2), content_type="application/json")
    return render(request, template, {"table": table, **(context or {})})


def _with_columns(request: HttpRequest, table: Table, shown: Sequence[str]) -> Table:
    places = [place for place, column in enumerate(table.columns) if column.name in shown]
    kept = [(name, value) for name, values in request.GET.lists() if name != PARAMETER for value in values]
    return replace(
        table,
        columns=[table.columns[place] for place in places],
        rows=[replace(row, cells=[row.cells[place] for place in places]) for row in table.rows],
        column_choices=[
            ColumnChoice(name=column.name, title=column.title, is_shown=column.name in shown)
            for column in table.columns[1:]
        ],
        kept_parameters=kept,
    )


def clipped(text: str) -> SafeString:
    """For a line of a list: cut where the column ends, whole on hover. The record's page has it whole, too."""
    return format_html('<span class="clip" title="{}">{}</span>', visible(text), visible(text))


def number_of(request: HttpRequest, name: str) -> int | None:
    """A number in the URL; None for anything that no column could hold."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def without(request: HttpRequest, *names: str, **changes: str) -> str:
    """This page's URL with some parameters gone and others set: for chips and pages."""
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = value
    text = query.urlencode()
    return f"{request.path}?{text}" if text else request.path


def page_url(request: HttpRequest, name: str, number: int | None) -> str:
    """The page before or after a row, where there is one."""
    return "" if number is None else without(request, "after", "before", "format", **{name: str(number)})


def _csv(table: Table) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="certuary.csv"'
    writer = csv.writer(response)
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        writer.writerow([spreadsheet_safe(cell.text) for cell in row.cells])
    return response


def spreadsheet_safe(text: str) -> str:
    """A spreadsheet takes what begins so for a formula, and the text came from strangers."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


def _objects(table: Table) -> Iterable[dict[str, str]]:
    names = [column.name for column in table.columns]
    return (dict(zip(names, (cell.text for cell in row.cells), strict=True)) for row in table.rows)
