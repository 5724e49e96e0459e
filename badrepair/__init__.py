"""badrepair: repair a backdoored Keras image classifier, guard it, and prove it."""

__version__ = "0.1.0"
