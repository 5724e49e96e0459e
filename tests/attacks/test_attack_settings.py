"""What the settings of every attack are like, so that the command can make options of them."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys

import pytest
from blobs import CLASSES, NAMES, data, made

from badrepair import registry
from badrepair.errors import OptionError
from badrepair.settings import settings_of


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.mark.parametrize("target", [-1, CLASSES])
def test_a_target_that_is_no_class_is_refused(name, target):
    settings = {setting.name: setting for setting in settings_of(registry.load("attacks", name))}
    if "target" not in settings:
        assert name == "none"
        return
    given = (target,) if settings["target"].repeated else target
    with pytest.raises(OptionError, match=r"--target: expected .*, found") as caught:
        made(name, target=given).poison(data(), CLASSES)
    assert caught.value.code == "OptionInvalid"


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_a_poison_rate_that_is_no_share_is_refused(name, rate):
    with pytest.raises(OptionError, match=r"--poison-rate: expected .*, found") as caught:
        made(name, poison_rate=rate)
    assert caught.value.code == "OptionInvalid"


def test_an_attack_is_given_the_training_set_and_the_number_of_classes_and_nothing_else(name):
    parameters = inspect.signature(registry.load("attacks", name).poison).parameters
    assert list(parameters) == ["self", "training", "classes"]


def test_the_settings_are_a_frozen_keyword_only_dataclass_with_a_rate_and_a_seed(name):
    kind = registry.load("attacks", name)
    fields = dataclasses.fields(kind)
    assert all(field.kw_only for field in fields)
    assert {"poison_rate", "seed"} <= {field.name for field in fields}
    with pytest.raises(dataclasses.FrozenInstanceError):
        made(name).seed = 1


def test_every_setting_has_a_default_and_a_type_that_the_command_can_take(name):
    kind = registry.load("attacks", name)
    assert kind() == kind(seed=0)
    fields = [field.name for field in dataclasses.fields(kind)]
    assert [setting.name for setting in settings_of(kind)] == fields


def test_every_setting_is_explained_and_nothing_else_is(name):
    kind = registry.load("attacks", name)
    arguments = inspect.cleandoc(kind.__doc__).split("Args:\n")[1]
    explained = re.findall(r"^    (\w+): \S", arguments, flags=re.MULTILINE)
    assert explained == [field.name for field in dataclasses.fields(kind)]


def test_the_module_cites_its_paper(name):
    text = sys.modules[registry.load("attacks", name).__module__].__doc__
    cited = re.search(r"arXiv:\d{4}\.\d{4,5}|doi:10\.\d{4}", text) is not None
    assert cited is (name != "none")
