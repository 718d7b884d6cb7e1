"""The shareable page holds everything it needs and nothing that could break out of it."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rig_assets import make_rig

from rigface.errors import InputError
from rigface.export.glb import encode_glb
from rigface.export.html import save_html


def test_page_holds_the_glb_and_the_viewer(tmp_path: Path) -> None:
    rig = make_rig()
    save_html(rig, tmp_path / "head.html", credit="Scan: somebody, CC BY")
    text = (tmp_path / "head.html").read_text()
    block = re.search(r'<script[^>]* id="rigface-glb">([^<]*)</script>', text)
    assert block and base64.b64decode(block[1]) == encode_glb(rig).data
    assert "Scan: somebody, CC BY" in text
    assert "three.js authors" in text  # its licence travels with it
    assert text.count("<script") == text.count("</script>") == 3


def test_nothing_is_fetched(tmp_path: Path) -> None:
    save_html(make_rig(), tmp_path / "head.html")
    markup = re.sub(r"<script.*?</script>", "", (tmp_path / "head.html").read_text(), flags=re.S)
    assert "default-src 'none'" in markup
    assert not re.search(r"""(src|href)\s*=|url\(|@import""", markup)


def test_glb_bytes_and_rig_give_the_same_page(tmp_path: Path) -> None:
    rig = make_rig()
    save_html(rig, tmp_path / "a.html", title="A")
    save_html(encode_glb(rig).data, tmp_path / "b.html", title="A")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_names_are_escaped(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    save_html(replace(make_rig(), name=evil), tmp_path / "a.html", credit=evil)
    assert "<script>alert" not in (tmp_path / "a.html").read_text()


def test_half_a_glb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no complete GLB"):
        save_html(encode_glb(make_rig()).data[:-4], tmp_path / "a.html")
    assert not list(tmp_path.iterdir())
