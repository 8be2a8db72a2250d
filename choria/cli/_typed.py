"""What is typed for a command from a file of YAML besides what the file describes."""

from __future__ import annotations

import attrs

from ._call_options import Asking
from ._finding import Finding
from ._options import Connection, Filters
from ._output import Output
from ._rolling import RollingOut


@attrs.frozen
class Typed:
    """What was typed besides the command's own arguments and flags."""

    yes: bool = False
    json: bool = False
    where: Connection = attrs.field(factory=Connection)
    which: Filters = attrs.field(factory=Filters)
    finding: Finding = attrs.field(factory=Finding)
    rolling: RollingOut = attrs.field(factory=RollingOut)
    output: Output = attrs.field(factory=Output)
    asking: Asking = attrs.field(factory=Asking)
