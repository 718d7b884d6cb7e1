"""report.html: one file that opens from disk and shows what a run did and how well."""

import base64
import math
from pathlib import Path

from rigface.export.files import write_atomic
from rigface.export.html import check_glb
from rigface.export.web import render_page
from rigface.report.data import ReportData
from rigface.report.histogram import Marker, histogram_svg, scale_limit
from rigface.report.pack import pack_scan
from rigface.report.tables import figures, flatten, region_table, stages


def write_report(path: Path | str, data: ReportData) -> None:
    """Write the page; no request leaves it when it is opened.

    Raises:
        InputError: the GLB is none, or the scan cannot be shown.
        OutputError: the path cannot be written to.
    """
    write_atomic(path, render_report(data))


def render_report(data: ReportData) -> str:
    """The text of the page."""
    check_glb(data.glb)
    blobs, layout, note, histogram = {"rigface-glb": data.glb}, None, "", ""
    if data.scan is not None:
        limit = scale_limit(data.scan)
        packed = pack_scan(data.scan, limit)
        blobs["rigface-scan"] = packed.data
        layout, note = packed.layout, packed.note
        histogram = histogram_svg(data.scan, _markers(data), limit)
    timing, total = stages(data.seconds)
    return render_page(
        "report.html",
        blobs,
        {"scan": layout},
        title=data.title,
        credit=data.credit,
        note=note,
        ok=data.ok,
        reason=data.reason,
        warnings=list(data.warnings),
        metrics=figures(data.metrics),
        quality=figures(data.quality),
        regions=region_table(data.regions),
        region_title=data.region_title,
        headline=data.headline,
        pictures=[
            {"title": picture.title, "data": base64.b64encode(picture.png).decode("ascii")}
            for picture in data.pictures
        ],
        histogram=histogram,
        stages=timing,
        total=total,
        settings=list(flatten(data.settings)),
        has_scan=layout is not None,
        has_colors=bool(layout and layout["colors"]),
    )


def _markers(data: ReportData) -> tuple[Marker, ...]:
    named = (("mean", data.metrics.get("mean_mm")), ("p95", data.metrics.get("p95_mm")))
    return tuple(
        Marker(name, float(value))
        for name, value in named
        if isinstance(value, int | float) and math.isfinite(value)
    )
