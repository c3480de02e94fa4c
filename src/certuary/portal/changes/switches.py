"""Security switches: which kinds of change take two persons."""

from __future__ import annotations

from django.http import HttpRequest

from certuary.errors import Conflict, InvalidSeal
from certuary.portal.approving import rules_now
from certuary.portal.deps import deps_of
from certuary.portal.signing import Content, Done, Line, Review, ReviewGroup, covering
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.switch_rule import parse_rule, switch_rule
from certuary.services.two_persons import RULES, switch_name

URL = "/switches/"
USERS_ARE_FREE = (
    "Users take one person: a CA Administrator can add an account and approve with it. Switch that on, too"
)


class SwitchRule:
    def review(self, content: Content, request: HttpRequest) -> Review:
        rule, enabled = parse_rule(str(content["rule"])), bool(content["enabled"])
        states = rules_now(request)
        if states[rule].problem:
            raise InvalidSeal(f"the switch counts as on, since it cannot be believed: {states[rule].problem}")
        if states[rule].is_on == enabled:
            raise Conflict(f"{RULES[rule]} take {_persons(enabled)} already")
        is_open = enabled and rule != "user" and not states["user"].is_on
        line = Line(
            label=RULES[rule],
            value=_persons(enabled),
            before=_persons(states[rule].is_on),
            meaning=_ON if enabled else _OFF,
            warning=USERS_ARE_FREE if is_open else "",
        )
        return Review(
            title=f"{RULES[rule]}: {_persons(enabled)}",
            sentence=(
                "You decide that such changes take a second person from now on."
                if enabled
                else "You decide that such changes take one person from now on."
            ),
            groups=(ReviewGroup(title="Two persons", lines=(line,)),),
            is_destructive=not enabled,
            back_url=URL,
            covers=covering(deps_of(request).records.find("switch", name=switch_name(rule))),
        )

    def apply(self, content: Content, actor: Actor, deps: ChangeDeps, request: HttpRequest) -> Done:
        rule, enabled = str(content["rule"]), bool(content["enabled"])
        switch_rule(actor, rule, enabled=enabled, deps=deps)
        return Done(message=f"{RULES[rule]} take {_persons(enabled)} from now on", url=URL)


_ON = "The first signature asks, the second, with another account, makes the change. To switch this off takes two, too."
_OFF = "One entitled person changes them alone."


def _persons(two: bool) -> str:  # a word for either
    return "two persons" if two else "one person"
