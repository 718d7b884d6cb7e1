"""Outputs are whole or absent, also when the process is killed."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from rigface.errors import OutputError
from rigface.io import atomic_file, atomic_output, check_writable


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_new_folder_with_parents(tmp_path):
    target = tmp_path / "a" / "b" / "out"
    with atomic_output(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "x.bin").write_bytes(b"1")
        assert not target.exists()
    assert names(tmp_path / "a") == ["b", "b/out", "b/out/sub", "b/out/sub/x.bin"]


def test_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), atomic_output(tmp_path / "a" / "out") as folder:
        (folder / "x").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == []


def test_existing_folder_keeps_other_files_and_is_untouched_by_failure(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    (target / "result.json").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_output(target) as folder:
        (folder / "result.json").write_text("new")
        raise KeyboardInterrupt
    assert names(target) == ["notes.txt", "result.json"]
    assert (target / "result.json").read_text() == "old"
    with atomic_output(target) as folder:
        (folder / "result.json").write_text("new")
        (folder / "face.glb").write_text("glb")
    assert names(target) == ["face.glb", "notes.txt", "result.json"]
    assert (target / "result.json").read_text() == "new"


def test_result_json_is_moved_last(tmp_path, monkeypatch):
    target = tmp_path / "out"
    target.mkdir()
    (target / "result.json").write_text("old")
    moved = []
    replace = os.replace

    def record(source, destination):
        moved.append((os.path.basename(destination), (target / "result.json").exists()))
        replace(source, destination)

    monkeypatch.setattr(os, "replace", record)
    with atomic_output(target) as folder:
        for name in ("zebra.txt", "result.json", "apple.txt"):
            (folder / name).write_text(name)
    assert moved == [("apple.txt", False), ("zebra.txt", False), ("result.json", False)]


@pytest.mark.parametrize("exists", [False, True])
def test_killed_run_leaves_no_result_and_the_next_run_cleans_up(tmp_path, exists):
    target = tmp_path / "out"
    if exists:
        target.mkdir()
    script = """
        import os, signal, sys
        from rigface.io.atomic import atomic_output
        with atomic_output(sys.argv[1]) as folder:
            (folder / "result.json").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script), target], check=False)
    assert run.returncode == -signal.SIGKILL
    assert not (target / "result.json").exists()
    left = [name for name in names(tmp_path) if ".partial-" in name]
    assert left, "the killed run was inside the block"
    with atomic_output(target) as folder:
        (folder / "result.json").write_text("whole")
    assert names(tmp_path) == ["out", "out/result.json"]


def test_a_running_neighbour_is_left_alone(tmp_path):
    neighbour = tmp_path / f".out.partial-{os.getppid()}"
    neighbour.mkdir()
    with atomic_output(tmp_path / "out"):
        pass
    assert neighbour.exists()


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/rigface", "/dev/null"])
def test_unwritable_places_are_refused_before_the_work(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        check_writable(tmp_path / place)
    started = False
    with pytest.raises(OutputError), atomic_output(tmp_path / place):
        started = True
    assert not started


def test_check_writable_leaves_no_trace(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert names(tmp_path) == []


def test_errors_of_the_caller_keep_their_type(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_output(tmp_path / "out"):
        (tmp_path / "missing input").read_text()
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "a.txt"):
        open("/nowhere/missing input")


def test_full_disk_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="No space left"), atomic_output(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


def test_file_replaces_or_stays(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as partial:
        partial.write_text("one")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), atomic_file(path) as partial:
        partial.write_text("two")
        raise ZeroDivisionError
    assert path.read_text() == "one"
    assert names(tmp_path) == ["a.txt"]
