"""Read a file of each kind as the commands do, to the last pixel."""

from __future__ import annotations

from data_sound import KEY, state


def read_data(path):
    from badrepair import data
    from badrepair.data.arrange import arrange

    found = arrange(data.read(path), input_shape=(4, 4, 1), classes=4, where=path)
    return found.images[:]


def read_images(path):
    from badrepair import data
    from badrepair.data.arrange import arrange_images

    return arrange_images(data.read_images(path), input_shape=(4, 4, 1), where=path)[:]


def read_picture(path):
    from badrepair.data.pictures import read_picture as read

    return read(path, size=(None, None, 3))


def read_record(path):
    from badrepair import plots, records

    record = records.read_record(path)
    return [plots.render(plots.draw(kind, record), "svg") for kind in plots.available(record)]


def read_detector(path):
    from badrepair.detectors.file import read_detector as read

    return read(path)


def read_checkpoint(path):
    from badrepair.models.checkpoint import Checkpoint

    return Checkpoint(path, KEY).load(state())


def read_partial(path):
    from badrepair.journal.partial import Journal

    with Journal(path, {"run": KEY}) as journal:
        journal.resume()
        return list(journal.rows())


# What importing these does, such as starting TensorFlow, is no reader's doing.
MODULES = {"detector": "badrepair.detectors.file", "checkpoint": "badrepair.models.checkpoint"}
READERS = {
    "data": read_data,
    "images": read_images,
    "picture": read_picture,
    "record": read_record,
    "detector": read_detector,
    "checkpoint": read_checkpoint,
    "partial": read_partial,
}
