"""What the command line does around a fit: streams, exit codes, messages; the fit is a stand-in."""

import io
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import rigface.io
from rigface.cli import main
from rigface.errors import InputError

RESULT = {
    "ok": True,
    "metrics": {"mean_mm": 0.2, "p95_mm": 0.6, "coverage": 0.97},
    "unit": {"name": "mm", "how": "from the size of the face"},
    "input": {"path": "head.obj", "notes": ["removed 2 duplicate faces"]},
    "warnings": ["hair was left out"],
}


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """A scan command whose fit is replaced; records what it was asked for."""
    seen = SimpleNamespace(result=dict(RESULT), error=None, config=None, outputs=None)

    def load_scan(path):
        if seen.error:
            raise seen.error
        return path

    def fit_scan(scan, config, landmarks, progress):
        seen.config, seen.landmarks = config, landmarks
        with progress.stage("fit"):
            progress.update(1.0, "0.20 mm")
        return seen.result

    def write_outputs(result, out, **options):
        seen.outputs = options
        Path(out).mkdir()
        (Path(out) / "result.json").write_text(json.dumps(result))

    fit, outputs = ModuleType("rigface.fit.scan"), ModuleType("rigface.report.outputs")
    vars(fit).update(ScanConfig=SimpleNamespace, fit_scan=fit_scan)
    vars(outputs).update(write_outputs=write_outputs)
    monkeypatch.setitem(sys.modules, "rigface.fit.scan", fit)
    monkeypatch.setitem(sys.modules, "rigface.report.outputs", outputs)
    monkeypatch.setattr(rigface.io, "load_scan", load_scan)
    monkeypatch.delenv("RIGFACE_DEBUG", raising=False)
    seen.out = tmp_path / "out"
    seen.arguments = ["scan", str(tmp_path / "head.obj"), "-o", str(seen.out)]
    return seen


def test_options_reach_the_fit_and_the_writer(stage):
    options = "--k 3 --lod 1 --expression fit --recipe paper --unit mm --seed 5 --rig baked"
    assert main([*stage.arguments, *options.split(), "--save", "glb,obj"]) == 0
    config = stage.config
    assert (config.gaussians, config.lod, config.seed) == (3, 1, 5)
    assert (config.expression, config.recipe, config.unit) == ("fit", "paper", "mm")
    assert stage.outputs["rig"] == "baked"
    assert stage.outputs["save"] == ("glb", "obj")
    assert stage.landmarks is None


def test_landmarks_are_read_and_passed_on(stage, tmp_path):
    file = tmp_path / "marks.csv"
    file.write_text("name,x,y,z\nnose_tip,0,0,1\nnasion,0,4,0\nchin,0,-8,0\n")
    assert main([*stage.arguments, "--landmarks", str(file)]) == 0
    assert len(stage.landmarks.points) == 3


def test_unreadable_landmarks_are_3_before_the_fit(stage, tmp_path, capsys):
    (tmp_path / "marks.csv").write_text("not landmarks")
    assert main([*stage.arguments, "--landmarks", str(tmp_path / "marks.csv")]) == 3
    assert "marks.csv" in capsys.readouterr().err
    assert stage.config is None


def test_pipe_gets_plain_lines_and_a_summary(stage, capsys):
    assert main(stage.arguments) == 0
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in err.splitlines()] == ["load", "start", "fit", "write"]
    assert "\x1b" not in out + err
    for part in ("mean 0.20", "coverage 97.0%", "mm (from the size of the face)"):
        assert part in out
    assert "\nwarning: hair was left out\n" in out
    assert "\nnote: removed 2 duplicate faces\n" in out and "warning: removed" not in out


def test_quiet_is_silent(stage, capsys):
    assert main([*stage.arguments, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_json_prints_the_file_alone(stage, capsys):
    assert main([*stage.arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == RESULT


def test_failed_gate_is_4_and_keeps_the_outputs(stage, capsys):
    stage.result = {**RESULT, "ok": False, "reason": "coverage 61 %, at least 95 % expected"}
    assert main([*stage.arguments, "--quiet"]) == 4
    assert "coverage 61 %" in capsys.readouterr().err
    assert (stage.out / "result.json").is_file()


def test_unusable_input_is_3_without_traceback_or_folder(stage, capsys):
    stage.error = InputError("no such file: head.obj. Check the path.")
    assert main([*stage.arguments, "--json"]) == 3
    out, err = capsys.readouterr()
    assert err == "rigface: unusable input\n  no such file: head.obj. Check the path.\n"
    assert json.loads(out)["exit_code"] == 3
    assert not stage.out.exists()


def test_bug_is_1_and_says_how_to_see_the_traceback(stage, capsys, monkeypatch):
    stage.error = ZeroDivisionError("division by zero")
    assert main(stage.arguments) == 1
    err = capsys.readouterr().err
    assert "RIGFACE_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("RIGFACE_DEBUG", "1")
    assert main(stage.arguments) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupt_is_130(stage, capsys):
    stage.error = KeyboardInterrupt()
    assert main(stage.arguments) == 130
    assert "stopped" in capsys.readouterr().err


def test_contradicting_options_are_2_before_any_work(stage, capsys):
    assert main([*stage.arguments, "--rig", "asm", "--lod", "1"]) == 2
    assert "wrong usage" in capsys.readouterr().err
    assert stage.config is None


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_output_that_is_a_file_stops_before_any_work(stage, below, capsys, tmp_path):
    file = tmp_path / "taken"
    file.write_text("mine")
    assert main([*stage.arguments[:2], "-o", str(file / below)]) == 3
    assert "is a file" in capsys.readouterr().err
    assert stage.config is None
    assert file.read_text() == "mine"


def test_read_only_output_stops_before_any_work(stage, capsys):
    assert main([*stage.arguments[:2], "-o", "/proc/rigface"]) == 3  # closed even to root
    assert "cannot be written" in capsys.readouterr().err
    assert stage.config is None


def test_terminal_gets_bars(stage, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert main(stage.arguments) == 0
    assert "\x1b[" in terminal.getvalue()
    assert "fit" in terminal.getvalue()


def test_view_prints_the_report_and_names_a_wrong_folder(tmp_path, capsys):
    assert main(["view", str(tmp_path), "--print-only"]) == 3
    assert "no report.html" in capsys.readouterr().err
    (tmp_path / "report.html").write_text("<html></html>")
    assert main(["view", str(tmp_path), "--print-only"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")


def test_bench_hands_its_options_on_and_fails_with_its_limits(tmp_path, monkeypatch):
    asked = {}

    def run_benchmark(name, **options):
        asked.update(options, name=name)
        return not options["robustness"]

    monkeypatch.setattr("rigface.bench.run_benchmark", run_benchmark)
    data = ["--data", str(tmp_path)]
    assert main(["bench", "registration", "--quick", *data]) == 0
    assert (asked["name"], asked["quick"], asked["robustness"]) == ("registration", True, False)
    assert main(["bench", "registration", "--robustness", *data]) == 4
    assert (asked["quick"], asked["data"], asked["json_path"]) == (False, tmp_path, None)
