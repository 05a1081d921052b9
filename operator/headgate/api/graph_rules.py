"""Rules over all nodes of a workflow together.

At 100 nodes with 20 dependencies each they cost less than what the API server grants one rule at run time (1,000,000).
That is why ids and positions are collected once, and the earlier ids once per node: ``indexOf`` costs the text of the
whole list, ``in`` only its length. Messages look a node up by its position, because a string taken out of a filtered
list counts as one of unknown length.
"""

from __future__ import annotations

from headgate.api.rules import Rule, bind

_ID_OF = "d.split(':')[0]"
"""The id of the node that the dependency ``d`` names."""


def _with_positions(body: str) -> str:
    """CEL for ``body`` over the nodes' ``ids`` in order, and their ``positions`` from 0."""
    return bind("ids", "self.map(n, n.id)", bind("positions", "ids.map(id, ids.indexOf(id))", body))


def _with_earlier(body: str) -> str:
    """CEL for ``body`` over the ids that are ``earlier`` than position ``i``."""
    return bind("earlier", "positions.filter(j, j < i).map(j, ids[j])", body)


_IN_ORDER_AT_I = f"!has(self[i].dependsOn) || {_with_earlier(f'self[i].dependsOn.all(d, {_ID_OF} in earlier)')}"

EARLIER_ONLY = Rule(
    cel=_with_positions(f"positions.all(i, {_IN_ORDER_AT_I})"),
    message="list every node after the nodes that it names in dependsOn",
    message_cel=_with_positions(
        bind(
            "i",
            f"positions.filter(i, !({_IN_ORDER_AT_I}))[0]",
            bind(
                "at",
                _with_earlier(f"self[i].dependsOn.map(d, {_ID_OF} in earlier).indexOf(false)"),
                "'node ' + self[i].id + ' depends on ' + self[i].dependsOn[at] + ': list a node of that id before it'",
            ),
        )
    ),
)

_NOT_A_BRANCH = f"d.contains(':') && !d.endsWith(':failed') && !d.endsWith(':ended') && !({_ID_OF} in conditions)"
_NOT_A_BRANCH_AT_N = f"has(n.dependsOn) && n.dependsOn.exists(d, {_NOT_A_BRANCH})"


def _with_conditions(body: str) -> str:
    """CEL for ``body`` over the ids of the nodes that are ``conditions``."""
    return bind("conditions", "self.filter(n, n.type == 'condition').map(n, n.id)", body)


BRANCHES_OF_CONDITIONS = Rule(
    cel=_with_conditions(f"!self.exists(n, {_NOT_A_BRANCH_AT_N})"),
    message="name a branch, as <id>:<branch>, of nodes of type condition only; of an action <id>:failed or <id>:ended",
    message_cel=_with_conditions(
        bind(
            "i",
            f"self.map(n, {_NOT_A_BRANCH_AT_N}).indexOf(true)",
            bind(
                "at",
                f"self[i].dependsOn.map(d, {_NOT_A_BRANCH}).indexOf(true)",
                "'node ' + self[i].id + ' depends on ' + self[i].dependsOn[at]"
                " + ': only a node of type condition has branches, name the id alone, <id>:failed or <id>:ended'",
            ),
        )
    ),
)

HAS_TRIGGER = Rule(
    cel="self.exists(n, n.type == 'trigger')",
    message="add a node of type trigger, such as {id: by-hand, type: trigger, config: {manual: {}}}: without one no "
    "run can start",
)

GRAPH_RULES = (HAS_TRIGGER, EARLIER_ONLY, BRANCHES_OF_CONDITIONS)
"""What the API server checks about the nodes of a workflow together."""
