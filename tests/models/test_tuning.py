"""Fine-tuning keeps its best epoch, and stops when it gains no more."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from chancy import CURVE, at_zero, bits, scripted, trainer

from badrepair.errors import ModelError
from badrepair.models.save import write_model
from badrepair.models.tuning import fine_tune, is_out_of_patience, kept_epoch

KEPT = [  # accuracies, floor, epoch that is kept
    ((), 0.0, 0),
    ((0.5,), 0.5, 1),
    ((0.5,), 0.6, 0),
    ((0.9, 0.8, 0.7), 0.5, 1),
    ((0.7, 0.8, 0.9), 0.5, 3),
    ((0.9, 0.9, 0.8), 0.5, 2),
    ((0.8, 0.9, 0.8, 0.9, 0.8), 0.5, 4),
    ((0.3, 0.2, 0.1), 0.31, 0),
    ((0.86,), 0.9 - 0.04, 1),
    ((0.94,), 0.98 - 0.04, 1),  # 0.98 - 0.04 is 0.94 all the same
    ((1 - 0.7,), 0.3 + 1e-10, 1),
    ((0.3,), 0.3 + 1e-8, 0),
    ((0.0, 0.0), 0.0, 2),
]


@pytest.mark.parametrize(("accuracies", "floor", "epoch"), KEPT)
def test_the_best_epoch_that_reaches_the_floor_is_kept_the_latest_of_equals(
    accuracies, floor, epoch
):
    assert kept_epoch(accuracies, floor) == epoch


PATIENCE = [  # what the judge would answer, patience, epochs that are run, epoch that is kept
    ((0.9, 0.8, 0.7, 0.6, 0.5), 0, 5, 1),
    ((0.9, 0.8, 0.7, 0.6, 0.5), 1, 2, 1),
    ((0.9, 0.8, 0.7, 0.6, 0.5), 2, 3, 1),
    ((0.9, 0.8, 0.7, 0.6, 0.5), 4, 5, 1),
    ((0.9, 0.8, 0.7, 0.6, 0.5), 5, 5, 1),
    ((0.5, 0.6, 0.7, 0.8, 0.9), 1, 5, 5),
    ((0.9, 0.9, 0.9, 0.9, 0.9), 1, 5, 5),  # as good as the best is progress
    ((0.8, 0.7, 0.8, 0.7, 0.6), 2, 5, 3),
    ((0.8, 0.7, 0.8, 0.7, 0.6, 0.9), 2, 5, 3),
    ((0.8, 0.6, 0.7, 0.9), 2, 3, 1),  # rising below the best is no progress
    ((0.8, 0.7, 0.9, 0.8, 0.7, 0.9), 2, 5, 3),
    ((0.2, 0.1, 0.9), 1, 2, 0),  # below the floor of 0.5 patience counts too
    ((0.4, 0.9), 1, 2, 2),
]


@pytest.mark.parametrize(("accuracies", "patience", "run", "epoch"), PATIENCE)
def test_early_stopping_by_hand(accuracies, patience, run, epoch):
    fine_tuner = trainer(augment="none")
    tuned = fine_tune(
        fine_tuner,
        scripted(accuracies),
        epochs=len(accuracies),
        floor=0.5,
        patience=patience,
    )
    assert tuned.accuracies == accuracies[:run]
    assert tuned.epoch == epoch
    assert tuned.stopped_early is (run < len(accuracies))


def test_patience_is_a_question_of_the_curve_alone():
    assert not is_out_of_patience((), 1)
    assert not is_out_of_patience((0.9, 0.1), 0)


def weights_after_every_epoch():
    """Return the weights from before and after 1, 2, … epochs, by plain training."""
    plain = trainer()
    seen = [plain.model.get_weights()]
    plain.run(range(1, len(CURVE) + 1), lambda epoch: seen.append(plain.model.get_weights()))
    return [bits(weights) for weights in seen]


@pytest.mark.parametrize(
    ("curve", "floor", "epoch"), [(CURVE, 0.5, 4), (CURVE, 0.8, 0), ((0.9, 0.1), 0.5, 1)]
)
def test_the_network_is_left_with_the_weights_of_the_epoch_that_was_kept(curve, floor, epoch):
    fine_tuner = trainer()
    tuned = fine_tune(fine_tuner, scripted(curve), epochs=len(curve), floor=floor)
    assert tuned.epoch == epoch
    assert bits(fine_tuner.model.get_weights()) == weights_after_every_epoch()[epoch]
    assert at_zero(fine_tuner.model)


def test_without_an_epoch_nothing_is_trained_or_judged_and_a_frozen_network_is_no_trouble():
    fine_tuner = trainer()
    fine_tuner.model.trainable = False
    before = bits(fine_tuner.model.get_weights())
    tuned = fine_tune(fine_tuner, lambda: pytest.fail("nothing to judge"), epochs=0, floor=0)
    assert (tuned.accuracies, tuned.epoch, tuned.stopped_early) == ((), 0, False)
    assert bits(fine_tuner.model.get_weights()) == before
    with pytest.raises(ModelError, match="NothingToTrain"):
        fine_tune(fine_tuner, lambda: 1.0, epochs=1, floor=0)


def test_pruned_channels_are_zero_in_the_saved_network(tmp_path):
    fine_tuner = trainer()
    fine_tune(fine_tuner, scripted(CURVE), epochs=len(CURVE), floor=0)
    for name in ("net.keras", "net.h5"):
        write_model(fine_tuner.model, tmp_path / name)
        assert at_zero(keras.models.load_model(tmp_path / name, compile=False))


def test_weights_that_must_be_zero_and_are_not_in_the_kept_network_are_a_fault_of_ours():
    fine_tuner = trainer()
    variable, _ = fine_tuner.held_at_zero[1]
    variable.assign(np.ones(5))
    with pytest.raises(RuntimeError, match="conv/bias"):
        fine_tune(fine_tuner, scripted(CURVE), epochs=len(CURVE), floor=1)


BROKEN = [  # accuracies before the epoch that breaks down, epoch that is kept, what is said
    ((), 0, "epoch 1 left weights that are no numbers, and it was undone"),
    ((0.5, 0.75), 2, "epoch 3 left weights that are no numbers, and epoch 2 was kept, 75.00 %"),
    ((0.1,), 0, "and none before it was within the budget: it was undone"),
]


@pytest.mark.parametrize(("curve", "epoch", "said"), BROKEN)
def test_an_epoch_that_diverges_ends_the_tuning_and_is_never_kept(curve, epoch, said):
    fine_tuner, answer = trainer(), scripted(curve)
    seen = [bits(fine_tuner.model.get_weights())]

    def judge():
        seen.append(bits(fine_tuner.model.get_weights()))
        if len(seen) > len(curve):
            diverge(fine_tuner)
        return answer()

    if not curve:
        diverge(fine_tuner)
    tuned = fine_tune(fine_tuner, judge, epochs=9, floor=0.5)
    assert (tuned.accuracies, tuned.epoch) == (curve, epoch)
    assert (tuned.broke_down, tuned.stopped_early) == (True, True)
    assert said in tuned.why(0.5)
    assert bits(fine_tuner.model.get_weights()) == seen[epoch]


def diverge(fine_tuner):
    """Let the next step be no number."""
    state = fine_tuner.state()
    fine_tuner.restore([a * a.dtype.type(np.nan) if a.dtype.kind == "f" else a for a in state])
