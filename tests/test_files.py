"""Files take their name when they are whole; what is no file, or a link, stays what it is."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pulsegate.files import written


def put(path: Path, content: bytes) -> None:
    with written(path) as file:
        file.write(content)


def test_file_is_replaced_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(TypeError), written(path) as file:
        file.writelines([b"half", "no bytes"])
    assert path.read_bytes() == b"before"
    put(path, b"after")
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
def test_link_stays_one(tmp_path: Path, there: bool) -> None:
    (tmp_path / "folder").mkdir()
    file, link = tmp_path / "folder" / "file", tmp_path / "link"
    if there:
        file.write_bytes(b"before")
    link.symlink_to(file)
    put(link, b"after")
    assert link.is_symlink()
    assert file.read_bytes() == b"after"


def test_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=put, args=(pipe, b"content"), daemon=True)
    writer.start()
    assert pipe.read_bytes() == b"content"
    writer.join()
    assert pipe.is_fifo()


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        put(tmp_path, b"content")


def test_link_to_itself_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "link")
    with pytest.raises(OSError, match="symbolic links"):
        put(tmp_path / "link", b"content")
