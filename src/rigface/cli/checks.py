"""What cannot work, whatever the input: said before torch is even imported."""

from pathlib import Path

from rigface.errors import InputError, UsageError


def check_rig_detail(rig: str, lod: int) -> None:
    """Raises UsageError for a level of detail that the exact rig does not have."""
    if rig == "asm" and lod:
        raise UsageError("--rig asm is exact on the template mesh only; use it with --lod 0")


def check_learned_file(out: Path) -> None:
    """Raises InputError where --out is no safetensors file in a folder that exists."""
    if not out.parent.is_dir():
        raise InputError(f"the folder of --out {out} does not exist; create it first.")
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out} must end in .safetensors.")
