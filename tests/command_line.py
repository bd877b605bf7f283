"""`churn` as a person or a script calls it: in this process, which is quick, or in one of its own, which is real."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from assets import cli

ROOT = Path(__file__).parents[1]
CHURN = "import sys; from assets.cli import main; sys.argv[0] = 'churn'; main()"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command in this process."""
    try:
        code = cli.guarded(lambda: cli.app(list(words), result_action="return_value"))
    except SystemExit as ended:
        code = int(ended.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def churn(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", CHURN, *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
