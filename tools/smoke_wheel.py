"""Does the installed wheel hold everything? Run by `make build` with the interpreter of a fresh
environment that has the wheel and nothing of the working tree."""

import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def main() -> int:
    source = REPOSITORY / "src"
    wanted = [
        path.relative_to(source)
        for path in (source / "rigface").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    installed = Path(sysconfig.get_paths()["purelib"])
    missing = [str(path) for path in wanted if not (installed / path).is_file()]
    if missing:
        print("not in the wheel:", *missing, file=sys.stderr)
        return 1
    licences = [str(file) for file in metadata.files("rigface") or [] if "licenses" in str(file)]
    if len(licences) < 2:
        print("the wheel lacks LICENSE or THIRD_PARTY.md", file=sys.stderr)
        return 1

    import rigface

    if not Path(rigface.__file__).is_relative_to(installed):
        print(f"imported {rigface.__file__}, not the wheel", file=sys.stderr)
        return 1
    for name in rigface.__all__:
        getattr(rigface, name)
    command = Path(sys.executable).with_name("rigface")
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    print(f"{version.stdout.strip()}: {len(wanted)} files, {len(rigface.__all__)} public names")
    return 0


if __name__ == "__main__":
    sys.exit(main())
