"""A CSV of labels beside the images is a data set; every row and every image is accounted for."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from nas.core.errors import ConfigError, DataError
from nas.training.data import Folder, data_from_config


def images(root: Path, *names: str) -> Path:
    for index, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (index % 256, 0, 0)).save(path, "PNG")
    return root


def table(root: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def listed(root: Path, **settings: object) -> dict[str, str]:
    """The class of every image, by its path within the folder."""
    found = Folder(str(root), resolution=4, **settings).listing().usable()  # type: ignore[arg-type]
    return {
        os.path.relpath(w, root): found.class_names[c] for w, c in zip(found.where, found.labels, strict=True)
    }


EXPECTED = {"1.png": "cat", "2.png": "dog"}


@pytest.mark.parametrize(
    "file", ["file", "filename", "image", "path", "id", "File Name", "image_path", "FILENAME"]
)
@pytest.mark.parametrize("label", ["label", "class", "target", "category", "Label"])
def test_columns_with_the_usual_names_are_found(tmp_path: Path, file: str, label: str):
    table(images(tmp_path, "1.png", "2.png"), f"{file},{label}\n1.png,cat\n2.png,dog\n")
    assert listed(tmp_path) == EXPECTED


TEXTS = {
    "comma": b"file,label\n1.png,cat\n2.png,dog\n",
    "semicolon": b"file;label\n1.png;cat\n2.png;dog\n",
    "tab": b"file\tlabel\n1.png\tcat\n2.png\tdog\n",
    "Windows": b"file,label\r\n1.png,cat\r\n2.png,dog\r\n",
    "byte order mark": b"\xef\xbb\xbffile,label\n1.png,cat\n2.png,dog\n",
    "UTF-16": "file\tlabel\n1.png\tcat\n2.png\tdog\n".encode("utf-16"),
    "Excel": b"sep=;\nfile;label\n1.png;cat\n2.png;dog\n",
    "quotes": b'"file","label"\n"1.png","cat"\n"2.png","dog"\n',
    "spaces": b"file, label\n 1.png , cat\n2.png,dog \n",
    "more columns": b'note,label,file\nx,cat,1.png\n"a,b",dog,2.png\n',
    "blank lines, no last line end": b"file,label\n\n1.png,cat\n\n2.png,dog",
    "no extension": b"id,label\n1,cat\n2,dog\n",
    "dots": b"file,label\n./1.png,cat\n././2.png,dog\n",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_csv_is_read_as_people_write_it(tmp_path: Path, kind: str):
    table(images(tmp_path, "1.png", "2.png"), TEXTS[kind])
    assert listed(tmp_path) == EXPECTED


def test_values_with_delimiters_quotes_and_line_ends_are_quoted(tmp_path: Path):
    images(tmp_path, "a, b.png", 'say "hi".png')
    table(tmp_path, 'file,label\n"a, b.png","cats, and dogs"\n"say ""hi"".png","two\nlines"\n')
    assert listed(tmp_path) == {"a, b.png": "cats, and dogs", 'say "hi".png': "two\nlines"}


def test_images_lie_anywhere_in_the_folder(tmp_path: Path):
    images(tmp_path, "images/deep/1.png", "images/2.png")
    table(tmp_path, "id,label\nimages\\deep\\1.png,cat\n2,dog\n")
    assert listed(tmp_path) == {"images/deep/1.png": "cat", "images/2.png": "dog"}


def test_a_name_that_fits_several_images_is_named_as_damaged(tmp_path: Path):
    images(tmp_path, "x/1.png", "y/1.png", "2.png")
    table(tmp_path, "file,label\n1.png,cat\n2.png,dog\n")
    with pytest.raises(DataError, match=r"labels\.csv line 2 \(1\.png\): fits 2 images"):
        Folder(str(tmp_path)).load()


def test_accents_match_however_they_are_composed(tmp_path: Path):
    images(tmp_path, unicodedata.normalize("NFD", "é.png"))
    table(tmp_path, f"file,label\n{unicodedata.normalize('NFC', 'é.png')},cat\n")
    assert list(listed(tmp_path).values()) == ["cat"]


def test_whole_numbers_are_classes_in_their_order(tmp_path: Path):
    table(images(tmp_path, "1.png", "2.png", "3.png"), "file,label\n1.png,10\n2.png,9\n3.png,0\n")
    assert Folder(str(tmp_path), resolution=4).listing().class_names == ("0", "9", "10")


@pytest.mark.parametrize("column", ["split", "set", "Subset"])
def test_a_split_column_is_respected(tmp_path: Path, column: str):
    names = [f"{i}.png" for i in range(12)]
    splits = ["train"] * 6 + ["dev"] * 2 + ["Testing"] * 4
    rows = [f"{n},{'ab'[i % 2]},{s}" for i, (n, s) in enumerate(zip(names, splits, strict=True))]
    table(images(tmp_path, *names), f"file,label,{column}\n" + "\n".join(rows))
    found = Folder(str(tmp_path), resolution=4).load()
    assert [len(p) for p in (found.train, found.validation, found.test)] == [6, 2, 4]


def test_images_that_all_lie_in_split_folders_keep_their_splits(tmp_path: Path):
    names = [f"{s}/{i}.png" for s in ("training", "test") for i in range(4)]
    table(
        images(tmp_path, *names),
        "file,label\n" + "\n".join(f"{n},{'ab'[i % 2]}" for i, n in enumerate(names)),
    )
    found = Folder(str(tmp_path), resolution=4).load()
    assert len(found.test) == 4
    assert "splits from the folders test, training" in found.account.line()


def test_two_names_of_the_same_split_are_refused(tmp_path: Path):
    names = [f"{i}.png" for i in range(4)]
    values = ["train", "train", "val", "dev"]
    rows = "\n".join(f"{n},a,{s}" for n, s in zip(names, values, strict=True))
    table(images(tmp_path, *names), f"file,label,split\n{rows}")
    with pytest.raises(DataError, match="dev and val both name the validation split"):
        Folder(str(tmp_path)).load()


WRONG = {
    "missing": ("3.png,cat", r"line 4 \(3\.png\): missing"),
    "no label": ("3.png,", "line 4.*missing|no label"),
    "no file": (",cat", "line 4: no file in this row"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_row_that_cannot_be_used_is_refused_by_its_line_or_skipped_and_counted(tmp_path: Path, kind: str):
    row, reason = WRONG[kind]
    table(images(tmp_path, "1.png", "2.png"), f"file,label\n1.png,cat\n2.png,dog\n{row}\n")
    with pytest.raises(DataError, match=reason):
        Folder(str(tmp_path)).load()
    account = Folder(str(tmp_path), resolution=4, validation=0, test=0, skip_damaged=True).load().account
    assert (account.used, len(account.skipped)) == (2, 1)


def test_rows_that_contradict_each_other_are_named_and_neither_is_used(tmp_path: Path):
    images(tmp_path, "1.png", "2.png")
    table(tmp_path, "file,label\n1.png,cat\n2.png,dog\n./1.png,dog\n")
    with pytest.raises(
        DataError, match=r"line 4 .*label 'dog' here, label 'cat' in line 2: one of the two is wrong"
    ):
        Folder(str(tmp_path)).load()
    assert listed(tmp_path) == {"2.png": "dog"}


def test_a_repeated_row_and_unlisted_images_are_counted(tmp_path: Path):
    images(tmp_path, "1.png", "2.png", "3.png", "more/4.png", ".5.png")
    (tmp_path / "notes.txt").write_text("x")
    table(tmp_path, "file,label\n1.png,cat\n2.png,dog\n1.png,cat\n")
    report = Folder(str(tmp_path), resolution=4).check()
    assert report.ok
    assert {i.reason: i.count for i in report.account.ignored} == {
        "hidden": 1,
        "rows of an image that is listed already": 1,
        "not listed in labels.csv": 2,
        "without an image's extension": 1,
    }


@pytest.mark.parametrize(
    "value", ["../secret.png", "/etc/passwd", "a/../../secret.png", "..\\secret.png", "C:\\x.png"]
)
def test_a_path_that_leaves_the_folder_is_refused_even_when_damage_is_skipped(tmp_path: Path, value: str):
    images(tmp_path, "set/1.png", "secret.png")
    table(tmp_path / "set", f"file,label\n1.png,cat\n{value},dog\n")
    with pytest.raises(DataError, match=r"line 3 .*leads out of the folder"):
        Folder(str(tmp_path / "set"), skip_damaged=True).load()


def test_another_csv_is_named_by_the_setting(tmp_path: Path):
    table(images(tmp_path, "1.png", "2.png"), "file,label\n1.png,cat\n2.png,dog\n", "truth.csv")
    assert listed(tmp_path, labels="truth.csv") == EXPECTED
    with pytest.raises(DataError, match=r"the CSV other\.csv is not found"):
        Folder(str(tmp_path), labels="other.csv").load()
    with pytest.raises(ConfigError, match="labels must be the name of a CSV file"):
        Folder(str(tmp_path), labels="")


def test_the_path_of_a_csv_is_a_data_set(tmp_path: Path):
    path = (
        table(images(tmp_path, "1.png", "2.png"), "file,label\n1.png,cat\n2.png,dog\n", "truth.csv")
        / "truth.csv"
    )
    data = data_from_config({"name": str(path), "resolution": 4})
    assert isinstance(data, Folder)
    assert data.check().account.used == 2


def test_a_csv_beside_class_folders_that_is_not_of_files_and_labels_is_noted(tmp_path: Path):
    images(tmp_path, *[f"{c}/{i}.png" for c in "ab" for i in range(4)])
    table(tmp_path, "index,description\n0,a cat\n")
    splits = Folder(str(tmp_path), resolution=4).load()
    assert splits.class_names == ("a", "b")
    assert "labels.csv is not used: it has no columns for file and label" in splits.account.line()


def test_class_folders_are_read_in_spite_of_a_csv_on_request(tmp_path: Path):
    images(tmp_path, *[f"{c}/{i}.png" for c in "ab" for i in range(4)])
    table(tmp_path, "file,label\na/0.png,x\n")
    assert Folder(str(tmp_path), resolution=4).listing().class_names == ("x",)
    assert Folder(str(tmp_path), resolution=4, labels=False).load().class_names == ("a", "b")


def test_class_folders_and_a_csv_that_agrees_give_the_same_splits(tmp_path: Path):
    names = [f"{c}/{i}.png" for c in "ab" for i in range(9)]
    images(tmp_path, *names)
    before = Folder(str(tmp_path), resolution=4).listing()
    table(tmp_path, "file,label\n" + "\n".join(f"{n},{n[0]}" for n in reversed(names)))
    after = Folder(str(tmp_path), resolution=4).listing()
    assert list(after.where) == list(before.where)
    assert after.labels.tolist() == before.labels.tolist()


REFUSED = {
    "no usable columns": (b"a,b\n1.png,cat\n", "expected a header with a column for the file"),
    "empty": (b"", "expected a header"),
    "not UTF-8": b"file,label\n1.png,caf\xe9\n"
    and (b"file,label\n1.png,caf\xe9\n", r"line 2: expected text in UTF-8"),
    "open quote": (b'file,label\n"1.png,cat\n', "cannot be read as CSV"),
    "columns": (b"file,label\n1.png,cat,and,more\n", r"line 2: expected 2 columns as in the header, got 4"),
    "nothing there": (b"file,label\nx.png,cat\n", r"no row can be used .*x\.png.*missing.*labels: false"),
    "no rows": (b"file,label\n", "no row can be used"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_csv_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, kind: str):
    content, reason = REFUSED[kind]
    table(images(tmp_path, "1.png"), content)
    with pytest.raises(DataError, match=f"labels.csv.*{reason}"):
        Folder(str(tmp_path)).load()
    assert not Folder(str(tmp_path)).check().ok


def test_links_in_a_circle_do_not_hang_the_search_for_listed_images(tmp_path: Path):
    images(tmp_path, "x/1.png", "x/2.png")
    (tmp_path / "x" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "x")
    table(tmp_path, "file,label\nx/1.png,cat\nx/2.png,dog\n")
    assert sorted(listed(tmp_path).values()) == ["cat", "dog"]
