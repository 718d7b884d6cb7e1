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


def check_population(ict_heads: int, anny_per_group: int, anny_weight: float) -> None:
    """Raises InputError for a population that nothing can be learned from."""
    if not 0 <= anny_weight < 1:
        raise InputError(f"--anny-weight {anny_weight}; expected 0 up to 1, without 1.")
    if ict_heads < 10 or anny_per_group < 2:
        raise InputError("a population needs at least 10 ICT heads and 2 per group of Anny's.")
