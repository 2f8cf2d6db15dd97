"""How commands end: exit codes and the one sentence; the codes are those of the docstring of
vtmr.cli.entry."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from running import Command

import vtmr
from vtmr.cli.entry import main
from vtmr.cli.failures import Interrupted, resumable
from vtmr.errors import ConfigError, VtmrWarning, needs_extra


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """`vtmr models` raises the error."""

    def fail() -> None:
        raise error

    monkeypatch.setattr("vtmr.cli.model_table.records", fail)


def test_the_version(command: Command) -> None:
    result = command("--version")
    assert (result.code, result.out, result.err) == (0, f"vtmr {vtmr.__version__}\n", "")


def test_no_command_shows_the_help(command: Command) -> None:
    result = command()
    assert result.code == 0
    assert "segment" in result.out


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["sgment"], "sgment"),
        (["segment"], "IMAGE"),
        (["segment", "a.png", "--clik", "1,2"], "--clik"),
        (["latency", "--threads", "two"], "'two' was given, expected a whole number"),
        (["latency", "--threads", "0"], "'0' was given"),
        (["train", "r.toml"], "--out"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    command: Command, arguments: list[str], fragment: str
) -> None:
    command(*arguments).assert_refused(fragment, "See `vtmr --help`.")


def test_a_defect_leaves_a_log_with_the_traceback_and_exits_1(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, RuntimeError("the sum is wrong"))
    result = command("models")
    assert result.code == 1
    assert result.err.count("\n") == 1
    found = re.search(r"the log file (\S+\.log)\.$", result.err.strip())
    assert found is not None
    log = Path(found[1]).read_text()
    assert "vtmr models" in log
    assert "RuntimeError: the sum is wrong" in log
    assert "Traceback" in log


def test_a_defect_without_room_for_a_log_shows_the_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    failing(monkeypatch, RuntimeError("the sum is wrong"))
    result = command("models")
    assert result.code == 1
    assert "RuntimeError: the sum is wrong" in result.err


def test_an_error_of_the_operating_system_that_nobody_met_is_a_defect(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/x.onnx"))
    result = command("models")
    assert result.code == 1
    assert "a defect of vtmr" in result.err


def test_a_program_that_exits_by_itself_is_a_defect(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, SystemExit(3))
    assert command("models").code == 1


def test_ctrl_c_exits_130_with_a_sentence(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    result = command("models")
    assert result.code == 130
    assert result.err == "vtmr: Interrupted; nothing half-written is left.\n"


def test_ctrl_c_in_a_resumable_command_says_how_to_go_on(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(Interrupted, match="add --resume"),
        resumable(lambda: "Interrupted; add --resume."),
    ):
        raise KeyboardInterrupt
    failing(monkeypatch, Interrupted("Interrupted; add --resume."))
    result = command("models")
    assert (result.code, result.err) == (130, "vtmr: Interrupted; add --resume.\n")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with (
        pytest.raises(ConfigError, match=r'package safetensors.*-e "\.\[train\]"'),
        needs_extra("train"),
    ):
        import safetensors  # noqa: F401


def test_a_missing_module_of_our_own_stays_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vtmr.nothing", None)
    with pytest.raises(ModuleNotFoundError), needs_extra("train"):
        import vtmr.nothing  # noqa: F401


@pytest.mark.slow
def test_a_reader_that_went_away_is_met_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "vtmr.cli", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_does_not_fit_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vtmr.cli", "--version"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_warning_of_ours_is_one_sentence() -> None:
    """What Python prints of a warning names a line of the source, which helps no user."""
    main(["--version"])
    ours = warnings.formatwarning(VtmrWarning("No locks."), VtmrWarning, "atomic.py", 1)
    theirs = warnings.formatwarning(UserWarning("odd"), UserWarning, "torch.py", 7)
    assert ours == "vtmr: No locks.\n"
    assert theirs.startswith("torch.py:7: UserWarning: odd")
