"""Images and files in requests: what the model gets of them, and what is refused."""

import base64
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from antiphon.engines.scripted import ScriptedEngine
from antiphon.ports import Model
from antiphon.readers.grammars import ChildGrammars
from antiphon.readers.pdf import PdfDocuments
from tests.live import CLIENT_S, Live, serve, wait_until
from tests.readers.pdf_file import pdf

GIF = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PDF = "data:application/pdf;base64," + base64.b64encode(pdf("Revenue was 42.")).decode()
TEXT = base64.b64encode("name,price\nTee,3 €".encode()).decode()


@pytest.fixture(scope="module")
def reading() -> Iterator[Live]:
    """A server that reads PDF files and grammars."""
    documents = PdfDocuments(max_pages=3, timeout_s=20)
    with serve(documents=documents, grammars=ChildGrammars(timeout_s=5), max_file_bytes=5000) as running:
        yield running


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "message", "role": "user", "content": list(parts)}]


def file(data: str, name: str = "a.txt") -> dict[str, Any]:
    return {"type": "input_file", "filename": name, "file_data": data}


def image(url: str) -> dict[str, Any]:
    return {"type": "input_image", "image_url": url}


@pytest.mark.parametrize(
    ("part", "read"),
    [
        (file(TEXT, "prices.csv"), "Tee,3 €"),
        (file(f"data:text/csv;charset=utf-8;base64,{TEXT}"), "Tee,3 €"),
        (file(f"data:application/json;base64,{base64.b64encode(b'{}').decode()}"), "{}"),
        (file(PDF, "report.pdf"), '<file name="report.pdf">\nRevenue was 42.'),
        (file(PDF.partition(",")[2], "report.pdf"), "Revenue was 42."),
    ],
)
def test_the_model_reads_a_file_and_it_is_kept_as_it_came(reading: Live, part: dict[str, Any], read: str) -> None:
    first = reading.create(user({"type": "input_text", "text": "Sum up."}, part))
    assert read in first["output"][0]["content"][0]["text"]

    (kept,) = reading.http.get(f"/v1/responses/{first['id']}/input_items").json()["data"]
    assert kept["content"][1] == part


def test_the_file_stays_for_the_turns_that_follow(reading: Live) -> None:
    first = reading.create(user(file(PDF)))
    output = {"type": "function_call_output", "name": "read", "output": [file(TEXT)]}

    second = reading.create([output], previous_response_id=first["id"])

    assert "Tee,3 €" in second["output"][0]["content"][0]["text"]


@pytest.mark.parametrize(
    ("part", "param", "reason"),
    [
        (file("data:video/mp4;base64,AA=="), "file_data", "video/mp4"),
        (file("no base64!"), "file_data", "base64"),
        (file(base64.b64encode(b"\xff\xfe\x00").decode()), "file_data", "UTF-8"),
        (file(base64.b64encode(b"a\0b").decode()), "file_data", "neither"),
        (file("AAAA" * 2000), "file_data", "max_file_bytes"),
        (file("data:text/plain,hi"), "file_data", "base64"),
        (file("data:application/pdf;base64," + base64.b64encode(pdf(*"abcd")).decode()), "file_data", "max_file_pages"),
        ({"type": "input_file", "file_id": "file_1"}, "file_id", "file_data"),
        ({"type": "input_file", "file_url": "https://x.example/a.pdf"}, "file_url", "fetches nothing"),
        ({"type": "input_file", "filename": "a"}, "file_data", "Missing"),
        (image("data:image/tiff;base64,AA=="), "image_url", "image/tiff"),
        (image("data:image/png;base64,A"), "image_url", "base64"),
        (image("data:image/png;base64,"), "image_url", "empty"),
        (image("data:image/png,AA=="), "image_url", "base64"),
        (image("ftp://x.example/a.png"), "image_url", "scheme"),
        ({"type": "input_image", "file_id": "file_1"}, "file_id", "image_url"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    reading: Live, part: dict[str, Any], param: str, reason: str
) -> None:
    said = [{"role": "user", "content": "Look."}, *user({"type": "input_text", "text": "Here."}, part)]
    answer = reading.http.post("/v1/responses", json={"input": said})

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, f"input[1].content[1].{param}")
    assert reason in error["message"]


def test_a_large_image_is_refused() -> None:
    with serve(max_image_bytes=20) as running:
        answer = running.http.post("/v1/responses", json={"input": user(image(GIF))})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "image_too_large")


def test_an_image_reaches_the_model(reading: Live) -> None:
    assert reading.create(user(image(GIF)))["status"] == "completed"


class Blind(ScriptedEngine):
    """A model that takes no images."""

    def models(self) -> list[Model]:
        return [Model(id="blind", created=0, owned_by="test", images=False)]


def test_a_model_without_eyes_refuses_images_by_name() -> None:
    with serve(Blind(model_ids=("blind",))) as running:
        answer = running.http.post(
            "/v1/responses", json={"input": user({"type": "input_text", "text": "a"}, image(GIF))}
        )

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "input[0].content[1]")
    assert "'blind' takes no images" in error["message"]


def test_without_a_reader_a_pdf_file_is_refused() -> None:
    with serve() as running:
        answer = running.http.post("/v1/responses", json={"input": user(file(PDF))})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input[0].content[0].file_data")


def custom(syntax: str, definition: str) -> dict[str, Any]:
    return {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": syntax, "definition": definition}}


@pytest.mark.parametrize(("syntax", "definition"), [("regex", "(a"), ("lark", "start: gone")])
def test_a_broken_grammar_is_refused_with_its_place(reading: Live, syntax: str, definition: str) -> None:
    tools = [{"type": "namespace", "name": "n", "description": "", "tools": [custom(syntax, definition)]}]
    answer = reading.http.post("/v1/responses", json={"input": "Hi", "tools": tools})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_grammar")
    assert error["param"] == "tools[0].tools[0].format.definition"


def test_a_call_that_breaks_its_grammar_is_passed_on_and_counted(
    reading: Live, caplog: pytest.LogCaptureFixture
) -> None:
    def counted(result: str) -> bool:
        return f'antiphon_custom_tool_inputs_total{{result="{result}"}} 1.0' in reading.http.get("/metrics").text

    tools = [custom("regex", r"\d+")]
    with caplog.at_level(logging.WARNING):
        broken = reading.create('[[call:c {"input": "secret"}]]', tools=tools)
        assert wait_until(lambda: counted("invalid"), CLIENT_S)
    reading.create('[[call:c {"input": "42"}]]', tools=tools)

    assert broken["output"][0]["input"] == "secret"
    assert wait_until(lambda: counted("valid"), CLIENT_S)
    assert "does not obey" in caplog.text
    assert "secret" not in caplog.text
