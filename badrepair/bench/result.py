"""What a defence comes to in one setting, over its seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair.bench.line import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.bench.line import Kind
    from badrepair.bench.measure import Measure, Setting
    from badrepair.bench.outcome import Name

# An attack works, and is left, where its mean success over the seeds is above this share.
WORKS_ABOVE = 0.2
# A network that has lost more clean accuracy than this to the attack may have collapsed.
DROP_ABOVE = 0.02


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a defence comes to in one setting.

    Args:
        setting: Data, network, attack and poison rate.
        defense: Its label.
        kind: What it is; None where no cell of it was begun.
        planned: Number of cells: seeds.
        done: Those with a result.
        failed: Those that ended in an error.
        undefended: Mean attack success on the networks as they are; None where it is unknown.
        accuracy_drop: How far their mean clean accuracy lies below that of the clean control; None
            of a control, and where either is unknown.
        measures: What was measured.
    """

    setting: Setting
    defense: str
    kind: Kind | None
    planned: int
    done: int
    failed: int
    undefended: float | None
    accuracy_drop: float | None
    measures: Mapping[Name, Measure]

    @property
    def control(self) -> bool:
        """Return whether nobody attacked these networks."""
        return self.setting.attack == NONE

    @property
    def works(self) -> bool:
        """Return whether the attack works on the undefended networks."""
        return self.undefended is not None and self.undefended > WORKS_ABOVE

    @property
    def left(self) -> bool | None:
        """Return whether it works on the defended ones; None where that was not measured."""
        success = self.measures.get("attack_success_rate")
        return None if success is None else success.mean > WORKS_ABOVE

    @property
    def made_to_work(self) -> bool:
        """Return whether it works on the defended ones, but not on the undefended."""
        known = self.defense != NONE and self.undefended is not None
        return known and not self.works and self.left is True

    @property
    def lowers_accuracy(self) -> bool:
        """Return whether the attack has cost the undefended networks clean accuracy."""
        # Of 0.97 - 0.95 the last digits say more than two points.
        return self.accuracy_drop is not None and round(self.accuracy_drop, 9) > DROP_ABOVE
