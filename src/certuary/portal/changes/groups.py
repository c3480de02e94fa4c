"""Groups: add one, give one another name."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.portal.people import find_group
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, covering
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.manage_group import add_group, rename_group


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


class RenameGroup:
    def review(self, content: Content, request: HttpRequest) -> Review:
        group = find_group(request, int(content["id"]))
        line = Line(label="Name", value=str(content["name"]), before=str(group.values["name"]))
        url = f"/groups/{group.id}/"
        return Review(
            title=f"Another name for {group.values['code']}",
            sentence="You change what people call this group; its code and what belongs to it stay.",
            groups=(
                ReviewGroup(title="Group", lines=(line,), edit_url=f"{url}edit/?token={content['token']}"),
            ),
            back_url=url,
            covers=covering(group),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        group = find_group(request, int(content["id"]))
        rename_group(actor, str(group.values["code"]), str(content["name"]), deps)
        return Done(
            message=f"{group.values['code']} is now called {content['name']}", url=f"/groups/{group.id}/"
        )
