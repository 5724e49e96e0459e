"""Findings stand in SARIF as its standard, version 2.1.0, says."""

from __future__ import annotations

import json
from pathlib import Path

from badrepair import __version__, records
from badrepair.confinement.finding import Finding

REFUSED = Finding("CodeInModel", "layer evil", "it is code", "rebuild it", "config.layers[3]")
WARNING = Finding("CodeInTraining", "", "it names os.system", severity="warning")


def results(*found):
    [run] = records.sarif(found)["runs"]
    return run["results"]


def test_a_log_says_its_version_and_which_tool_made_it():
    log = records.sarif([(Path("a.keras"), REFUSED)])
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("badrepair", __version__)


def test_each_rule_is_named_once_and_every_result_has_one():
    found = [(Path(name), one) for name in ("a", "b") for one in (WARNING, REFUSED)]
    [run] = records.sarif(found)["runs"]
    assert run["tool"]["driver"]["rules"] == [{"id": "CodeInModel"}, {"id": "CodeInTraining"}]
    assert [one["ruleId"] for one in run["results"]] == ["CodeInTraining", "CodeInModel"] * 2


def test_what_is_refused_is_an_error_and_what_is_not_used_a_warning():
    levels = [one["level"] for one in results((Path("a"), REFUSED), (Path("a"), WARNING))]
    assert levels == ["error", "warning"]


def test_a_result_says_what_is_wrong_where_in_the_file():
    [found] = results((Path("dir/a.keras"), REFUSED))
    assert found["message"] == {
        "text": "layer evil: it is code (at config.layers[3]); hint: rebuild it"
    }
    assert found["locations"] == [
        {
            "physicalLocation": {"artifactLocation": {"uri": "dir/a.keras"}},
            "logicalLocations": [{"fullyQualifiedName": "config.layers[3]"}],
        }
    ]


def test_a_result_without_a_place_in_the_description_names_the_file_alone():
    [found] = results((Path("a.keras"), WARNING))
    assert found["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "a.keras"}}}]
    assert found["message"] == {"text": "it names os.system"}


def test_a_path_is_written_as_a_uri():
    [found] = results((Path("my models/ä#1?.keras"), WARNING))
    [place] = found["locations"]
    uri = place["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "my%20models/%C3%A4%231%3F.keras"


def test_no_findings_are_a_log_without_results():
    log = records.sarif([])
    assert log["runs"][0]["results"] == []
    assert log["runs"][0]["tool"]["driver"]["rules"] == []


def test_a_log_is_json():
    log = records.sarif([(Path("a"), REFUSED)])
    assert json.loads(json.dumps(log)) == log
