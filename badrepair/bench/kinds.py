"""What a defence does: it mends the network, or it watches the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.errors import OptionError

if TYPE_CHECKING:
    from badrepair.bench.line import Kind


def kind_of(plug_in: type) -> Kind:
    """Return what a class does, by its method.

    Raises:
        OptionError: MethodInvalid: it has both methods.
    """
    repairs, detects = hasattr(plug_in, "repair"), hasattr(plug_in, "fit")
    if repairs and detects:
        problem = "expected a class with repair or with fit, found both"
        raise OptionError("MethodInvalid", plug_in.__name__, problem, "make two classes of it")
    return "detector" if detects else "repair"
