"""Formulas of `role.yaml`: Jinja expressions over the options of a topology."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.environment import TemplateExpression
    from pydantic import BaseModel


def names(options: BaseModel) -> dict[str, Any]:
    """The options that a formula may read, by name."""
    return {field: getattr(options, field) for field in type(options).model_fields}


def evaluated(formula: str, options: Mapping[str, Any]) -> Any:  # noqa: ANN401  as Jinja says it
    """The value of a formula, which may call `max` and `ceil`."""
    return _compiled(formula)(**options)


@cache
def _compiled(formula: str) -> TemplateExpression:
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment()
    environment.globals = {"max": max, "ceil": math.ceil}
    return environment.compile_expression(formula, undefined_to_none=False)
