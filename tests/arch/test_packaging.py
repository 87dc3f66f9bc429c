"""The Dockerfile, the systemd unit and the wheel name what exists."""

from __future__ import annotations

import configparser
import re
import tomllib
from dataclasses import fields
from pathlib import Path

from tracer.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "packaging/Dockerfile").read_text()
SETTINGS = {f"TRACER_{field.name.upper()}" for field in fields(Settings)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "packaging/tracer.service")
    return parser["Service"]


def test_dockerfile_copies_files_that_exist() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert {"pyproject.toml", "src", "templates", "static"} <= set(copied)
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_dockerfile_copies_what_the_wheel_is_made_of() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {
        *wheel["force-include"],
        *(path.split("/")[0] for path in wheel["packages"]),
        PROJECT["project"]["readme"],
        *PROJECT["project"]["license-files"],
    }
    assert all(re.search(rf"^COPY .*\b{name}\b", DOCKERFILE, re.MULTILINE) for name in wanted)


def test_dockerfile_and_unit_use_settings_that_exist() -> None:
    text = DOCKERFILE + (ROOT / "packaging/tracer.service").read_text()
    named = set(re.findall(r"TRACER_[A-Z_]+", text))
    assert "TRACER_DATA" in named
    assert named <= SETTINGS


def test_dockerfile_publishes_the_port_that_is_served() -> None:
    default = next(field.default for field in fields(Settings) if field.name == "port")
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [str(default)]
    assert f"127.0.0.1:{default}/up" in DOCKERFILE


def test_image_and_unit_run_the_command_that_is_installed() -> None:
    assert "tracer" in PROJECT["project"]["scripts"]
    assert 'ENTRYPOINT ["tracer"]\nCMD ["serve"]' in DOCKERFILE
    assert unit()["ExecStart"].endswith("tracer serve")


def test_unit_keeps_its_data_in_its_state_directory() -> None:
    text = (ROOT / "packaging/tracer.service").read_text()
    assert f"TRACER_DATA=/var/lib/{unit()['StateDirectory']}\n" in text
    assert unit()["StateDirectoryMode"] == "0700"
