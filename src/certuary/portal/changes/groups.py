"""Groups: add one."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup
from certuary.services.change_record import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.manage_group import add_group


class NewGroup:
    def review(self, content: Content, request: HttpRequest) -> Review:
        return Review(
            title="A new group",
            sentence="You add a group, by which applications and users are gathered.",
            groups=(
                ReviewGroup(
                    title="Group",
                    lines=(Line(label="Name", value=str(content["name"])),),
                    edit_url=f"/groups/new/?token={content['token']}",
                ),
            ),
            back_url="/groups/",
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        group = add_group(actor, str(content["name"]), deps)
        return Done(message=f"Group {group.values['code']} {content['name']} is there", url="/groups/")
