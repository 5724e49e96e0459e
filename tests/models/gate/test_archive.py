"""A `.keras` file is an archive of three members that lie in it as they are, or it is refused."""

from __future__ import annotations

import io
import zipfile

import pytest

from badrepair.errors import ModelError
from badrepair.models.gate import archive
from badrepair.models.gate.archive import CONFIG, METADATA, WEIGHTS, Archive

CONTENT = bytes(range(256)) * 8
SOUND = {CONFIG: b'{"a": 1}', METADATA: b'{"keras_version": "3.15.1"}', WEIGHTS: CONTENT}


def packed(members=None, how=zipfile.ZIP_STORED):
    """Return an archive of (name, content) pairs."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as target:
        for name, content in members or SOUND.items():
            target.writestr(name, content)
    return bytearray(stream.getvalue())


def opened(content):
    return Archive(io.BytesIO(content), "model.keras")


def refused(content, code, act=lambda found: found.weights()):
    with pytest.raises(ModelError) as caught:
        act(opened(content))
    assert (caught.value.code, caught.value.where) == (code, "model.keras")
    return caught.value.problem


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_three_members_are_read(how):
    found = opened(packed(how=how))
    assert found.text(CONFIG) == b'{"a": 1}'
    assert found.text(METADATA) == b'{"keras_version": "3.15.1"}'
    assert found.weights().read() == CONTENT


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_weights_are_a_file_of_their_own(how):
    weights = opened(packed(how=how)).weights()
    assert weights.seek(0, io.SEEK_END) == 2048
    assert weights.read() == b""
    assert weights.seek(-4, io.SEEK_END) == 2044
    assert weights.read(100) == bytes([252, 253, 254, 255])
    weights.seek(10)
    weights.seek(5, io.SEEK_CUR)
    assert (weights.tell(), weights.read(2)) == (15, bytes([15, 16]))


def test_an_archive_without_metadata_has_empty_metadata():
    members = [(name, SOUND[name]) for name in (CONFIG, WEIGHTS)]
    assert opened(packed(members)).text(METADATA) == b"{}"


@pytest.mark.parametrize(
    "name", ["assets/vocabulary.txt", "../evil", "/etc/cron.d/evil", "model.weights.npz", "e\x1b[m"]
)
def test_a_fourth_member_is_refused_wherever_it_would_go(name):
    problem = refused(packed([*SOUND.items(), (name, b"x")]), "ZipUnsafe")
    assert problem == (
        f"its member {ascii(name)[1:-1]} is none of config.json, metadata.json, model.weights.h5"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice_is_refused():
    problem = refused(packed([*SOUND.items(), (CONFIG, b"{}")]), "ZipUnsafe")
    assert problem == "its member config.json stands in the archive twice"


def test_a_member_in_an_unknown_packing_is_refused():
    problem = refused(packed(how=zipfile.ZIP_BZIP2), "ZipUnsafe")
    assert problem == "its member config.json is packed in an unknown way (12)"


def central(content, member=0):
    """Return where the entry of a member in the directory at the end begins."""
    place = -1
    for _ in range(member + 1):
        place = content.index(b"PK\x01\x02", place + 1)
    return place


def test_an_encrypted_member_is_refused():
    content = packed()
    content[central(content) + 8] |= 1
    assert refused(content, "ZipUnsafe") == "its member config.json is encrypted"


def test_a_member_that_unpacks_to_more_than_twenty_times_its_size_is_refused():
    content = packed([*[*SOUND.items()][1:], (CONFIG, bytes(100_000))], zipfile.ZIP_DEFLATED)
    problem = refused(content, "ZipUnsafe")
    assert problem.startswith("its member config.json unpacks ")
    assert problem.endswith(" bytes to 100,000")


def test_packed_weights_that_are_too_large_for_memory_are_refused(monkeypatch):
    monkeypatch.setattr(archive, "MOST_PACKED_WEIGHTS", 2047)
    problem = refused(packed(how=zipfile.ZIP_DEFLATED), "ZipUnsafe")
    assert problem == "model.weights.h5 is packed and over 2,047 bytes"
    assert opened(packed()).weights().read() == CONTENT


def test_a_description_that_is_too_large_is_refused_unread(monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 7)
    refused(packed(), "ConfigTooLarge", lambda found: found.text(CONFIG))


def test_an_archive_without_weights_says_so():
    members = [(name, SOUND[name]) for name in (CONFIG, METADATA)]
    problem = refused(packed(members), "WeightsMissing")
    assert problem == "the .keras file has no model.weights.h5"


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("archive/data.pkl", "a PyTorch file"),
        ("data.npy", "a NumPy .npz file"),
        ("word/document.xml", "a zip archive of something else"),
    ],
)
def test_another_kind_of_archive_is_named(name, seen):
    assert refused(packed([(name, b"x")]), "UnknownFormat").endswith(f"found {seen}")


@pytest.mark.parametrize("left", [30, 1000, -1])
def test_a_cut_off_archive_is_truncated(left):
    assert "cut off or damaged" in refused(packed()[:left], "Truncated")


def test_weights_of_which_a_bit_was_turned_are_corrupt():
    content = packed()
    content[content.index(CONTENT) + 1234] ^= 1
    problem = refused(content, "Corrupt")
    assert problem == "the checksum of its member model.weights.h5 is wrong"


def test_a_description_of_which_a_bit_was_turned_is_damaged():
    content = packed()
    content[content.index(SOUND[CONFIG])] ^= 1
    refused(content, "Truncated", lambda found: found.text(CONFIG))


def test_a_member_that_is_said_to_lie_elsewhere_is_corrupt():
    content = packed()
    place = central(content, 2) + 42
    content[place : place + 4] = (len(content) - 10).to_bytes(4, "little")
    assert refused(content, "Corrupt").startswith("the ")
