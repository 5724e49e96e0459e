"""NAD draws the student's attention to that of a fine-tuned teacher."""

from __future__ import annotations

import numpy as np
import pytest
from backdoored import accuracy, network
from cases import case_of, repaired

from badrepair.defenses.nad import Nad
from badrepair.models.attention import attending


def test_the_student_looks_where_the_teacher_looks():
    case, defense = case_of(), Nad(teacher_epochs=3, learning_rate=0.03)
    teacher, student = defense._taught(case), case.student()
    images, labels = next(case.drawn(60))

    def apart():
        pairs = zip(attending(student, 3)(images)[1], attending(teacher, 3)(images)[1], strict=True)
        return sum(float(np.mean((one - other) ** 2)) for one, other in pairs)

    before = apart()
    step = Nad(learning_rate=0.003)._distilling(student, teacher, 1000.0)
    for _ in range(20):
        step(images, labels)
    assert apart() < 0.8 * before


@pytest.mark.slow
def test_clean_images_are_answered_as_before():
    assert accuracy(repaired("nad", epochs=4).model) > accuracy(network()) - 0.05
