"""Properties: set and unset. They carry no seal, since plain SQL may edit them; here a password is proved."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.portal.deps import deps_of
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.set_property import (
    find_property,
    set_property,
    unset_property,
    warnings_about_property,
)

_LIST = "/properties/"


class SetProperty:
    def review(self, content: Content, request: HttpRequest) -> Review:
        records = deps_of(request).records
        key, value = str(content["key"]), str(content["value"])
        current = records.find("property", property_key=key)
        before = None if current is None else current.values
        warnings = warnings_about_property(key, value, records)
        lines = (
            Line(label="Key", value=key),
            Line(
                label="Value",
                value=value,
                before=None if before is None else str(before["property_value"]),
                warning="; ".join(warnings),
            ),
            Line(
                label="Status",
                value=str(content["status"]),
                before=None if before is None else str(before["status"]),
            ),
        )
        return Review(
            title="A new property" if current is None else f"Change {key}",
            sentence="You set a property. It takes effect within two seconds, everywhere.",
            groups=(
                ReviewGroup(
                    title="Property", lines=lines, edit_url=f"/properties/set/?token={content['token']}"
                ),
            ),
            back_url=_LIST,
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        saved = set_property(actor, str(content["key"]), str(content["value"]), str(content["status"]), deps)
        return Done(message=f"{content['key']} is set", url=_LIST, warnings=saved.warnings)


class UnsetProperty:
    def review(self, content: Content, request: HttpRequest) -> Review:
        row = find_property(deps_of(request).records, str(content["key"]))
        lines = (
            Line(label="Key", value=str(row.id)),
            Line(label="Value", value=str(row.values["property_value"])),
            Line(label="Status", value=str(row.values["status"])),
        )
        return Review(
            title=f"Unset {row.id}",
            sentence="You remove this row. It takes effect within two seconds, everywhere.",
            groups=(ReviewGroup(title="What goes", lines=lines),),
            button="Sign and Unset",
            is_destructive=True,
            back_url=_LIST,
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        unset_property(actor, str(content["key"]), deps)
        return Done(message=f"{content['key']} is unset", url=_LIST)
