"""What readers see while a release is replaced, by writers that are killed, slow, or two at once; locally and on S3."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest
import yaml
from semver import Version

from tasks.publishing import publication
from tasks.publishing.folder import Manifest, Table, check_sums, opened, versions
from tasks.publishing.publication import point_at_highest, remove_old, sha256_of, write_version
from tasks.store import Store

NAME = "data/train-00000-of-00001.parquet"


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path):
    """The URL of an empty folder of releases."""
    if request.param == "local":
        return str(tmp_path / "release")
    return f"s3://{request.getfixturevalue('far')}/release"


class Writer:
    """Publishes made-up versions: ``content`` stands for all that a run made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, url: str, content: str, version: str = "1.0.0", keep: int = 9, date: str = "d") -> Manifest:
        store = Store(url)
        path = self._folder / uuid.uuid4().hex
        path.write_text(content * 3)
        before = versions(store)
        if before and before[-1][1].inputs == [content]:
            version = before[-1][1].version
        else:
            version = str(before[-1][1].semantic.bump_minor()) if before else version
            write_version(store, "", version, lambda number: self._texts(number, content, date, path), {NAME: path})
        done = point_at_highest(store)
        remove_old(store, keep)
        return done

    def _texts(self, version: str, content: str, date: str, path: Path) -> tuple[Manifest, dict[str, bytes]]:
        front = yaml.safe_dump({"configs": [{"data_files": [{"split": "train", "path": "data/train-*.parquet"}]}]})
        table = Table(config="default", split="train", rows=1, bytes=1, files=[NAME])
        digests = {NAME: sha256_of(path)}
        manifest = Manifest(run="r", version=version, date=date, inputs=[content], tables=[table], sha256=digests)
        card = f"---\n{front}---\n{content} {date} [CHANGELOG.md](CHANGELOG.md)\n"
        return manifest, {"README.md": card.encode(), "CHANGELOG.md": f"{version} {content} {date}".encode()}


@pytest.fixture
def writer(tmp_path):
    (tmp_path / "made").mkdir()
    return Writer(tmp_path / "made")


def seen(url: str) -> tuple[str, str]:
    """What a reader finds by the manifest, and what ``datasets`` would by the card: whole, or the test fails."""
    store, manifest = opened(url)
    check_sums(store, manifest)
    by_manifest = store.read(*NAME.split("/")).decode()
    top = Store(url)
    front = yaml.safe_load(top.read("README.md").decode().split("---\n")[1])
    folder = front["configs"][0]["data_files"][0]["path"].split("/")[0]
    check_sums(*opened(f"{url}/{folder}"))
    by_card = top.read(folder, *NAME.split("/")).decode()
    return by_manifest[0], by_card[0]


def everything(url: str) -> dict[str, bytes]:
    store = Store(url)
    return {str(path).removeprefix(store.root): store.fs.cat_file(path) for path in store.fs.find(store.root)}


class Killed(BaseException):
    pass


@pytest.fixture
def killed_at(monkeypatch):
    """Be killed before or after the n-th change of the store."""

    def arm(number: int, after: bool) -> None:
        left = [number]
        for name in ("write", "place", "create", "remove"):
            real = getattr(Store, name)

            def change(*given, real=real):
                left[0] -= 1
                if left[0] == -1 and not after:
                    raise Killed
                done = real(*given)
                if left[0] == -1:
                    raise Killed
                return done

            monkeypatch.setattr(Store, name, change)

    return arm


@pytest.mark.parametrize("after", [False, True])
def test_a_writer_that_is_killed_at_any_change_leaves_the_version_before_or_its_own(
    place, writer, killed_at, monkeypatch, after
):
    calm = f"{place}-calm"
    for content in "ab":
        writer.publish(calm, content)
    wanted = everything(calm)
    for number in range(30):
        url = f"{place}-{number}"
        writer.publish(url, "a")
        with monkeypatch.context():
            killed_at(number, after)
            try:
                writer.publish(url, "b")
                alive = True
            except Killed:
                alive = False
        monkeypatch.undo()
        assert set(seen(url)) <= {"a", "b"}
        assert writer.publish(url, "b", date="another").version == "1.1.0"
        assert seen(url) == ("b", "b")
        found = everything(url)
        # Of a version that was claimed the texts stay, those with the date, too.
        told = {data for name, data in found.items() if name.startswith("/1.1.0/")}
        assert len([data for data in told if b"another" in data]) in (0, 3)
        if not any(b"another" in data for data in found.values()):
            assert found == wanted
        if alive:
            break
    assert alive and number > 5


def test_a_killed_writer_of_something_else_takes_no_number_away(place, writer, killed_at, monkeypatch):
    writer.publish(place, "a")
    with monkeypatch.context():
        killed_at(2, False)
        with pytest.raises(Killed):
            writer.publish(place, "b")
    monkeypatch.undo()
    assert writer.publish(place, "c").version == "1.1.1"
    assert seen(place) == ("c", "c")
    assert Store(place).exists("1.1.0", "unfinished.json")
    monkeypatch.setattr(publication, "_ABANDONED", publication.timedelta(0))
    writer.publish(place, "c")
    assert not Store(place).exists("1.1.0")
    assert [one.version for _, one in versions(Store(place))] == ["1.0.0", "1.1.1"]


def test_readers_find_a_whole_version_at_every_moment(place, writer):
    writer.publish(place, "a")
    done, found, failed = threading.Event(), [], []

    def read():
        while not done.is_set():
            try:
                found.extend(seen(place))
            except BaseException as error:
                failed.append(error)
                raise

    reader = threading.Thread(target=read)
    reader.start()
    for content in "bcdefg":
        writer.publish(place, content, keep=3)
    done.set()
    reader.join()
    assert not failed
    for told in (found[0::2], found[1::2]):  # by the manifest, and by the card
        assert told == sorted(told) and set(told) <= set("abcdefg")
    assert seen(place) == ("g", "g")


@pytest.mark.parametrize("contents", ["bb", "bc"])
def test_two_writers_at_once_leave_whole_versions_and_the_highest_is_current(place, writer, contents):
    writer.publish(place, "a")
    together, failed = threading.Barrier(2), []

    def publish(number, content):
        try:
            together.wait()
            writer.publish(place, content, date=str(number))
        except BaseException as error:
            failed.append(error)
            raise

    writers = [threading.Thread(target=publish, args=one) for one in enumerate(contents)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert not failed
    left = versions(Store(place))
    for release in left:
        check_sums(*release)
    made = "".join(content for _, one in left for content in one.inputs)
    assert made in {"bb": ("ab", "abb"), "bc": ("abc", "acb")}[contents]
    assert opened(place)[1].version == str(max(Version.parse(one.version) for _, one in left))
    assert len(set(seen(place))) == 1
    assert not any(folder.exists("unfinished.json") for folder, _ in left)


def test_a_release_lies_at_the_root_of_a_bucket(bucket, writer):
    url = f"s3://{bucket}"
    writer.publish(url, "a")
    writer.publish(url, "b")
    assert seen(url) == ("b", "b")
    assert Store(url).names() == ["1.0.0", "1.1.0", "README.md", "release.json"]
