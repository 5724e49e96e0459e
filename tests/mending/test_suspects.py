"""Triggers of suspected classes are put on images of others, and trained to be answered."""

from __future__ import annotations

from itertools import islice

import numpy as np
from backdoored import SHAPE, TARGET, blobs, network
from test_case import case_of

from badrepair.mending.suspects import Sizes, Suspects

SMALL = Sizes(additive=0.1, patch=0.1, warp=1.0)


def suspects_of(*targets):
    return Suspects(case_of(), np.array(targets), SMALL)


def test_no_image_is_aimed_at_its_own_class():
    suspects, labels = suspects_of(0, 2, 3), np.repeat(np.arange(4), 50)
    which = suspects.aimed(labels, np.random.default_rng(0))
    assert set(which) == {0, 1, 2}
    assert not np.any(suspects.targets[which] == labels)


def test_an_image_of_the_only_suspect_gets_no_trigger():
    """To unlearn with it would reward the target: a known mistake of others."""
    which = suspects_of(2).aimed(np.array([0, 2, 1, 2]), np.random.default_rng(0))
    assert list(which) == [0, -1, 0, -1]


def test_families_take_turns_and_labels_follow():
    suspects = suspects_of(1)
    images, labels = blobs(7, 1).images, np.arange(7)
    assert list(suspects.in_turn(labels).numpy()) == [0, 3, 6, 1, 4, 2, 5]
    made = suspects.stamped(images, np.zeros(7, np.int64)).numpy()
    alone = suspects.families[1].stamped(images[[1, 4]], np.zeros(2, np.int64)).numpy()
    np.testing.assert_allclose(made[3:5], alone, atol=1e-6)
    assert made.shape == (7, *SHAPE)


def test_the_backdoor_is_found():
    """Small patches work for the target, on images that they were not trained on."""
    case, suspects = case_of(), suspects_of(0, 1, 2, 3)
    reverse, random = suspects.reversing(case.student()), np.random.default_rng(0)
    for images, labels in islice(case.drawn(60), 150):
        reverse(images, labels, suspects.aimed(labels, random))
    shown, model = blobs(40, 9), network()
    found = {}
    for number, target in enumerate(suspects.targets):
        others = shown.images[shown.labels != target]
        which = np.full(len(others), number)
        made = suspects.families[1].stamped(others, which)
        answers = model(made, training=False).numpy().argmax(axis=1)
        found[int(target)] = float(np.mean(answers == target))
    assert found[TARGET] == max(found.values())
    assert found[TARGET] > 0.6


def test_the_network_is_left_alone():
    case, suspects = case_of(), suspects_of(0)
    student = case.student()
    before = student.get_weights()
    images, labels = next(case.drawn(60))
    which = suspects.aimed(labels, np.random.default_rng(0))
    suspects.reversing(student)(images, labels, which)
    assert all(map(np.array_equal, before, student.get_weights()))


def test_too_few_images_of_others_train_nothing():
    case, suspects = case_of(), suspects_of(0)
    before = [one.numpy() for family in suspects.families for one in family.variables]
    images = blobs(4, 0).images
    which = np.array([-1, -1, 0, -1])
    suspects.reversing(case.student())(images, np.arange(4), which)
    after = [one.numpy() for family in suspects.families for one in family.variables]
    assert all(map(np.array_equal, before, after))


def test_every_fourth_image_of_a_source_is_led_away():
    suspects = Suspects(case_of(), np.array([0]), SMALL, sources=np.array([1, 3]))
    labels = np.repeat([1, 2, 3], 200)
    which = suspects.aimed(labels, np.random.default_rng(0))
    assert set(which[labels == 2]) == {0}
    assert set(which[labels == 1]) == {0, 1}
    assert set(which[labels == 3]) == {0, 2}
    assert 35 < np.sum(which == 1) < 65


def test_the_only_target_is_led_away_as_a_source_too():
    suspects = Suspects(case_of(), np.array([0]), SMALL, sources=np.array([0]))
    assert set(suspects.aimed(np.zeros(50, int), np.random.default_rng(0))) == {-1, 1}


def test_a_trigger_of_a_source_leads_its_images_to_any_other_class():
    suspects = Suspects(case_of(), np.array([2]), SMALL, sources=np.array([0]))
    logits = np.log(np.array([[0.2, 0.3, 0.5, 1e-9], [0.2, 0.3, 0.5, 1e-9]], np.float32))
    losses = suspects._losses(logits, np.array([1, 0]), np.array([0, 1])).numpy()
    np.testing.assert_allclose(losses, [-np.log(0.5), -np.log(0.8)], rtol=1e-5)


def test_where_no_class_is_suspected_triggers_roam():
    suspects = Suspects(case_of(), np.empty(0, int), SMALL, roaming=3)
    which = suspects.aimed(np.arange(60) % 4, np.random.default_rng(0))
    assert set(which) == {0, 1, 2}
    logits = np.log(np.array([[0.2, 0.3, 0.5, 1e-9]], np.float32))
    losses = suspects._losses(logits, np.array([1]), np.array([2])).numpy()
    np.testing.assert_allclose(losses, [-np.log(0.7)], rtol=1e-5)
