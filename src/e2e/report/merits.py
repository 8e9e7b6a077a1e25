"""What models are ranked by: the one place of the report that asks what the goal of a task is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from e2e.tasks import Classification, Quantity, Regression, Task

TWO_CLASSES, MANY_CLASSES, MASS = "two classes", "many classes", "mass"


@dataclass(frozen=True)
class Merit:
    """A figure of merit: its ``key`` in metrics.json, ``name`` and ``unit``, and the ``digits`` to be told.

    ``kind`` says what is measured, ``phrase`` names the figure within a sentence. ``watched`` is the
    column of a history that follows it in the validation part, ``loss`` the words for what is minimised.
    ``true`` is the quantity that a target is, where it is one to draw. ``beside`` are figures without
    which the first says too little, by their key, and ``banded`` those of them that have a value in each
    band of the ``true`` quantity.
    """

    kind: str
    key: str
    name: str
    phrase: str
    unit: str
    digits: int
    larger_is_better: bool
    watched: str
    loss: str
    true: Quantity | None = None
    beside: Mapping[str, str] = field(default_factory=dict, hash=False)
    banded: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """Name with unit."""
        return self.name + self.in_unit

    @property
    def in_unit(self) -> str:
        """The unit in brackets, after a space; nothing without one."""
        return "" if self.unit == "1" else f" [{self.unit}]"

    @property
    def of_unit(self) -> str:
        """The unit, after a space and a number; nothing without one."""
        return "" if self.unit == "1" else f" {self.unit}"


AREA = Merit(TWO_CLASSES, "auc", "ROC AUC", "AUC", "1", 4, True, "validation_auc", "Cross-entropy")
MEAN_AREA = Merit(
    MANY_CLASSES,
    "auc",
    "ROC AUC, mean of classes",
    "mean AUC of a class against the others",
    "1",
    4,
    True,
    "validation_auc",
    "Cross-entropy",
)
ERROR = Merit(
    MASS,
    "mean_absolute_error",
    "Mean absolute error",
    "mean absolute error",
    "GeV",
    3,
    False,
    "validation_mae",
    "Minus log likelihood of the mass",
    beside={
        "slope": "slope",
        "resolution": "calibrated resolution",
        "coverage": "coverage of 68 % intervals",
    },
    banded={"bias": "bias", "resolution": "calibrated resolution"},
)
WATCHED = {merit.watched: merit for merit in (MEAN_AREA, AREA, ERROR)}  # by the column of a history


def merit(task: Task) -> Merit:
    """That of a task's models."""
    match task.goal:
        case Classification(classes):
            return AREA if len(classes) == 2 else MEAN_AREA
        case Regression(quantity):
            return replace(ERROR, unit=quantity.unit, true=quantity)
