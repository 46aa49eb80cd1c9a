"""Licences of a release: what goes together, what is refused, and who is credited for what."""

from __future__ import annotations

import re
from importlib import metadata

import pyarrow as pa
import pytest

from tasks.errors import BadInput
from tasks.licences.compatibility import goes_into, together
from tasks.licences.families import families
from tasks.licences.mix import check_licensing, check_mix, refuse
from tasks.publishing.attribution import Credits, attribution, card_licence
from tasks.settings.licensing import Licensing


@pytest.mark.parametrize(
    ("inbound", "outbound", "verdict"),
    [
        ("MIT", "GPL-3.0-only", "compatible"),
        ("GPL-3.0-only", "MIT", "incompatible"),
        ("Apache-2.0", "GPL-2.0-only", "incompatible"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0", "compatible"),
        ("PSF-2.0", "MIT", "compatible"),
        ("MIT", "CC0-1.0", "incompatible"),
        ("CC0-1.0", "MIT", "compatible"),
        ("CC-BY-4.0", "Apache-2.0", "compatible"),
        ("CC-BY-3.0", "GPL-2.0-only", "unknown"),
        ("CC-BY-4.0", "CC0-1.0", "incompatible"),
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0", "compatible"),
        ("CC-BY-SA-4.0", "CC-BY-SA-3.0", "incompatible"),
        ("CC-BY-SA-4.0", "GPL-3.0-only", "compatible"),
        ("CC-BY-SA-4.0", "MIT", "incompatible"),
        ("CC-BY-NC-4.0", "CC-BY-4.0", "incompatible"),
        ("CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "compatible"),
        ("CC-BY-ND-4.0", "CC-BY-ND-4.0", "incompatible"),
        ("ODbL-1.0", "CC-BY-SA-4.0", "incompatible"),
        ("ODC-By-1.0", "ODbL-1.0", "compatible"),
        ("CDLA-Permissive-2.0", "MIT", "compatible"),
        ("CDLA-Sharing-1.0", "CDLA-Sharing-1.0", "compatible"),
        ("GPL-3.0-only", "CC-BY-4.0", "incompatible"),
        ("BUSL-1.1", "MIT", "incompatible"),
        ("LicenseRef-Acme", "MIT", "unknown"),
        ("LicenseRef-unknown", "LicenseRef-unknown", "unknown"),
    ],
)
def test_what_may_be_published_under_what(inbound, outbound, verdict):
    answer = goes_into(inbound, outbound)
    assert answer.verdict == verdict
    assert answer.why


def test_two_licences_go_together_where_one_takes_the_other():
    assert together("GPL-3.0-only", "MIT").verdict == together("MIT", "GPL-3.0-only").verdict == "compatible"
    answer = together("CC-BY-SA-4.0", "GPL-2.0-only")
    assert answer.verdict == "incompatible"
    assert "CC-BY-SA-4.0 is share-alike" in answer.why and "GPL-2.0-only keeps" in answer.why


@pytest.mark.parametrize(
    ("licence", "of"),
    [
        ("MIT", {"permissive"}),
        ("MPL-2.0", {"copyleft"}),
        ("AGPL-3.0-or-later", {"copyleft", "strong-copyleft"}),
        ("CC-BY-NC-ND-4.0", {"non-commercial", "no-derivatives", "not-open"}),
        ("LicenseRef-Acme", {"custom"}),
        ("LicenseRef-unknown", {"unknown"}),
        ("Unlicense", {"public-domain"}),
    ],
)
def test_families(licence, of):
    assert families(licence) == of


def test_a_release_under_a_licence_takes_what_goes_into_it():
    counts = {"MIT": 90, "CC-BY-4.0 AND MIT": 5, "GPL-2.0-only": 3, "GPL-2.0-only OR MIT": 2}
    report = check_mix(counts, Licensing(release="apache-2.0"))
    assert [(one.licence, one.rows) for one in report.violations] == [("GPL-2.0-only", 3)]
    assert "GPL-2.0-only does not go into Apache-2.0" in report.refused["GPL-2.0-only"]
    assert report.taken == {"GPL-2.0-only OR MIT": ("MIT",)}
    assert report.obligations == {"attribution": ("CC-BY-4.0",), "notice": ("MIT",)}


def test_without_one_the_rarer_of_two_that_do_not_go_together_is_the_violation():
    counts = {"Apache-2.0": 10, "MIT": 10, "GPL-2.0-only": 3}
    assert list(check_mix(counts, Licensing()).refused) == ["GPL-2.0-only"]
    assert list(check_mix({**counts, "GPL-2.0-only": 30}, Licensing()).refused) == ["Apache-2.0"]


@pytest.mark.parametrize("counts", [(10, 2), (2, 10)])
@pytest.mark.parametrize(
    ("one", "choice", "taken"),
    [
        ("Apache-2.0", "GPL-2.0-only OR GPL-3.0-only", "GPL-3.0-only"),
        ("Apache-2.0", "GPL-3.0-only OR GPL-2.0-only", "GPL-3.0-only"),
        ("GPL-2.0-only", "GPL-2.0-only OR GPL-3.0-only", "GPL-2.0-only"),
    ],
)
def test_of_a_choice_what_goes_with_the_other_rows_is_taken(one, choice, taken, counts):
    report = check_mix(dict(zip((one, choice), counts, strict=True)), Licensing())
    assert report.violations == ()
    assert report.taken == {choice: (taken,)}


def test_a_costlier_choice_is_taken_where_the_cheapest_does_not_go_with_what_is_kept():
    report = check_mix({"GPL-2.0-only": 9, "Apache-2.0 OR GPL-2.0-only": 2, "MIT": 1}, Licensing())
    assert report.violations == ()
    assert report.taken == {"Apache-2.0 OR GPL-2.0-only": ("GPL-2.0-only",)}


def test_a_choice_goes_with_what_its_own_row_is_bound_by():
    expression = "Apache-2.0 AND (GPL-2.0-only OR GPL-3.0-only)"
    report = check_mix({expression: 1}, Licensing())
    assert report.violations == ()
    assert report.taken == {expression: ("Apache-2.0", "GPL-3.0-only")}


def test_what_a_row_itself_joins_must_go_together():
    report = check_mix({"Apache-2.0 AND GPL-2.0-only": 1}, Licensing())
    assert list(report.refused) == ["Apache-2.0 AND GPL-2.0-only"]
    assert [(pair.left, pair.right) for pair in report.incompatible] == [("Apache-2.0", "GPL-2.0-only")]


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        (Licensing(), set()),
        (Licensing(deny=["copyleft"]), {"MPL-2.0"}),
        (Licensing(deny=["unknown", "mpl-2.0"]), {"MPL-2.0", "LicenseRef-unknown"}),
        (Licensing(allow=["permissive"]), {"MPL-2.0", "LicenseRef-unknown"}),
        (Licensing(allow=["permissive", "copyleft"], deny=["MIT"]), {"MIT", "LicenseRef-unknown"}),
        (Licensing(unknown_pair="violation"), {"LicenseRef-unknown"}),
    ],
)
def test_policy(policy, refused):
    assert set(check_mix({"MIT": 3, "MPL-2.0": 2, "LicenseRef-unknown": 1}, policy).refused) == refused


def test_refusal_names_licence_rows_examples_and_a_way_out():
    report = check_mix({"MIT": 3, "CC-BY-NC-4.0": 2}, Licensing(deny=["non-commercial"]))
    with pytest.raises(BadInput, match=r"CC-BY-NC-4.0, 2 rows \(such as A_1_I, A_2_I\).*on_violation=exclude"):
        refuse(report, {"CC-BY-NC-4.0": ["A_1_I", "A_2_I"]})
    refuse(check_mix({"MIT": 3}, Licensing()), {})


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Licensing(deny=["copylft"]), r"deny names 'copylft'.*neither an SPDX id.*non-commercial"),
        (Licensing(release="MIT AND ISC"), r"'MIT AND ISC' is an expression of several"),
        (Licensing(release="GPL-3.0-only", deny=["copyleft"]), r"release is GPL-3.0-only, but .* is denied"),
        (Licensing(release="mine"), r"'mine' is no SPDX expression"),
    ],
)
def test_a_wrong_policy_is_told_before_any_work(policy, message):
    with pytest.raises(BadInput, match=message):
        check_licensing(policy)


def _rows(*rows):
    """Tables as shards have them: subset, licence, and (origin, version, licence) of each seed."""
    made = [
        {
            "subset": subset,
            "licence": licence,
            "lineage": {
                "sources": [
                    {"origin": origin, "version": version, "path": "/home/jane/x.py", "licence": own}
                    for origin, version, own in sources
                ]
            },
        }
        for subset, licence, sources in rows
    ]
    return pa.Table.from_pylist(made)


def test_sources_are_credited_with_rows_authors_and_texts():
    version = metadata.version("algorithms")
    seed = ("algorithms", version, "MIT")
    hub = ("owner/problems", "a" * 40, "CC-BY-4.0")
    credited = Credits()
    credited.add(_rows(("Algorithm", "MIT", [seed, seed]), ("Taco", "CC-BY-4.0 AND MIT", [seed, hub])))
    credited.add(_rows(("Taco", "CC-BY-4.0", [hub])))
    policy = Licensing(release="Apache-2.0")
    made = attribution(credited, check_mix(credited.licences, policy), policy, "Triplets")
    assert f"| algorithms | {version} | MIT | 2 | 1 of Algorithm, 1 of Taco |" in made.text
    assert "| owner/problems | aaaaaaaaaaaa | CC-BY-4.0 | 2 | 2 of Taco |" in made.text
    assert "https://huggingface.co/datasets/owner/problems" in made.text
    assert "https://github.com/keon/algorithms" in made.text
    assert re.search(r"^- Authors: \w+", made.text, re.MULTILINE)
    assert "https://spdx.org/licenses/CC-BY-4.0.html" in made.text
    assert "**attribution** (CC-BY-4.0)" in made.text
    assert b"Permission is hereby granted" in made.files[f"licences/algorithms-{version}/LICENSE"]
    assert "@" not in made.text and "/home/" not in made.text


def test_another_version_of_a_package_is_not_taken_for_the_one_that_was_read():
    credited = Credits()
    credited.add(_rows(("Algorithm", "MIT", [("algorithms", "0.0.1", "MIT")])))
    made = attribution(credited, check_mix(credited.licences, Licensing()), Licensing(), "Triplets")
    assert made.files == {}
    assert "Authors" not in made.text


def test_a_name_cannot_leave_its_cell():
    credited = Credits()
    credited.add(_rows(("Own_Code", "MIT", [("a | b\n# <script>", "", "MIT")])))
    made = attribution(credited, check_mix(credited.licences, Licensing()), Licensing(), "Triplets")
    assert "| a \\| b # &lt;script> | not told | MIT | 1 | 1 of Own_Code |" in made.text


def test_no_name_becomes_markup():
    hostile = "1.0\n\n## Approved <b>by</b> ![x](https://evil.example/x.png) `code` **bold**"
    credited = Credits()
    credited.add(_rows(("Own_Code", "MIT", [(hostile, hostile, "MIT")])))
    text = attribution(credited, check_mix(credited.licences, Licensing()), Licensing(), f"Mine {hostile}").text
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert [line.split(" ")[0] for line in headings] == ["#", "##", "###", "##"]
    assert "Approved" in headings[0] and headings[2].count("Approved") == 2
    assert "<b>" not in text
    told = [line for line in text.splitlines() if "Approved" in line]
    assert len(told) == 3
    assert not any(re.search(r"(?<!\\)[\[\]`*]", line) for line in told)


@pytest.mark.parametrize(
    ("release", "licences", "fields"),
    [
        ("", {"MIT": 3}, {"license": "mit"}),
        ("", {"GPL-3.0-or-later": 3}, {"license": "gpl-3.0"}),
        ("ODbL-1.0", {"MIT": 3}, {"license": "odbl"}),
        ("Apache-2.0", {"MIT": 3, "ISC": 1}, {"license": "apache-2.0"}),
        ("", {"MIT": 3, "ISC": 1}, {"license": "other", "license_name": "isc-and-mit"}),
        ("", {"LicenseRef-Acme": 1}, {"license": "other", "license_name": "licenseref-acme"}),
    ],
)
def test_the_card_names_a_licence_that_the_hub_knows(release, licences, fields):
    assert fields.items() <= card_licence(Licensing(release=release), licences).items()
