"""Seals that do not hold: sign the record as it stands, or accept that its row is gone."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.core.seal import SECRET_COLUMNS
from certuary.errors import Conflict, NotFound
from certuary.portal.deps import deps_of
from certuary.portal.seal_problems import columns_shown, missing_entry
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, covering
from certuary.portal.visible import visible
from certuary.services.adopt_record import Shown, adopt_record, describe_seal, forget_record, parse_kind
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.ports import RecordKind
from certuary.services.record_gate import name_of


class AdoptRecord:
    def review(self, content: Content, request: HttpRequest) -> Review:
        kind, shown = _shown(content, request)
        if shown.problem is None:
            raise Conflict("its seal holds: there is nothing to sign")
        differing = {column.name for column in columns_shown(shown) if column.holds is False}
        return Review(
            title=f"Sign {kind} {visible(name_of(shown.record))} as it stands",
            sentence="You vouch for this record as it is now, whoever made it so: from then on it is used.",
            groups=(
                ReviewGroup(
                    title="What you sign",
                    lines=tuple(
                        Line(
                            label=column.name,
                            value=column.value,
                            meaning="secret: its digest" if column.name in SECRET_COLUMNS else "",
                            warning="not what was signed before" if column.name in differing else "",
                        )
                        for column in columns_shown(shown)
                    ),
                ),
                ReviewGroup(
                    title="Why its seal does not hold", lines=(Line(label="Finding", value=shown.problem),)
                ),
            ),
            button="Sign as it stands",
            is_destructive=True,
            back_url=f"/seals/{kind}/{content['id']}/",
            covers=(*covering(shown.record), f"statement:{shown.digest}"),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        kind, shown = _shown(content, request)
        adopt_record(actor, shown, shown.digest, deps)
        message = f"{kind.capitalize()} {visible(name_of(shown.record))} is signed as it stands"
        return Done(message=message, url=f"/seals/{kind}/{content['id']}/")


class ForgetRecord:
    def review(self, content: Content, request: HttpRequest) -> Review:
        kind = parse_kind(str(content["kind"]))
        entry = missing_entry(request, kind, int(content["id"]))
        if entry is None:
            raise Conflict("its row is there: nothing is missing")
        return Review(
            title=f"Accept that {kind} {visible(entry.name)} is gone",
            sentence="You accept that this record is gone: it is no longer missed.",
            groups=(
                ReviewGroup(
                    title="What is gone",
                    lines=(
                        Line(label="Kind", value=kind),
                        Line(label="Name", value=visible(entry.name)),
                        Line(
                            label="Version",
                            value=str(entry.version),
                            warning="To put its row back from a backup needs no signature.",
                        ),
                    ),
                ),
            ),
            button="Sign and forget",
            is_destructive=True,
            back_url=f"/seals/{kind}/{content['id']}/",
            covers=(f"{kind}:{content['id']}:{entry.version}:{entry.digest}",),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        kind = parse_kind(str(content["kind"]))
        entry = missing_entry(request, kind, int(content["id"]))
        if entry is None:
            raise NotFound("its row is there: nothing is missing")
        forget_record(actor, kind, entry.name, deps)
        return Done(message=f"{kind.capitalize()} {visible(entry.name)} is expected no more", url="/seals/")


def _shown(content: Content, request: HttpRequest) -> tuple[RecordKind, Shown]:
    kind = parse_kind(str(content["kind"]))
    record = deps_of(request).records.find(kind, id=int(content["id"]))
    if record is None:
        raise NotFound(f"there is no {kind} with number {content['id']}")
    return kind, describe_seal(record, deps_of(request).gate())
