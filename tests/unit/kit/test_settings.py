from __future__ import annotations

from pathlib import Path

import pytest

from tracer import settings
from tracer.errors import Invalid


def sources(found: list[settings.Source]) -> dict[str, str]:
    return {entry.name: entry.source for entry in found}


def test_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    (tmp_path / "tracer.toml").write_text('host = "10.0.0.1"\nport = 1111\nlog_level = "error"\n')
    environment = {"TRACER_DATA": str(tmp_path), "TRACER_PORT": "2222", "TRACER_HOST": "10.0.0.2"}
    made, found = settings.load({"host": "10.0.0.3"}, environment)
    assert (made.host, made.port, made.log_level) == ("10.0.0.3", 2222, "error")
    assert sources(found)["host"] == "--host"
    assert sources(found)["port"] == "TRACER_PORT"
    assert sources(found)["log_level"] == "tracer.toml"
    assert sources(found)["duckdb_threads"] == "default"


def test_every_setting_has_help_and_appears_once(tmp_path: Path) -> None:
    _, found = settings.load({"data": tmp_path}, {})
    assert len({entry.name for entry in found}) == len(found)
    assert all(entry.help.endswith(".") for entry in found)


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("TRACER_PROT", "TRACER_PORT"),
        ("TRACER_MAX_BODY_BYTE", "TRACER_MAX_BODY_BYTES"),
        ("TRACER_port", "TRACER_PORT"),
        ("TRACER_QQQQ", "TRACER_DATA, TRACER_MASTER_KEY"),
    ],
)
def test_unknown_variable_is_refused_with_a_suggestion(
    tmp_path: Path, variable: str, suggestion: str
) -> None:
    with pytest.raises(Invalid) as refused:
        settings.load({"data": tmp_path}, {variable: "1"})
    assert variable in refused.value.detail
    assert suggestion in refused.value.detail


def test_unknown_key_in_the_file_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "tracer.toml").write_text("prot = 1\n")
    with pytest.raises(Invalid, match=r"'prot'.*port"):
        settings.load({"data": tmp_path}, {})


def test_data_folder_cannot_be_set_from_inside_itself(tmp_path: Path) -> None:
    (tmp_path / "tracer.toml").write_text('data = "/elsewhere"\n')
    with pytest.raises(Invalid, match="inside itself"):
        settings.load({"data": tmp_path}, {})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("40MiB", 40 << 20),
        ("8 GiB", 8 << 30),
        ("2g", 2 << 30),
        ("7k", 7 << 10),
    ],
)
def test_sizes_may_be_written_with_units(tmp_path: Path, text: str, size: int) -> None:
    made, _ = settings.load({"data": tmp_path}, {"TRACER_SPOOL_MAX_BYTES": text})
    assert made.spool_max_bytes == size


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("TRACER_PORT", "http"),
        ("TRACER_PORT", "70000"),
        ("TRACER_PORT", "-1"),
        ("TRACER_WEB_THREADS", "0"),
        ("TRACER_SPOOL_MAX_BYTES", "12 parsecs"),
        ("TRACER_URL", "errors.example.com"),
        ("TRACER_URL", "https://example.com/errors"),
        ("TRACER_LOG_LEVEL", "loud"),
        ("TRACER_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRACER_DUCKDB_MEMORY", "1e9"),
    ],
)
def test_wrong_value_names_its_setting(tmp_path: Path, variable: str, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        settings.load({"data": tmp_path}, {variable: text})
    assert refused.value.detail.startswith(variable)


def test_file_takes_lists_and_environment_takes_commas(tmp_path: Path) -> None:
    made, _ = settings.load(
        {"data": tmp_path}, {"TRACER_TRUSTED_PROXIES": "10.0.0.0/8, 192.168.1.1"}
    )
    assert made.trusted_proxies == ("10.0.0.0/8", "192.168.1.1/32")
    (tmp_path / "tracer.toml").write_text('trusted_proxies = ["10.0.0.0/8"]\n')
    made, _ = settings.load({"data": tmp_path}, {})
    assert made.trusted_proxies == ("10.0.0.0/8",)


def test_broken_file_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "tracer.toml").write_text("port = \n")
    with pytest.raises(Invalid, match=r"tracer\.toml"):
        settings.load({"data": tmp_path}, {})
