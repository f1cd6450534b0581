"""The ports of this machine that lead to the cluster: those that the roles publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from lab.models import Model
from lab.recipes import published_ports

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTO, OFF = "auto", "off"
Port = Annotated[
    Annotated[int, Field(ge=1, le=65535, strict=True)] | Literal["auto", "off"],
    BeforeValidator(lambda value: "off" if value is False else value),  # a bare `off` is false to YAML
]


class Ports(Model):
    """Ports of 127.0.0.1 that lead to the cluster: a number, `auto` (the usual one, or a free one), or `off`."""

    def by_name(self) -> dict[str, int | str]:
        """The port of each name, such as `site-http`."""
        return self.model_dump(by_alias=True)

    def changed(self, ports: Mapping[str, int | str]) -> Ports:
        """These ports, with others of some names."""
        return self.model_copy(update={name.replace("-", "_"): port for name, port in ports.items()})


def ports_model() -> type[Ports]:
    """The model with a field for each port that a role publishes."""
    fields: dict[str, Any] = {
        name.replace("-", "_"): (Port, Field(AUTO, description=f"{entry.what}, usually {entry.usual}"))
        for name, entry in published_ports().items()
    }
    return create_model("Ports", __base__=Ports, __doc__=Ports.__doc__, **fields)
