"""Training is judged by images that are held out, and heeds every setting."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from badrepair.errors import DataError, OptionError
from badrepair.models import judged
from badrepair.models.checkpoint import Checkpoint
from badrepair.models.judged import Training, held_out_of, train_judged
from badrepair.models.surgery import copy_model
from badrepair.types import Dataset

SOME = {"epochs": 5, "patience": 0, "learning_rate": 0.2, "tuning_batch": 4}


def numbered(count, classes=2):
    """Return images of one pixel each that bear their number, and labels in turn."""
    images = np.arange(count, dtype=np.float32).reshape(count, 1, 1, 1)
    return Dataset(images=images, labels=np.arange(count) % classes)


def numbers(dataset):
    return dataset.images[:].ravel().astype(int).tolist()


def black(label, count=4):
    """Return images without a bright pixel, so that nothing but a bias can learn from them."""
    return Dataset(images=np.zeros((count, 2, 2, 1), np.float32), labels=np.full(count, label))


def undecided(first=1.0):
    """Return a network that answers 0 to black images, as long as its first bias is the larger."""
    inputs = keras.Input((2, 2, 1))
    deciding = layers.Dense(2, activation="softmax", kernel_initializer="zeros")
    model = keras.Model(inputs, deciding(layers.Flatten()(inputs)))
    deciding.bias.assign([first, 0.0])
    return model


@pytest.mark.parametrize(
    ("count", "share", "sizes"), [(20, 0.2, (16, 4)), (20, 0.5, (10, 10)), (3, 0.34, (2, 1))]
)
def test_the_held_out_part_is_a_share_and_the_two_are_all_images(count, share, sizes):
    tuning, held_out = held_out_of(numbered(count), share, seed=3)
    assert (len(tuning), len(held_out)) == sizes
    assert sorted(numbers(tuning) + numbers(held_out)) == list(range(count))
    assert [label % 2 for label in numbers(held_out)] == held_out.labels.tolist()


def test_every_class_keeps_its_share_in_both_parts():
    # Of 30 images 20 are of class 0 and 10 of class 1.
    data = numbered(30)
    data = Dataset(images=data.images, labels=(np.arange(30) >= 20).astype(np.int64))
    tuning, held_out = held_out_of(data, 0.4, seed=0)
    assert np.bincount(tuning.labels).tolist() == [12, 6]
    assert np.bincount(held_out.labels).tolist() == [8, 4]


def test_the_seed_says_which_images_are_held_out():
    chosen = [numbers(held_out_of(numbered(40), 0.25, seed=seed)[1]) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize(
    ("count", "share", "found"),
    [(0, 0.2, "0 and 0"), (1, 0.2, "1 and 0"), (2, 0.2, "2 and 0"), (1, 0.9, "0 and 1")],
)
def test_too_few_images_for_two_parts_are_refused(count, share, found):
    with pytest.raises(DataError, match=f"found {found}") as caught:
        held_out_of(numbered(count), share, seed=0)
    assert caught.value.code == "TooFewImages"
    assert caught.value.hint == "give more clean images, or another --held-out"


# Adam's first steps are as long as its learning rate: of the biases 1 and 0 one falls and the
# other rises by .2 a step, so that the third step turns the answer from 0 to 1.
CHOSEN = [  # label of the held-out images, patience, accuracies, epoch that is kept, first bias
    (0, 0, (1, 1, 0, 0, 0), 2, 0.6),
    (0, 1, (1, 1, 0), 2, 0.6),
    (0, 2, (1, 1, 0, 0), 2, 0.6),
    (1, 0, (0, 0, 1, 1, 1), 5, 0.0),
]


@pytest.mark.parametrize(("label", "patience", "accuracies", "epoch", "bias"), CHOSEN)
def test_the_held_out_images_choose_the_epoch(label, patience, accuracies, epoch, bias):
    model = undecided()
    training = Training(**{**SOME, "patience": patience})
    tuned = train_judged(model, black(1), black(label), training, seed=0)
    assert (tuned.accuracies, tuned.epoch) == (accuracies, epoch)
    assert tuned.stopped_early is (len(accuracies) < 5)
    assert model.weights[-1].numpy()[0] == pytest.approx(bias, abs=0.03)


def test_no_epoch_below_the_floor_is_kept():
    # The third epoch turns the answer, and the images of class 1 are a quarter.
    held_out = Dataset(images=black(0).images, labels=np.array([0, 0, 0, 1]))
    for floor, epoch, bias in ((0.75, 2, 0.6), (0.76, 0, 1.0)):
        model = undecided()
        tuned = train_judged(model, black(1), held_out, Training(**SOME), seed=0, floor=floor)
        assert (tuned.accuracies, tuned.epoch) == ((0.75, 0.75, 0.25, 0.25, 0.25), epoch)
        assert model.weights[-1].numpy()[0] == pytest.approx(bias, abs=0.03)


def test_without_an_epoch_the_network_stays_as_it_is():
    model = undecided()
    tuned = train_judged(model, black(1), black(1), Training(**{**SOME, "epochs": 0}), seed=0)
    assert (tuned.accuracies, tuned.epoch) == ((), 0)
    assert model.weights[-1].numpy().tolist() == [1, 0]


@pytest.fixture
def given(monkeypatch):
    """Return a function that trains and says by what name which part was given what."""
    seen = {}

    def note(owner, part):
        real = getattr(owner, part)

        def noting(*positional, **named):
            seen[part] = {**named, **{str(place): value for place, value in enumerate(positional)}}
            return real(*positional, **named)

        monkeypatch.setattr(owner, part, noting)

    note(judged, "Trainer")
    note(judged, "fine_tune")
    note(judged.inference, "answering")

    def train(model=None, tuning=None, held_out=None, seed=0, more=(), **changes):
        model, tuning = model or undecided(), tuning or black(1)
        training = Training(**{**SOME, **changes})
        train_judged(model, tuning, held_out or black(1), training, seed=seed, **dict(more))
        return seen

    return train


PASSED_ON = [  # a setting, its value, and what is given to whom by what name
    ("learning_rate", 0.03, "Trainer", "learning_rate", 0.03),
    ("tuning_batch", 3, "Trainer", "batch_size", 3),
    ("augment", "none", "Trainer", "augment", "none"),
    ("augment", "flip", "Trainer", "augment", "flip"),
    ("augment", "shift", "Trainer", "augment", "shift"),
    ("schedule", "constant", "Trainer", "decay_over", None),
    ("schedule", "cosine", "Trainer", "decay_over", 5),
    ("epochs", 2, "fine_tune", "epochs", 2),
    ("patience", 4, "fine_tune", "patience", 4),
]


@pytest.mark.parametrize(("setting", "value", "part", "name", "expected"), PASSED_ON)
def test_every_setting_of_a_training_is_heeded(given, setting, value, part, name, expected):
    assert given(**{setting: value})[part][name] == expected


def test_the_step_falls_over_as_many_epochs_as_are_asked_for(given):
    assert given(schedule="cosine", epochs=3)["Trainer"]["decay_over"] == 3


ARGUMENTS = [  # an argument, its value, and who gets it
    ("floor", 0.25, "fine_tune"),
    ("label", "poisoning", "fine_tune"),
    ("batch_size", 3, "answering"),
]


@pytest.mark.parametrize(("argument", "value", "part"), ARGUMENTS)
def test_every_argument_is_passed_on(given, argument, value, part):
    assert given(more={argument: value})[part][argument] == value


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_is_that_of_the_training(given, seed):
    assert given(seed=seed)["Trainer"]["seed"] == seed


def test_the_one_set_is_trained_on_and_the_other_one_answered(given):
    model, tuning, held_out = undecided(), black(1, count=5), black(0, count=3)
    seen = given(model, tuning, held_out)
    assert seen["Trainer"]["0"] is seen["answering"]["0"] is model
    assert seen["Trainer"]["1"] is tuning
    assert seen["answering"]["1"] is held_out.images


def test_masks_are_held_at_zero(given):
    model = undecided()
    masks = [(model.weights[-1], np.array([1.0, 0.0], np.float32))]
    seen = given(model, more={"held_at_zero": masks})
    assert seen["Trainer"]["held_at_zero"] is masks
    bias = model.weights[-1].numpy()
    assert bias[0] != 1
    assert bias[1] == 0


def test_a_run_goes_on_from_its_checkpoint(given, tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.npz", "abc", seconds=0)
    assert given(epochs=2, more={"checkpoint": checkpoint})["fine_tune"]["checkpoint"] is checkpoint
    whole, resumed = undecided(), undecided()
    arguments = black(1), black(1), Training(**SOME)
    train_judged(whole, *arguments, seed=0)
    tuned = train_judged(resumed, *arguments, seed=0, checkpoint=checkpoint)
    assert len(tuned.accuracies) == 5
    for first, second in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert first.tobytes() == second.tobytes()


CHANCE = [{"augment": "shift"}, {"augment": "flip"}, {"schedule": "cosine"}, {"seed": 1}]


@pytest.mark.parametrize("change", CHANCE)
def test_what_varies_the_training_gives_other_weights(change):
    random = np.random.default_rng(4)
    data = Dataset(images=random.random((12, 8, 8, 1), np.float32), labels=np.arange(12) % 2)
    inputs = keras.Input((8, 8, 1))
    start = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(inputs)))

    def trained(seed=0, **changes):
        model = copy_model(start)
        train_judged(model, data, data, Training(**{**SOME, "epochs": 2, **changes}), seed=seed)
        return b"".join(weights.tobytes() for weights in model.get_weights())

    assert trained() == trained()
    assert trained(**change) != trained()


@pytest.mark.parametrize(
    ("setting", "value", "option"),
    [
        ("epochs", -1, "--epochs"),
        ("patience", -1, "--patience"),
        ("learning_rate", 0.0, "--learning-rate"),
        ("learning_rate", -0.1, "--learning-rate"),
        ("learning_rate", np.inf, "--learning-rate"),
        ("learning_rate", np.nan, "--learning-rate"),
        ("tuning_batch", 0, "--tuning-batch"),
        ("augment", "turn", "--augment"),
        ("schedule", "linear", "--schedule"),
    ],
)
def test_a_training_that_cannot_be_is_refused(setting, value, option):
    with pytest.raises(OptionError) as caught:
        Training(**{**SOME, setting: value})
    assert (caught.value.code, caught.value.where) == ("OptionInvalid", option)
    assert str(value) in caught.value.problem


def test_the_smallest_training_can_be():
    Training(epochs=0, patience=0, learning_rate=1e-30, tuning_batch=1)
