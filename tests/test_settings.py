"""The config tree: layers, bounds, and messages a user can act on."""

import pytest

from flows.console.options import load_config
from tasks.errors import BadInput, StoreUnavailable, retryable
from tasks.models import Subset
from tasks.run import account_of, config_fingerprint, shareable_config
from tasks.settings import BuildConfig, Verification


def test_environment_overrides_profile_and_argument_overrides_environment(monkeypatch):
    assert BuildConfig(profile="demo").sandbox.wall_s == 3
    monkeypatch.setenv("KODFORGE_SANDBOX__WALL_S", "7")
    assert BuildConfig(profile="demo").sandbox.wall_s == 7
    assert BuildConfig(profile="demo", sandbox={"wall_s": 9}).sandbox.wall_s == 9


def test_override_of_one_value_keeps_the_rest_of_the_profile():
    config = load_config("demo", ["subsets.Docs.count=5", "verification.attempts=2"])
    assert config.subsets[Subset.DOCS].count == 5
    assert config.subsets[Subset.DOCS].seeds.include
    assert Subset.PREFILL in config.subsets
    assert config.verification.attempts == 2


def test_only_selects_subsets():
    config = load_config("demo", ["only=[Docs]"])
    assert list(config.selected) == [Subset.DOCS]


def test_profile_can_be_a_file_of_the_users(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("run: mine\nsubsets: {Prefill: {count: 3}}\n")
    assert load_config(str(path), []).run == "mine"


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["verification.attempts=0"], r"verification\.attempts: .*greater than or equal to 1, got 0"),
        (["sandbox.memory_mb=abc"], r"sandbox\.memory_mb: .*got 'abc'"),
        (["unheard_of=1"], r"unheard_of: Extra inputs are not permitted"),
        (["nonsense"], r"'nonsense' is not KEY=VALUE"),
        (["run=../up"], r"run: String should match pattern.*got '\.\./up'"),
        (["only=[Feedback]"], r"only names Feedback, which `subsets` does not configure"),
        (
            ["teachers.author.kind=openai", "teachers.author.base_url=ftp://x"],
            r"must start with http://.*'ftp://x'",
        ),
        (["seed=1", "seed.deep=2"], r"already set to 1"),
    ],
)
def test_bad_values_are_named_with_the_value_received(sets, message):
    with pytest.raises(BadInput, match=message):
        load_config("demo", sets)


def test_unknown_profile_names_the_known_ones():
    with pytest.raises(BadInput, match=r"no profile 'nope'.*Known: demo, full"):
        load_config("nope", [])


def test_published_config_holds_no_paths_addresses_or_key_names():
    config = load_config(
        "pilot",
        ["store=/secret/place", "teachers.author.base_url=http://inner.host/v1", "release.path=/secret/out"],
    )
    text = str(shareable_config(config))
    assert "/secret" not in text
    assert "inner.host" not in text
    assert "KODFORGE_API_KEY" not in text


def test_fingerprint_ignores_where_and_how_fast_but_not_what():
    base = load_config("demo", [])
    assert config_fingerprint(base) == config_fingerprint(load_config("demo", ["store=elsewhere", "sandbox.slots=7"]))
    assert config_fingerprint(base) != config_fingerprint(load_config("demo", ["verification.attempts=2"]))


def test_the_effort_of_a_profile_is_meant_for_its_own_rigour():
    assert BuildConfig(profile="demo").verification.effort.mutants == 8
    assert BuildConfig(profile="demo", verification={"rigour": "fast"}).verification.effort.mutants == 0
    mixed = BuildConfig(profile="demo", verification={"rigour": "audit", "effort": {"mutants": 7}}).verification.effort
    assert (mixed.mutants, mixed.reruns) == (7, 5)
    assert BuildConfig(profile="demo", verification={"attempts": 2}).verification.effort.mutants == 8


def test_a_mean_below_the_least_attempts_is_refused():
    with pytest.raises(ValueError, match="every question gets 3 attempts"):
        Verification(policy="adaptive", mean_attempts=2)
    with pytest.raises(ValueError, match="rigour"):
        Verification(rigour=["fast"])


def test_one_bound_of_a_gate_leaves_the_other_as_it_is():
    gate = Verification(gates={"mutation_score": {"caution_below": 0.9}}).gates.mutation_score
    assert (gate.reject_below, gate.caution_below) == (0.3, 0.9)
    assert Verification().gates.mutation_score.caution_below == 0.6
    with pytest.raises(ValueError, match="mutation"):
        Verification(gates={"mutation": {"caution_below": 0.9}})


@pytest.mark.parametrize("setting", ["store=ftp://bob:hunter2@host/store", "release.path=s3://key:secret@bucket/x"])
def test_a_store_with_a_password_is_refused_before_anything_is_told_of_it(setting):
    with pytest.raises(BadInput, match="holds a password") as caught:
        load_config("demo", [setting])
    assert "hunter2" not in str(caught.value) and "secret@" not in str(caught.value)


def test_a_run_is_booked_on_one_name_however_its_store_is_spelled(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spelled = ("store", "./store", "store/", str(tmp_path / "store"), f"file://{tmp_path}/store")
    assert {account_of(store, "r") for store in spelled} == {f"{tmp_path}/store/r"}
    assert account_of("s3://bucket/p/", "r") == account_of("s3://bucket/p", "r") == "s3://bucket/p/r"


@pytest.mark.parametrize(
    ("error", "again"),
    [(StoreUnavailable("away"), True), (OSError("torn"), True), (RuntimeError("of a library"), True)]
    + [(kind("a defect"), False) for kind in (AssertionError, TypeError, KeyError, ValueError, BadInput)],
)
def test_what_comes_of_the_same_data_again_is_not_retried(error, again):
    assert retryable(error) is again
