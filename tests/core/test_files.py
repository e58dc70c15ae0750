"""Atomic file writes: existing files stay, names are unpredictable, no partial file remains."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from nas.core.errors import ForeignFileError
from nas.core.files import (
    absolute,
    check_no_links,
    entries,
    make_folder,
    remove_folders,
    target_of_part,
    write_stream,
    write_text,
    write_whole,
)


def test_a_written_file_is_whole_and_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "käse\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").read_bytes() == "käse\n".encode()
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a.txt"]


def test_temporary_names_cannot_be_guessed_and_are_created_exclusively(tmp_path: Path) -> None:
    seen: list[str] = []

    def write(part: Path) -> None:
        assert part.parent == tmp_path
        assert not part.is_symlink()
        assert part.is_file()
        seen.append(part.name)
        part.write_text("x")

    for _ in range(20):
        write_whole(tmp_path / "a.txt", write)
    assert len(set(seen)) == 20
    assert all(re.fullmatch(r"\.a\.txt\.[0-9a-f]{16}\.part", name) for name in seen)
    assert {target_of_part(name) for name in seen} == {"a.txt"}


@pytest.mark.parametrize("name", ["a.txt", ".a.txt.part", ".a.txt.0123.part", "a.txt.0123456789abcdef.part"])
def test_other_names_are_not_temporary_names(name: str) -> None:
    assert target_of_part(name) is None


@pytest.mark.parametrize("old", [".a.txt.part", ".a.txt.PID", "a.txt.partial", ".a.txt.tmp"])
def test_a_link_under_a_guessed_temporary_name_is_not_followed(tmp_path: Path, old: str) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    old = old.replace("PID", str(os.getpid()))
    (tmp_path / old).symlink_to(other)
    write_text(tmp_path / "a.txt", "new")
    write_stream(tmp_path / "a.txt", lambda file: file.write(b"newer"))
    assert other.read_text() == "precious"
    assert (tmp_path / old).is_symlink()
    assert (tmp_path / "a.txt").read_text() == "newer"


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_in_the_place_of_the_file_is_refused(tmp_path: Path, dangling: bool) -> None:
    other = tmp_path / "other"
    if not dangling:
        other.write_text("precious")
    link = tmp_path / "a.txt"
    link.symlink_to(other)
    with pytest.raises(ForeignFileError, match=r"a\.txt is a symbolic link"):
        write_text(link, "new")
    assert link.is_symlink()
    assert other.exists() is not dangling


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_path_that_is_not_a_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "a.txt"
    if kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    with pytest.raises(ForeignFileError, match="not a regular file"):
        write_text(place, "new")
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_read_only_files_and_folders_are_refused_also_for_the_superuser(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "a.txt").write_text("old")
    os.chmod(folder / "a.txt" if what == "file" else folder, 0o444 if what == "file" else 0o555)
    try:
        with pytest.raises(PermissionError, match="read-only"):
            write_text(folder / "a.txt", "new")
        assert (folder / "a.txt").read_text() == "old"
    finally:
        os.chmod(folder, 0o755)
    assert os.listdir(folder) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_earlier_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    (tmp_path / "a.txt").write_text("old")

    def write(part: Path) -> None:
        part.write_text("half")
        raise error

    with pytest.raises(error):
        write_whole(tmp_path / "a.txt", write)
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_the_longest_file_name_can_be_written(tmp_path: Path) -> None:
    name = "ä" * 126 + "bcd"
    write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


def test_folders_are_made_and_only_those_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    made = make_folder(tmp_path / "a" / "b" / "c")
    assert made == [tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert make_folder(tmp_path / "a" / "b") == []
    remove_folders(made)
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


def test_no_folder_is_made_through_a_link_below_the_named_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plots").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "named").symlink_to(tmp_path / "run")
    with pytest.raises(ForeignFileError, match="plots is a symbolic link"):
        make_folder(tmp_path / "run" / "plots" / "x", tmp_path / "run")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    make_folder(tmp_path / "named" / "fine", tmp_path / "named")  # the named folder itself may be a link
    check_no_links(tmp_path / "named" / "fine", tmp_path / "named")
    assert (tmp_path / "run" / "fine").is_dir()


def test_the_first_file_in_a_folder_is_found_in_order_and_links_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for place in ("b/z.txt", "b/a/q.txt", "c.txt", ".gitkeep", "b/.DS_Store", "a/.gitignore"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text("")
    (folder / "d").symlink_to(tmp_path)
    (folder / "e").symlink_to(folder / "missing")
    assert list(entries(folder)) == ["a/", "b/a/q.txt", "b/z.txt", "c.txt", "d", "e"]


def test_a_path_is_made_absolute_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = absolute("runs/x")
    monkeypatch.chdir("/")
    assert place == tmp_path / "runs" / "x"
    assert absolute(place) == place
