"""Help and usage errors are instant and say what to do."""

import json
import resource
import subprocess
import sys

import pytest

from rigface.cli import main

HEAVY = ("torch", "warp", "trimesh", "anny", "scipy", "pygltflib")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys, json\n"
        "from rigface.cli import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as stop:\n"
        "    code = stop.code\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('\\n' + json.dumps([code or 0, heavy]))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], 0),
        (["scan", "--help"], 0),
        (["view", "--help"], 0),
        (["bench", "--help"], 0),
        (["--version"], 0),
        ([], 2),
        (["scan"], 2),
        (["scan", "head.obj", "-o", "out", "--unit", "furlong"], 2),
    ],
)
def test_no_heavy_import_and_exit_code(arguments, expected):
    code, heavy = json.loads(run(*arguments).stdout.splitlines()[-1])
    assert code == expected
    assert heavy == []


def test_help_is_fast():
    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time beside that of the libraries it is written with, each at its best of four in
    # turn: the machine may be slow or busy with something else.
    help_page = "from rigface.cli import main; main(['--help'])"
    pairs = [(seconds(help_page), seconds("import rich.console, tyro")) for _ in range(4)]
    ours, libraries = (min(column) for column in zip(*pairs, strict=True))
    assert ours < 2 * libraries


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scan", "head.obj"], ["--out", "required"]),
        (
            ["scan", "head.obj", "-o", "out", "--landmark", "x"],
            ["Perhaps you meant", "--landmarks"],
        ),
        (["scan", "head.obj", "-o", "out", "--k", "9"], ["--k", "5"]),
        (["scan", "head.obj", "-o", "out", "--save", "fbx"], ["fbx", "glb, obj, ply, html"]),
        (["scann", "head.obj"], ["scan"]),
        (["bench", "nothing"], ["registration"]),
    ],
)
def test_usage_errors_name_the_way_out(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert all(word in message for word in words), message


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rigface 0.")
