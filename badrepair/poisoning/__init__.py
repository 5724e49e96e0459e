"""What an attack does to a training set: triggers, the images that carry them, and their labels."""

from badrepair.poisoning.attack import Attack
from badrepair.poisoning.backdoor import Backdoor, Change, Trigger, planted
from badrepair.poisoning.choosing import chosen, how_many
from badrepair.poisoning.patch import Patch
from badrepair.poisoning.pixels import to_pixels

__all__ = [
    "Attack",
    "Backdoor",
    "Change",
    "Patch",
    "Trigger",
    "chosen",
    "how_many",
    "planted",
    "to_pixels",
]
