"""That `make bench` runs, with tiny numbers. What it measures is judged by `make bench` alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import PARTS
from crm_whatsapp.launcher.embedded import fresh_environment
from tests.sandbox_process import ROOT


# Groups begin first: two minutes at the very end would be one core's alone.
@pytest.mark.xdist_group("long")
def test_every_part_of_the_bench_runs_and_writes_its_figures(tmp_path: Path) -> None:
    written = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--smoke", "--json", str(written)]
    run = subprocess.run(
        command, cwd=ROOT, env=fresh_environment(), capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    parts = json.loads(written.read_text())
    assert list(parts) == list(PARTS)
    for part in parts.values():
        assert any(figure["limit"] is not None for figure in part["figures"])
