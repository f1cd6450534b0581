"""What a lesson's texts, checks and scripts may name: the cluster's addresses, and values that differ by its name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from lab.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.learning.lesson import IndividualValue, LessonData
    from lab.plan import Plan
    from lab.topology import Cluster


def individual(cluster: str, lesson: str, name: str, value: IndividualValue) -> str | int:
    """The value for one cluster: the same each time, and another one for most other names."""
    number = int.from_bytes(hashlib.sha256(f"{cluster}/{lesson}/{name}".encode()).digest()[:8])
    if value.of:
        return value.of[number % len(value.of)]
    least, most = value.least or 0, value.most or 0
    return least + number % (most - least + 1)


def names(data: LessonData, lesson: str, cluster: Cluster, plan: Plan) -> dict[str, Any]:
    """All that `{{ ... }}` may name, by name."""
    own = {name: individual(cluster.name, lesson, name, value) for name, value in data.values.items()}
    return {
        "cluster": cluster.name,
        "domain": cluster.domain,
        "site": cluster.site,
        "vip": plan.vip,
        "network": str(plan.network.cidr),
        "prefixlen": plan.network.prefixlen,
        "address": {node.name: node.address for node in plan.nodes},
        **own,
    }


def filled(template: Any, known: Mapping[str, Any], where: str = "") -> Any:  # noqa: ANN401  YAML's values
    """A text with its names filled in; of lists and mappings all texts.

    Raises:
        SpecError: it names something that is not known.
    """
    if isinstance(template, dict):
        return {key: filled(value, known, where) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, known, where) for value in template]
    if not isinstance(template, str) or ("{{" not in template and "{%" not in template):
        return template
    try:
        return _JINJA.from_string(template).render(known)
    except TemplateError as error:
        known_names = ", ".join(known)
        raise SpecError(f"{error}", where=where, next_step=f"known names: {known_names}") from None


_JINJA = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
