"""Turn the two-person rule on or off for a kind of change. Off takes two persons itself, by its own rule."""

from __future__ import annotations

from certuary.errors import Conflict, InvalidSeal, InvalidValue
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import CA_ADMINISTRATOR, Actor
from certuary.services.find_record import nearest
from certuary.services.ports import Record
from certuary.services.two_persons import RULES, switch_name


def switch_rule(actor: Actor, rule: str, *, enabled: bool, deps: ChangeDeps) -> Record:
    """`Conflict` when it is so already, or when there would be nobody to be the second person."""
    name = switch_name(parse_rule(rule))
    with change_records(actor, deps) as changes:
        changes.require_ca_administrator("a security switch")
        state = changes.rules()[rule]
        if state.problem:
            raise InvalidSeal(f"the switch counts as on, since it cannot be believed: {state.problem}")
        if state.is_on == enabled:
            raise Conflict(f"the two-person rule is {'on' if enabled else 'off'} for {RULES[rule]} already")
        if enabled and len(enabled_ca_administrators(deps)) < 2:  # the rule's own number
            raise Conflict(
                "the two-person rule needs two enabled CA Administrators, so that there is somebody to approve; add one"
            )
        switch = changes.find("switch", name=name)
        if switch is None:
            return changes.create("switch", {"name": name, "enabled": enabled})
        return changes.update(switch, {"enabled": enabled})


def parse_rule(text: str) -> str:
    if text not in RULES:
        raise InvalidValue(
            f"there is no kind of change {text!r}{nearest(text, RULES)}; choose from {', '.join(RULES)}",
            rule="two-persons",
        )
    return text


def enabled_ca_administrators(deps: ChangeDeps) -> list[int | str]:
    """Their numbers. Those that cannot be believed are left out by `deps.records` itself."""
    return [
        user.id
        for user in deps.records.all("user")
        if user.values["role"] == CA_ADMINISTRATOR and user.values["enabled"]
    ]
