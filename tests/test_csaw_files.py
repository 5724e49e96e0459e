"""The checker of the published figures, on made-up files whose figures are known."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
from csaw_files import Folder, GoodNet, clean_entropy_bits, first_fallen, good_net, percent
from keras import layers


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the names, empty, that stand in the competition's download."""
    for name in (
        "data/clean_test_data.h5",
        "data/sunglasses_poisoned_data.h5",
        "data/Multi-trigger Multi-target/sunglasses_poisoned_data.h5",
        "data/Multi-trigger Multi-target/lipstick_poisoned_data.h5",
        "models/sunglasses_bd_net.h5",
        "models/sunglasses_bd_weights.h5",
        "models/anonymous_1_bd_weights.h5",
        "models/F/bd_net.h5",
        "lab3/models/bd_net.h5",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Folder(tmp_path)


def relative(folder, path):
    return path.relative_to(folder.root).as_posix()


def test_a_file_is_found_at_any_depth(folder):
    assert relative(folder, folder.file("clean_test_data.h5")) == "data/clean_test_data.h5"


def test_the_two_files_of_sunglasses_are_told_apart_by_their_folder(folder):
    assert relative(folder, folder.poisoned("sunglasses")) == "data/sunglasses_poisoned_data.h5"
    several = relative(folder, folder.poisoned("multi/sunglasses"))
    assert several == "data/Multi-trigger Multi-target/sunglasses_poisoned_data.h5"


def test_a_whole_model_goes_before_weights_alone(folder):
    assert relative(folder, folder.net("sunglasses")) == "models/sunglasses_bd_net.h5"
    assert relative(folder, folder.net("anonymous_1")) == "models/anonymous_1_bd_weights.h5"


def test_the_net_of_the_exercise_is_the_one_in_its_folder(folder):
    assert relative(folder, folder.lab_net()) == "lab3/models/bd_net.h5"


def test_a_single_net_of_the_exercise_may_lie_anywhere(tmp_path):
    (tmp_path / "bd_net.h5").touch()
    assert Folder(tmp_path).lab_net() == tmp_path / "bd_net.h5"


def test_a_file_that_is_not_there_skips_the_row_and_says_which(folder):
    with pytest.raises(pytest.skip.Exception, match=r"no eyebrows_poisoned_data\.h5 below"):
        folder.poisoned("multi/eyebrows")


def test_without_a_folder_every_row_says_how_to_name_one():
    with pytest.raises(pytest.skip.Exception, match="make csaw DATA="):
        Folder(None).net("sunglasses")


def stored(path, images, labels):
    """Write images (N, H, W, C) of 0..1 as the competition's files have them: NCHW, 0..255."""
    with h5py.File(path, "w") as file:
        file["data"] = (255 * np.asarray(images, np.float32)).transpose(0, 3, 1, 2)
        file["label"] = np.asarray(labels, np.float64)
    return path


def brightest_pixel(path):
    """Write a network that answers where a 2 x 2 image is brightest, and the darkest at 0..255.

    The second half of its hidden layer, max(0, x - 1), is only awake above 1.
    """
    hidden = layers.Dense(8, activation="relu")
    network = keras.Sequential(
        [keras.Input((2, 2, 1)), layers.Flatten(), hidden, layers.Dense(4, activation="softmax")]
    )
    one = np.eye(4)
    hidden.set_weights([np.hstack([one, one]), np.repeat([0.0, -1.0], 4)])
    network.layers[-1].set_weights([np.vstack([one, -2 * one]), np.zeros(4)])
    network.save(path)
    return path


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_rates_are_those_of_the_files(tmp_path):
    model = brightest_pixel(tmp_path / "net_bd_net.h5")
    images = 0.2 + 0.6 * np.eye(4)[np.arange(40) % 4].reshape(40, 2, 2, 1)
    labels = np.arange(40) % 4
    labels[:3] = [1, 0, 0]
    clean = stored(tmp_path / "clean.h5", images, labels)
    stamped = stored(tmp_path / "stamped.h5", images, np.full(40, 2))
    assert percent(model, "accuracy", "--clean", clean) == pytest.approx(92.5)
    options = ("--poisoned", stamped, "--input-range", "0-1")
    assert percent(model, "attack_success_rate", *options) == pytest.approx(25)


def test_the_exercise_stops_where_accuracy_has_fallen_by_the_drop_or_more():
    accuracies = np.array([0.98, 0.98, 0.961, 0.96, 0.97, 0.9])
    assert first_fallen(accuracies, 0.02) == 3
    assert first_fallen(accuracies, 0.04) == 5


def three_channels(path, biases):
    """Write a network with one channel for each of two classes and an idle one for the trigger.

    It answers by the brighter of the first two colours, 1 where the third is there, and by its
    biases where it sees none.
    """
    convolution = layers.Conv2D(3, 1, activation="relu", name="conv_3")
    steps = [keras.Input((2, 2, 3)), convolution, layers.MaxPooling2D(name="pool_3")]
    output = layers.Dense(2, activation="softmax")
    network = keras.Sequential([*steps, layers.Flatten(), output])
    convolution.set_weights([np.eye(3).reshape(1, 1, 3, 3), np.zeros(3)])
    output.set_weights([np.array([[1.0, 0], [0, 1], [0, 10]]), np.array(biases)])
    network.save(path)
    return path


# The trigger's channel goes first and costs nothing, then that of the darker colour, class 1.
# With biases for 0 the darker images, 8 of 20, are now wrong: two channels. The pruned network
# answers 0 to all, so G rejects them, and every stamped image, which the net answers 1.
# With biases for 1 they stay right until the third channel goes; then the pruned network answers
# 1 to all: G rejects the 12 brighter images and agrees with the attack.
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(
    ("biases", "expected"),
    [
        ((0.01, 0.0), GoodNet(channels=2, clean=60.0, attack=0.0)),
        ((0.0, 0.01), GoodNet(channels=3, clean=40.0, attack=100.0)),
    ],
)
def test_the_good_net_of_a_small_network_is_the_one_worked_out_by_hand(tmp_path, biases, expected):
    model = three_channels(tmp_path / "bd_net.h5", biases)
    colors = np.zeros((20, 2, 2, 3))
    colors[:12, ..., 0], colors[12:, ..., 1] = 1.0, 0.5
    clean = stored(tmp_path / "clean.h5", colors, np.arange(20) >= 12)
    colors[..., 2] = 1
    stamped = stored(tmp_path / "stamped.h5", colors, np.ones(20))
    assert good_net(model, clean, clean, stamped, 10, takes="0-1") == expected


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_network_that_never_decides_has_all_the_bits(tmp_path):
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(4, "softmax", use_bias=False)]
    )
    model.layers[-1].set_weights([np.zeros((4, 4))])
    model.save(tmp_path / "net.h5")
    images = np.random.default_rng(0).random((30, 2, 2, 1))
    clean = stored(tmp_path / "clean.h5", images, np.arange(30) % 4)
    bits = clean_entropy_bits(tmp_path / "net.h5", clean, overlays=10, images=20)
    assert bits == pytest.approx(2.0)
