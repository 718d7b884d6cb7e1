"""The rig as one web page that anybody can open."""

from pathlib import Path

from rigface.errors import InputError
from rigface.export.asset import RigAsset
from rigface.export.files import write_atomic
from rigface.export.glb import encode_glb
from rigface.export.web import render_page


def save_html(
    rig: RigAsset | bytes, path: Path | str, title: str | None = None, credit: str = ""
) -> None:
    """Write a page with a 3-D view, expression sliders and the skeleton; it opens from disk.

    Args:
        rig: a rig, or a whole GLB file as bytes.
        title: heading; the rig's name by default.
        credit: a line to show under the view, as licences of scans ask for.

    Raises:
        InputError: the rig cannot be written as GLB, or the bytes are no GLB.
        OutputError: the path cannot be written to.
    """
    glb = rig if isinstance(rig, bytes) else encode_glb(rig).data
    check_glb(glb)
    heading = title or ("Rigged head" if isinstance(rig, bytes) else rig.name)
    page = render_page(
        "viewer.html", {"rigface-glb": glb}, {"scan": None}, title=heading, credit=credit
    )
    write_atomic(path, page)


def check_glb(data: bytes) -> None:
    """Refuse bytes that do not start as a whole binary glTF 2.0 file."""
    if data[:8] != b"glTF\x02\x00\x00\x00" or int.from_bytes(data[8:12], "little") != len(data):
        raise InputError(
            f"these {len(data)} bytes are no complete GLB file (glTF 2.0, binary); pass the result "
            "of encode_glb or the content of a .glb file."
        )
