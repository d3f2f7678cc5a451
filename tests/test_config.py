"""The settings: where each value comes from, and what is said when one is wrong."""

from pathlib import Path

import pytest

from antiphon.config.settings import Settings, rows, written
from antiphon.config.sources import ConfigError, load


def problems(
    flags: dict[str, str] | None = None, environment: dict[str, str] | None = None, config: Path | None = None
):
    with pytest.raises(ConfigError) as caught:
        load(flags or {}, environment or {}, config)
    return caught.value.problems


def test_without_sources_everything_has_its_default() -> None:
    loaded = load({}, {})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text('port = 1\nheartbeat_s = 2\nstore = "memory"\n')
    environment = {"ANTIPHON_PORT": "3", "ANTIPHON_HEARTBEAT_S": "4", "ANTIPHON_CONFIG": str(file)}
    loaded = load({"port": "5"}, environment)
    assert (loaded.settings.port, loaded.settings.heartbeat_s, loaded.settings.store) == (5, 4.0, "memory")
    origins = [loaded.origins[name] for name in ("port", "heartbeat_s", "store", "host")]
    assert origins == ["--port", "ANTIPHON_HEARTBEAT_S", f"{file}: store", "default"]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_every_setting_can_be_set_by_flag_variable_and_file(row, tmp_path: Path) -> None:
    model_file = tmp_path / "model.gguf"
    model_file.touch()
    text = {bool: "false" if row.default else "true", Path: str(model_file), str: "scripted"}.get(row.kind, "a-key")
    text = row.choices[-1] if row.choices else text
    text = str((row.default or 1023) + 1) if row.kind in (int, float) else text
    text = {"host": "::1", "cors_origins": "https://a.example"}.get(row.name, text)
    file = tmp_path / "antiphon.toml"
    needed = {"tls_certificate": str(model_file)} if row.name in ("tls_key", "tls_client_ca") else {}
    needed |= {"engine": "scripted"} if row.name == "workers" else {}
    file.write_text(f"{row.name} = '{text}'\n")
    by_flag = load({**needed, row.name: text}, {}).settings
    assert by_flag == load(needed, {row.variable: text}).settings == load(needed, {}, file).settings
    assert getattr(by_flag, row.name) != getattr(Settings(), row.name)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("prot = 1", "prot: no such setting; did you mean port?"),
        ("port = true", "port: must be a whole number, not 'true'"),
        ("port = 70000", "port: must be at most 65535, not 70000"),
        ('store = "sqlit"', "store: must be one of sqlite, memory, off, not 'sqlit'; did you mean sqlite?"),
        ("heartbeat_s = nan", "heartbeat_s: must be a number, not 'nan'"),
        ('max_body_bytes = "many"', "max_body_bytes: must be a number of bytes such as 33554432 or 32MB, not 'many'"),
        ("[port]\na = 1", "port: must be a text, a number, true or false, not a table or a date"),
        ("strict = 2", "strict: must be true or false, not '2'"),
        ('engine = "vllm"', "engine: must be embedded, scripted or a URL that begins with http://, not 'vllm'"),
        ('engine = "http://a/v1,b"', "engine: 'b' is not the URL of a server, such as http://127.0.0.1:8000/v1"),
        (
            'engine = "scripted"\nmodel_file = "x"',
            "model_file: only the embedded engine loads a file, and the engine is scripted",
        ),
    ],
)
def test_a_wrong_value_in_the_file_is_one_line_that_names_file_and_key(toml: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text(toml)
    assert problems(config=file) == [f"{file}: {said}"]


def test_every_problem_is_reported_at_once() -> None:
    assert problems({"port": "x"}, {"ANTIPHON_HEARTBEAT_S": "y"}) == [
        "--port: must be a whole number, not 'x'",
        "ANTIPHON_HEARTBEAT_S: must be a number, not 'y'",
    ]


def test_a_file_that_is_missing_or_no_toml_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "antiphon.toml"
    assert problems(config=file) == [f"{file}: cannot be read: No such file or directory"]
    file.write_text("port 1")
    [line] = problems(config=file)
    assert line.startswith(f"{file}: is not valid TOML: ")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("cors_origins", "https://a.example,app.example.com", "'app.example.com' is no origin"),
        ("cors_origins", "https://a.example/page", "'https://a.example/page' is no origin"),
        ("openai_organization", "a\r\nb", "must be visible ASCII"),
        ("azure_region", "Köln", "must be visible ASCII"),
    ],
)
def test_what_goes_into_headers_must_fit_there(name: str, text: str, fault: str) -> None:
    [line] = problems({name: text})
    assert fault in line


def test_strict_mode_and_a_dialect_with_events_of_its_own_exclude_each_other() -> None:
    [line] = problems({"strict": "true", "dialect": "vllm-extended"})
    assert line.startswith("--strict: ")
    assert load({"strict": "true"}, {}).settings.strict


def test_every_origin_and_credentials_exclude_each_other() -> None:
    [line] = problems({"cors_origins": "*", "cors_credentials": "true"})
    assert line.startswith("--cors-credentials: ")
    assert load({"cors_origins": "https://a.example", "cors_credentials": "true"}, {}).settings.cors_credentials


def test_keys_come_as_a_list_and_are_never_shown() -> None:
    settings = load(
        {}, {"ANTIPHON_API_KEY": "first-key, second-key", "ANTIPHON_UPSTREAM_API_KEY": "third-key"}
    ).settings
    assert settings.api_key == ("first-key", "second-key")
    assert "-key'" not in repr(settings)
    assert written(settings.api_key) == "***,***"


def test_paths_of_the_file_are_taken_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "antiphon.toml").write_text('data_dir = "data"')
    assert load({}, {}, tmp_path / "antiphon.toml").settings.data_dir == tmp_path / "data"


def test_an_unknown_variable_is_a_warning_with_the_nearest_name() -> None:
    loaded = load({}, {"ANTIPHON_PROT": "1", "ANTIPHON_REQUIRE_ALL": "1", "HOME": "/"})
    assert loaded.warnings == ("ANTIPHON_PROT is not a setting and has no effect; did you mean ANTIPHON_PORT?",)
