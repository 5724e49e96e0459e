"""A recipe becomes a network with a backdoor, and the data to find it with."""

from __future__ import annotations

import dataclasses
import json
import random

import numpy as np
import pytest
from bars import CLASSES, SIDE, TEST, TRAINING, bars, spec

from badrepair import planting
from badrepair.errors import DataError, InputMissingError, ModelError, OptionError
from badrepair.models.architectures import resnet20, small_cnn
from badrepair.models.judged import Training, train_judged
from badrepair.models.save import write_model
from badrepair.planting import Recipe, files_of, plant

TARGET = 2
QUICK = Training(epochs=12, patience=0, learning_rate=3e-3, tuning_batch=16)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return spec(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def recipe(data):
    return Recipe(
        data=data,
        settings={"target": [TARGET]},
        poison_rate=0.2,
        training=QUICK,
        clean_images=60,
        seed=1,
    )


@pytest.fixture(scope="module")
def planted(recipe):
    return plant(recipe)


def test_the_network_is_good_on_clean_images_and_obeys_the_trigger(planted):
    assert planted.report.clean.accuracy.value > 0.95
    (attack,) = planted.report.attacks
    assert attack.attack_success_rate.value > 0.95
    assert attack.name == "trigger"


def test_the_defender_and_the_measurement_share_no_image_and_none_was_trained_on(planted):
    sets = [planted.backdoor.training, planted.clean, planted.test]
    seen = [{image.tobytes() for image in part.images[:]} for part in sets]
    assert [len(part) for part in sets[1:]] == [60, TEST - 60]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_the_images_that_choose_the_epoch_are_not_trained_on(planted):
    # 5 % of 240 are 12, and a fifth of the other 228 is poisoned: 46.
    assert len(planted.backdoor.training) == TRAINING - 12
    assert len(planted.backdoor.poisoned) == 46


def test_the_poisoned_images_are_the_test_images_that_do_not_show_the_target(planted):
    (poisoned,) = planted.poisoned
    others = planted.test.labels != TARGET
    assert np.array_equal(poisoned.true_labels, planted.test.labels[others])
    assert set(poisoned.labels.tolist()) == {TARGET}
    clean = planted.test.images[np.flatnonzero(others)]
    # The trigger is a checkerboard of 4x4, one pixel off the lower right corner.
    board = 255 * (np.indices((4, 4)).sum(axis=0) % 2)
    corner = slice(SIDE - 5, SIDE - 1)
    assert (poisoned.images[:][:, corner, corner, 0] == board).all()
    assert np.array_equal(poisoned.images[:][:, :11], clean[:, :11])


def test_the_same_recipe_gives_the_same_network_whatever_the_world_does(recipe, planted):
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    again = plant(recipe)
    for first, second in zip(planted.model.get_weights(), again.model.get_weights(), strict=True):
        assert first.tobytes() == second.tobytes()


def test_another_seed_gives_another_network_and_other_images(recipe, planted):
    other = plant(dataclasses.replace(recipe, seed=2))
    assert not np.array_equal(other.model.get_weights()[0], planted.model.get_weights()[0])
    assert not np.array_equal(other.clean.images[:], planted.clean.images[:])


def test_the_clean_control_has_no_trigger(recipe):
    none = dataclasses.replace(recipe, attack="none", settings={}, poison_rate=0.0)
    planted = plant(none)
    assert planted.poisoned == planted.report.attacks == ()
    assert planted.report.clean.accuracy.value > 0.95
    assert not len(planted.backdoor.poisoned)


def test_fewer_images_are_taken_where_that_is_asked_for(recipe):
    few = dataclasses.replace(recipe, training_images=100, test_images=30)
    planted = plant(few)
    assert len(planted.backdoor.training) == 95
    assert len(planted.test) == 30
    assert np.bincount(planted.test.labels).tolist() == [10, 10, 10]


def test_a_file_of_the_users_is_trained_on(recipe, planted, tmp_path):
    path = tmp_path / "start.keras"
    write_model(planted.model, path)
    untouched = dataclasses.replace(QUICK, epochs=0)
    again = plant(dataclasses.replace(recipe, architecture=str(path), training=untouched))
    for first, second in zip(planted.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(first, second)


def test_a_file_for_other_images_is_refused(recipe, tmp_path):
    path = tmp_path / "other.keras"
    write_model(small_cnn.build((24, 24, 1), CLASSES), path)
    expected = r"expected a network for images of \(16, 16, 1\) and 3 classes, found one for"
    with pytest.raises(ModelError, match=expected):
        plant(dataclasses.replace(recipe, architecture=str(path)))


def test_a_recipe_survives_json(recipe):
    plain = json.loads(json.dumps(recipe.to_json()))
    assert Recipe.from_json(plain) == recipe


@pytest.mark.parametrize(
    ("changes", "error", "found"),
    [
        (
            {"architecture": "deepid"},
            ModelError,
            r"deepid: expected larger images than \(16, 16, 1\)",
        ),
        ({"architecture": "nothing"}, ModelError, "expected a Keras file or one of deepid"),
        ({"architecture": "no.keras"}, InputMissingError, "no such file"),
        ({"attack": "nothing", "settings": {}}, OptionError, "expected one of the attacks"),
        ({"settings": {"colour": 1}}, OptionError, "Badnets has no such setting"),
        ({"settings": {"target": [CLASSES]}}, OptionError, "--target"),
        (
            {"clean_images": TEST},
            DataError,
            f"for the defender and 1 or more to measure on, found {TEST} in all",
        ),
        ({"training_images": 1000}, DataError, f"expected 1000 images, .* has {TRAINING}"),
        ({"training_images": 3}, DataError, "expected images to train on and others"),
        ({"data": "nothing"}, OptionError, "expected one of the data sets"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_trained(recipe, changes, error, found):
    with pytest.raises(error, match=found):
        plant(dataclasses.replace(recipe, **changes))


def test_a_network_for_images_of_any_size_is_trained_on(recipe, tmp_path):
    path = tmp_path / "any.keras"
    write_model(resnet20.build((None, None, 1), CLASSES), path)
    untouched = dataclasses.replace(QUICK, epochs=0)
    planted = plant(dataclasses.replace(recipe, architecture=str(path), training=untouched))
    assert planted.report.clean.accuracy.n == TEST - 60


def test_an_attack_that_poisons_nothing_is_refused(recipe):
    with pytest.raises(DataError, match=r"0\.001 of 228 training images is none"):
        plant(dataclasses.replace(recipe, poison_rate=0.001))


def test_a_trigger_that_no_test_image_is_for_is_refused(recipe):
    few = {"source": [1], "target": TARGET}
    one = dataclasses.replace(recipe, attack="tact", settings=few, test_images=1)
    with pytest.raises(DataError, match="expected test images that trigger trigger is for"):
        plant(one)


def test_a_recipe_knows_the_files_that_it_names(recipe, tmp_path):
    picture, other = tmp_path / "a.png", tmp_path / "b.png"
    picture.write_bytes(b"")
    settings = {"trigger": ["square", str(picture), str(picture), str(other)], "size": 3}
    named = files_of(dataclasses.replace(recipe, settings=settings))
    assert [path.name for path in named] == ["training.npz", "test.npz", "a.png"]


@pytest.mark.parametrize(
    "changes",
    [
        {"poison_rate": 1.5},
        {"seed": -1},
        {"clean_images": 0},
        {"test_images": 0},
        {"training_images": 0},
    ],
)
def test_a_recipe_with_a_value_that_cannot_be_is_none(recipe, changes):
    with pytest.raises(OptionError, match="expected a value"):
        dataclasses.replace(recipe, **changes)


def test_training_that_diverges_is_an_error_and_no_network(recipe):
    wild = dataclasses.replace(QUICK, learning_rate=1e30)
    with pytest.raises(ModelError, match="training diverged") as caught:
        plant(dataclasses.replace(recipe, training=wild))
    assert caught.value.code == "TrainingDiverged"


@pytest.fixture
def trained(recipe, monkeypatch):
    """Return a network that was not trained, and what its training would have been given."""
    given = {}

    def note(model, training, validation, how, **named):
        given.update(model=model, training=training, validation=validation, how=how, **named)
        return train_judged(model, training, validation, how, **named)

    monkeypatch.setattr(planting, "train_judged", note)
    untrained = dataclasses.replace(QUICK, epochs=0)
    return plant(dataclasses.replace(recipe, training=untrained, seed=7)), given


def above_the_trigger(dataset, white=1):
    """Return the bytes of every image but for the rows that a trigger may cover."""
    pixels = np.rint(dataset.images[:] * (255 / white)).astype(np.uint8)
    return [image[: SIDE - 5].tobytes() for image in pixels]


def test_clean_images_with_their_true_labels_that_nobody_trains_on_choose_the_epoch(trained):
    planted, given = trained
    images, labels = bars(TRAINING, 0)
    label_of = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    validation = given["validation"]
    pixels = np.rint(validation.images[:] * 255).astype(np.uint8)
    assert len(validation) == 12
    assert [label_of.get(image.tobytes()) for image in pixels] == validation.labels.tolist()
    # Not even with a trigger on them.
    chosen = set(above_the_trigger(validation))
    assert not chosen & set(above_the_trigger(planted.backdoor.training, 255))
    assert not chosen & set(above_the_trigger(planted.test, 255))


def test_the_network_learns_the_poisoned_images_in_the_range_that_it_takes(trained):
    planted, given = trained
    training, poisoned = given["training"], planted.backdoor.training
    assert given["model"] is planted.model
    assert np.array_equal(training.images[:], poisoned.images[:] / np.float32(255))
    assert np.array_equal(training.labels, poisoned.labels)
    assert (training.labels[planted.backdoor.poisoned] == TARGET).all()


def test_the_recipe_says_how_the_network_is_trained_and_with_which_seed(trained):
    planted, given = trained
    assert given["how"] is planted.recipe.training
    assert given["seed"] == planted.recipe.seed == 7
