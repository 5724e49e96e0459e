"""Fashion-MNIST: 70,000 grey pictures of clothing, 28 x 28 pixels, in ten classes.

Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", 2017, arXiv:1708.07747. MIT licence.
"""

from __future__ import annotations

from badrepair.datasets.reading.idx_family import IdxFamily

load = IdxFamily(
    name="fashion-mnist",
    # As Debian and Keras call it, and as torchvision does.
    folders=("fashion-mnist", "FashionMNIST/raw"),
    origin="https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    digests={
        "train-images-idx3-ubyte.gz": (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte.gz": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    },
    package="dataset-fashion-mnist",
).load
