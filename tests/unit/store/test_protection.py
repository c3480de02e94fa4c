"""Every column of every table is sealed, marked or free, and the documentation says which."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model

from certuary.services.ports import SEALED_KINDS
from certuary.store.protection import Protection
from tests import django_process

django_process.configure()

PAGE = Path(__file__).parents[3] / "docs" / "seals.md"
BEGIN, END = "<!-- columns -->\n", "<!-- end of columns -->\n"


OTHERS = {
    "account": "allauth's addresses for mail, of which there is none here: the tables stay empty",
    "auth": "Django's permissions and groups: nothing reads them, roles are on the sealed user",
    "contenttypes": "Django's list of its own tables",
    "mfa": "allauth's second factors, which open pages: a change takes the password as well",
}
"""The tables that come with packages, and why what stands in them is not believed."""


def models() -> list[type[Model]]:
    """Ours, those that stand for a table: a proxy has the columns of its model."""
    ours = [model for label in ("store", "portal") for model in apps.get_app_config(label).get_models()]
    return sorted((one for one in ours if not one._meta.proxy), key=lambda model: model._meta.db_table)


def protection_of(model: type[Model]) -> Protection:
    declared = model.__dict__.get("protection")
    assert isinstance(declared, Protection), f"{model.__name__} does not say how its columns are protected"
    return declared


def test_every_table_is_ours_or_its_package_is_known() -> None:
    with_tables = {config.label for config in apps.get_app_configs() if any(config.get_models())}
    assert with_tables == {"store", "portal", *OTHERS}


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_column_is_classified_once(model: type[Model]) -> None:
    columns = {field.attname for field in model._meta.concrete_fields}
    assert set(protection_of(model).classes()) == columns


def test_a_column_declared_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Protection(sealed="name", free={"name": "why"}).classes()


def test_every_free_column_has_a_reason_and_every_mark_says_what_it_is() -> None:
    for model in models():
        protection = protection_of(model)
        assert all(protection.free.values())
        assert bool(protection.marked) == bool(protection.how) or protection.sealed


def test_what_is_declared_sealed_is_what_a_seal_covers() -> None:
    # Django's models can be imported only after it is configured.
    from certuary.store.record_rows import MODELS, columns

    for kind in SEALED_KINDS:
        declared = set(protection_of(MODELS[kind]).sealed.split())
        # The statement names id and version, and the entry in the manifest covers the seal itself.
        assert declared == {"id", "version", "seal", "removed_at", *columns(kind)}, kind


def test_the_page_says_what_the_models_declare() -> None:
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = before + BEGIN + table() + END + after
    if os.environ.get("WRITE_DOCS"):
        PAGE.write_text(wanted)
    assert text == wanted, "run the tests once with WRITE_DOCS=1"


def table() -> str:
    lines = ["| table | columns | class | how, or why not |", "|---|---|---|---|"]
    lines += [line for model in models() for line in rows(model)]
    return "\n".join(lines) + "\n"


def rows(model: type[Model]) -> Iterator[str]:
    protection, name = protection_of(model), model._meta.db_table
    names = {field.attname: str(field.column) for field in model._meta.concrete_fields}
    if protection.sealed:
        yield row(name, [names[one] for one in protection.sealed.split()], "sealed", "")
    if protection.marked:
        yield row(name, [names[one] for one in protection.marked.split()], "marked", protection.how)
    reasons: dict[str, list[str]] = {}
    for column, reason in protection.free.items():
        reasons.setdefault(reason, []).append(names[column])
    for reason, columns in reasons.items():
        yield row(name, columns, "free", reason)


def row(table_name: str, columns: list[str], kind: str, words: str) -> str:
    return f"| {table_name} | {', '.join(columns)} | {kind} | {words} |".replace("  |", " |")
