"""Somebody else's package of the same import name, really installed before ours."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import dotenv
import pytest

from tests.instruments.cases import LONG


pytestmark = [
    pytest.mark.instrument,
    pytest.mark.posix,
    pytest.mark.slow,
    pytest.mark.skipif(not LONG, reason="builds and installs: once a week"),
]

ROOT = Path(__file__).parents[2]
NAME = "runner-of-somebody"


def foreign_wheel(folder: Path) -> Path:
    """Make a package that has our import name."""
    wheel = folder / "runner_of_somebody-0.6.1-py3-none-any.whl"
    noted = "runner_of_somebody-0.6.1.dist-info"
    tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {
        "python_runner/__init__.py": "FOREIGN = True\n",
        "python_runner/helpers.py": "",
        f"{noted}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 0.6.1\n",
        f"{noted}/WHEEL": tag,
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{noted}/RECORD"))
    with zipfile.ZipFile(wheel, "w") as file:
        for name, text in {**files, f"{noted}/RECORD": record}.items():
            file.writestr(name, text)
    return wheel


def test_installing_over_another_package_works_and_check_tells_it(
    tmp_path: Path,
) -> None:
    """Ours replaces its files; its uninstallation takes ours along; the remedy mends it."""
    venv.create(tmp_path / "v")
    python = tmp_path / "v/bin/python"
    # What Python Runner needs comes from where the tests run.
    (packages,) = (tmp_path / "v").glob("lib/*/site-packages")
    (packages / "needs.pth").write_text(str(Path(dotenv.__file__).parents[1]))

    def pip(*arguments: object) -> None:
        command = [sys.executable, "-m", "pip", "--python", str(python), "-q"]
        command += map(str, arguments)
        subprocess.run(command, check=True, capture_output=True)

    def told() -> list[str]:
        answer = subprocess.run(
            [tmp_path / "v/bin/python-runner", "check", "p", "--json"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        warnings = json.loads(answer.stdout)["warnings"]
        return [w["message"] for w in warnings if "--force-reinstall" in w["message"]]

    pip("install", foreign_wheel(tmp_path))
    pip("install", "--no-deps", ROOT)
    code = "from python_runner import Runner, run_project"
    subprocess.run([python, "-c", code], check=True)
    (tmp_path / "p").mkdir()
    (tmp_path / "p/a.py").touch()
    init = [str(tmp_path / "v/bin/python-runner"), "init", "p"]
    subprocess.run(init, cwd=tmp_path, check=True, capture_output=True)

    (both,) = told()
    pip("uninstall", "-y", NAME)
    (broken,) = told()
    pip("install", "--force-reinstall", "--no-deps", ROOT)

    assert both.startswith(f"{NAME} 0.6.1 is installed in the same environment")
    assert f"uninstall {NAME}`" in both
    assert broken.startswith("this file of Python Runner is missing")
    assert told() == []
