"""HTML pages that need nothing but themselves: script, style and data are all inside."""

import base64
import json
from importlib import resources
from typing import Any

_WEB = resources.files("rigface") / "assets" / "web"


def render_page(template: str, blobs: dict[str, bytes], config: dict, **context: Any) -> str:
    """Fill one of our templates with data and with the viewer script.

    Args:
        template: file name in `assets/web`.
        blobs: binary blocks by element id; the script decodes and removes them.
        config: JSON for the script.
        context: whatever else the template shows; strings are escaped.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        **context,
        style=_read("page.css"),
        script=_read("viewer.min.js"),
        blobs={name: base64.b64encode(data).decode() for name, data in blobs.items()},
        config_json=_script_safe(json.dumps(config, allow_nan=False)),
    )


def _read(name: str) -> str:
    return (_WEB / name).read_text(encoding="utf-8")


def _script_safe(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
