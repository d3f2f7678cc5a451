"""Frames that are not as they should be, and the forms they may have."""

import json

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.live import serve
from tests.server_ws.talk import WAIT_S, open_socket, receive, send, turn, until_end


@pytest.mark.parametrize(
    ("frame", "param", "code"),
    [
        ("nonsense", None, "invalid_json"),
        ("[" * 100_000, None, "invalid_type"),
        ("[1]", None, "invalid_type"),
        (b'{"type": "response.create", "input": "\xff"}', None, "invalid_json"),
        ('{"input": "a"}', "type", "missing_required_parameter"),
        ('{"type": "response.append"}', "type", "invalid_value"),
        ('{"type": "response.create", "stream_id": "", "input": "a"}', "stream_id", "invalid_stream_id"),
        ('{"type": "response.create", "stream_id": "a b", "input": "a"}', "stream_id", "invalid_stream_id"),
        ('{"type": "response.create", "stream_id": 5, "input": "a"}', "stream_id", "invalid_stream_id"),
        ('{"type": "response.create", "background": true, "input": "a"}', "background", "unsupported_parameter"),
        ('{"type": "response.create", "generate": 1, "input": "a"}', "generate", "invalid_type"),
        ('{"type": "response.create", "input": "a", "top_logprobs": 99}', "top_logprobs", "integer_above_max_value"),
        ('{"type": "response.create"}', "input", "missing_required_parameter"),
        ('{"type": "response.steer", "input": "a"}', "previous_response_id", "missing_required_parameter"),
    ],
)
def test_a_bad_frame_is_answered_by_one_error_and_the_connection_goes_on(
    socket: ClientConnection, frame: str | bytes, param: str | None, code: str
) -> None:
    socket.send(frame)
    answer = receive(socket)

    assert answer.keys() == {"type", "status", "error"}
    assert (answer["type"], answer["status"]) == ("error", 400)
    assert answer["error"].keys() == {"type", "code", "message", "param"}
    assert (answer["error"]["param"], answer["error"]["code"]) == (param, code)
    assert turn(socket, input="a")["status"] == "completed"


def test_nulls_and_binary_frames_are_read(socket: ClientConnection) -> None:
    frame = {"type": "response.create", "stream_id": None, "background": None, "generate": None, "input": "a"}
    socket.send(json.dumps(frame).encode())

    assert until_end(socket)[-1]["type"] == "response.completed"


def test_a_failure_in_mid_stream_ends_the_response_and_not_the_connection(socket: ClientConnection) -> None:
    send(socket, input="[[say:a]][[fail:server_error]]")
    events = until_end(socket)
    assert events[-1]["type"] == "error"
    assert receive(socket)["type"] == "response.failed"
    assert turn(socket, input="a")["status"] == "completed"


def test_a_frame_that_is_too_large_is_an_error_and_ends_the_connection() -> None:
    with serve(max_body_bytes=2000) as live, open_socket(live) as socket:
        send(socket, input="é" * 500)
        answer = receive(socket)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WAIT_S)

    assert (answer["status"], answer["error"]["code"]) == (413, "payload_too_large")
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
