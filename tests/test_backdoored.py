"""The network of these tests has the backdoor that its repairs are to remove."""

from __future__ import annotations

from backdoored import accuracy, attack_success, network


def test_the_backdoor_works_and_clean_images_are_answered_rightly():
    assert accuracy(network()) > 0.95
    assert attack_success(network()) > 0.95
