"""Shards: atomic, accounted for, resumable."""

import json

import pytest

from tasks.artifacts import Outcome, Stage, batches
from tasks.errors import BadInput, RunBusy
from tasks.models import Provenance, Reject, RejectReason, Seed, Subset
from tasks.store import Store


def seed(number: int) -> Seed:
    return Seed(
        seed_id=str(number),
        subset=Subset.DOCS,
        text="t",
        title="t",
        libraries=[],
        source=Provenance(origin="o", version="1", path="p", licence="MIT"),
    )


def reject(number: int) -> Reject:
    return Reject(id=str(number), subset=Subset.DOCS, reason=RejectReason.ABSTAINED, evidence="BAD_DOCUMENT")


@pytest.fixture
def stage(tmp_path):
    return Stage(Store(str(tmp_path)), "run", "questions")


def test_finished_shard_is_skipped_and_changed_settings_or_inputs_run_it_again(stage):
    calls = []

    def work():
        calls.append(1)
        return Outcome(2, [seed(1)], [reject(2)])

    first = stage.run_shard("part-00000", Seed, [{"attempts": 3}], work)
    assert stage.run_shard("part-00000", Seed, [{"attempts": 3}], work) == first
    assert len(calls) == 1
    stage.run_shard("part-00000", Seed, [{"attempts": 4}], work)
    assert len(calls) == 2
    stage.run_shard("part-00001", Seed, [first], work)
    stage.run_shard("part-00001", Seed, [first.model_copy(update={"content": "other"})], work)
    assert len(calls) == 4
    assert (first.rows_in, first.rows_out, first.rejected, first.reasons) == (2, 1, 1, {"abstained": 1})


def test_a_receipt_that_cannot_be_read_is_none(stage, tmp_path, caplog):
    receipt = stage.run_shard("part-00000", Seed, [], lambda: Outcome(1, [seed(1)]))
    stage.finish([receipt], "config")
    for name in ("receipts/part-00000.json", "manifest.json"):
        file = tmp_path / "run/questions" / name
        file.write_bytes(file.read_bytes()[:40])
    assert stage.manifest() is None
    assert stage.run_shard("part-00000", Seed, [], lambda: Outcome(1, [seed(1)])) == receipt
    assert stage.rows("part-00000", Seed) == [seed(1)]
    assert str(tmp_path / "run/questions/receipts/part-00000.json") in caplog.text


def test_rows_that_vanish_are_a_defect(stage):
    with pytest.raises(AssertionError, match="3 rows in, but 1 out and 1 rejected"):
        stage.run_shard("part-00000", Seed, [], lambda: Outcome(3, [seed(1)], [reject(2)]))
    assert stage.done("part-00000") is None


def test_shard_that_fails_half_way_leaves_nothing_that_counts(stage):
    def work():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        stage.run_shard("part-00000", Seed, [], work)
    assert stage.shards() == []


def test_rows_and_rejects_are_read_back(stage):
    stage.run_shard("part-00000", Seed, [], lambda: Outcome(2, [seed(1)], [reject(2)]))
    assert stage.rows("part-00000", Seed) == [seed(1)]
    assert stage.rejects("part-00000") == [reject(2)]


def test_what_another_writer_did_meanwhile_is_not_replaced(stage):
    def work():
        stage.run_shard("part-00000", Seed, ["theirs"], lambda: Outcome(1, [seed(2)]))
        return Outcome(1, [seed(1)])

    with pytest.raises(RunBusy, match="'part-00000' of stage 'questions'"):
        stage.run_shard("part-00000", Seed, ["mine"], work)
    assert stage.rows("part-00000", Seed) == [seed(2)]
    assert stage.run_shard("part-00000", Seed, ["mine"], lambda: Outcome(1, [seed(1)])).rows_out == 1


def test_rows_of_a_receipt_are_those_it_vouches_for(stage):
    mine = stage.run_shard("part-00000", Seed, ["mine"], lambda: Outcome(2, [seed(1)], [reject(3)]))
    theirs = stage.run_shard("part-00000", Seed, ["theirs"], lambda: Outcome(1, [seed(2)]))
    assert stage.rows(theirs, Seed) == [seed(2)]
    for read in (lambda: stage.rows(mine, Seed), lambda: stage.rejects(mine)):
        with pytest.raises(RunBusy, match="two writers"):
            read()


def test_manifest_accounts_for_all_shards_and_stale_ones_are_removed(stage, tmp_path):
    receipts = [
        stage.run_shard(f"part-{n:05d}", Seed, [n], lambda: Outcome(2, [seed(1)], [reject(2)])) for n in range(3)
    ]
    stage.finish(receipts[:2], "config")
    manifest = json.loads((tmp_path / "run/questions/manifest.json").read_text())
    assert (manifest["rows_in"], manifest["rows_out"], manifest["rejected"]) == (4, 2, 2)
    assert manifest["reasons"] == {"abstained": 2}
    assert stage.shards() == ["part-00000", "part-00001"]
    assert not list((tmp_path / "run/questions").glob("part-00002*"))


def test_stage_that_grows_is_not_finished(stage):
    stage.finish([stage.run_shard("part-00000", Seed, [], lambda: Outcome(1, [seed(1)]))], "config")
    stage.run_shard("part-00000", Seed, [], lambda: Outcome(1, [seed(1)]))
    assert stage.manifest() is not None
    stage.run_shard("part-00001", Seed, [], lambda: Outcome(1, [seed(2)]))
    assert stage.manifest() is None


def test_no_temporary_file_stays(stage, tmp_path):
    stage.run_shard("part-00000", Seed, [], lambda: Outcome(1, [seed(1)]))
    assert not list(tmp_path.rglob("*.tmp"))


def test_store_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"store '.*file' is not writable"):
        Store(str(tmp_path / "file")).check_writable()


def test_store_with_an_unknown_protocol_is_named():
    with pytest.raises(BadInput, match="store 'nope://x' cannot be opened"):
        Store("nope://x")


def test_batches_keep_order_and_the_rest():
    assert list(batches(iter(range(5)), 2)) == [[0, 1], [2, 3], [4]]
