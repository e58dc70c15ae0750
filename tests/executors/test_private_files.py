"""Files of a search in the temporary folder: capped output, private session folders, a token of mode 0600."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas.core.errors import ExecutorError
from nas.executors import ray_folder
from nas.executors.output import last_lines
from nas.executors.output_cap import Capped
from nas.executors.ray_cluster import ensure_token
from nas.executors.ray_folder import LONGEST, PREFIX, SessionFolder, remove_abandoned

MARK = b"0123456789abcdef"
PATIENCE_S = 60.0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only temporary folder; its path is short, unlike pytest's."""
    monkeypatch.setattr(ray_folder, "_places", lambda: iter([str(tmp_path)]))
    monkeypatch.setattr(ray_folder, "LONGEST", 1000)
    return tmp_path


# what candidates print


def capped(path: Path, *chunks: bytes, limit: int = 100) -> bytes:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    kept = Capped(descriptor, limit, MARK)
    for chunk in chunks:
        kept.write(chunk)
        kept.flush()
        assert path.stat().st_size <= limit + 100
    kept.flush(last=True)
    os.close(descriptor)
    return path.read_bytes()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_of_a_flood_the_first_and_the_last_half_are_kept_in_whatever_pieces_it_comes(
    size: int, tmp_path: Path
) -> None:
    flood = b"".join(b"%06d\n" % number for number in range(200))
    left = capped(tmp_path / "out", *(flood[i : i + size] for i in range(0, len(flood), size)))
    assert left == flood[:50] + b"\n[... 1300 bytes left out ...]\n" + flood[-50:]


@pytest.mark.parametrize("size", [1, 5, 16, 17, 1000])
def test_a_mark_empties_the_file_wherever_it_is_cut(size: int, tmp_path: Path) -> None:
    stream = b"first trial" * 30 + MARK + MARK[:9] + b"second"
    assert (
        capped(tmp_path / "out", *(stream[i : i + size] for i in range(0, len(stream), size)))
        == MARK[:9] + b"second"
    )


def test_little_output_is_kept_unchanged(tmp_path: Path) -> None:
    assert capped(tmp_path / "out", b"a\n", b"\xff\x00b") == b"a\n\xff\x00b"


PRINTING = """
import os, subprocess, sys
from pathlib import Path
from nas.executors.output import keep_output
kept = keep_output(Path(sys.argv[1]), limit=10_000)
os.write(1, b"an earlier trial\\n")
kept.begin()
print("begins")
for _ in range(40):
    os.write(2, b"x" * 1_000_000)
subprocess.run([sys.executable, "-S", "-c", "print('a child, too')"])
print("ends")
"""


def test_a_process_that_prints_forty_megabytes_leaves_ten_kilobytes_that_only_its_user_can_read(
    tmp_path: Path,
) -> None:
    done = subprocess.run([sys.executable, "-c", PRINTING, str(tmp_path)], capture_output=True)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.iterdir()
    give_up = time.monotonic() + PATIENCE_S
    while "ends" not in last_lines(str(file)):
        assert time.monotonic() < give_up, last_lines(str(file))
        time.sleep(0.01)
    text = file.read_bytes()
    assert len(text) < 10_100
    assert b"earlier" not in text
    assert b"a child, too" in text
    assert mode(file) == 0o600


# session folders


def test_a_session_folder_is_private_and_removed_at_the_end(place: Path) -> None:
    folder = SessionFolder()
    assert folder.path.parent == place
    assert mode(folder.path) == 0o700
    (folder.path / "r" / "session").mkdir()
    (folder.path / "r" / "session" / "log").write_text("x")
    folder.remove()
    folder.remove()
    assert list(place.iterdir()) == []


def test_the_folder_of_a_killed_search_is_removed_by_the_next_and_one_in_use_is_not(place: Path) -> None:
    code = (
        "import os, sys; from nas.executors import ray_folder\n"
        "ray_folder._places = lambda: iter([sys.argv[1]]); ray_folder.LONGEST = 1000\n"
        "ray_folder.SessionFolder(); os.kill(os.getpid(), 9)"
    )
    used = SessionFolder()
    killed = subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert len(list(place.iterdir())) == 2
    remove_abandoned()
    assert list(place.iterdir()) == [used.path]
    used.remove()


def test_files_that_are_not_certainly_ours_are_left_alone(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    elsewhere.chmod(0o700)
    (elsewhere / "lock").touch()
    (place / f"{PREFIX}link").symlink_to(elsewhere)
    for name, permissions in ((f"{PREFIX}nolock", 0o700), (f"{PREFIX}open", 0o755), ("other", 0o700)):
        (place / name).mkdir()
        (place / name).chmod(permissions)
        (place / name / "file").touch()
    (place / f"{PREFIX}open/lock").touch()
    (place / "other/lock").touch()
    (place / f"{PREFIX}file").touch()
    (place / f"{PREFIX}lockislink").mkdir(mode=0o700)
    (place / f"{PREFIX}lockislink/lock").symlink_to(elsewhere / "lock")
    before = sorted(place.rglob("*"))
    remove_abandoned()
    assert sorted(place.rglob("*")) == before
    assert (elsewhere / "lock").exists()


def test_a_lock_that_another_process_has_keeps_its_folder(place: Path) -> None:
    folder = place / f"{PREFIX}busy"
    folder.mkdir(mode=0o700)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_abandoned()
        assert folder.exists()
    remove_abandoned()
    assert not folder.exists()


def test_a_temporary_folder_whose_path_is_too_long_for_sockets_falls_back_to_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    folder = SessionFolder()
    try:
        session = "session_2026-11-29_07-46-10_123456_1234567"
        assert len(os.fsencode(folder.path / "r" / session / "sockets/plasma_store")) <= 103
        assert mode(folder.path) == 0o700
        assert list(long.iterdir()) == []
    finally:
        folder.remove()


def test_a_short_temporary_folder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/dev/shm")
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("/dev/shm cannot be written here")
    folder = SessionFolder()
    assert folder.path.parent == Path("/dev/shm")
    folder.remove()


def test_without_any_usable_folder_the_error_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = str(tmp_path / ("x" * 60))
    monkeypatch.setattr(ray_folder, "_places", lambda: iter([long, "/nowhere"]))
    with pytest.raises(ExecutorError, match=rf"TMPDIR .* at most {LONGEST} characters"):
        SessionFolder()


# the token


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "x")  # so that these settings end with the test
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_token_is_made_with_mode_0600_from_its_first_moment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    real = os.open

    def watched(path, flags, permissions=0o777, **more):
        descriptor = real(path, flags, permissions, **more)
        if home in Path(path).parents:  # threads of other tests open files too
            opened.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    before = os.umask(0)
    try:
        monkeypatch.setattr("os.open", watched)
        ensure_token()
    finally:
        os.umask(before)
    token = home / ".ray/auth_token"
    assert opened == [0o600]
    assert mode(token) == 0o600
    assert mode(token.parent) == 0o700
    assert len(token.read_text()) == 64
    assert [p.name for p in token.parent.iterdir()] == ["auth_token"]


def test_a_token_that_others_can_read_is_closed_to_them_and_stays_the_same(home: Path) -> None:
    token = home / ".ray/auth_token"
    token.parent.mkdir()
    token.write_text("abc")
    token.chmod(0o644)
    ensure_token()
    assert (mode(token), token.read_text()) == (0o600, "abc")


def test_where_no_token_can_be_kept_it_is_in_the_environment_alone(home: Path) -> None:
    (home / ".ray").write_text("in the way")
    ensure_token()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


@pytest.mark.parametrize(("name", "value"), [("RAY_AUTH_MODE", "disabled"), ("RAY_AUTH_TOKEN", "mine")])
def test_token_variables_of_the_environment_are_unchanged(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    ensure_token()
    assert list(home.iterdir()) == []
