"""Turns and input become one list of items, and items become messages."""

import time
from collections.abc import Sequence

import pytest
from msgspec import Raw

from antiphon.core import chat
from antiphon.core.chat import ToolCall
from antiphon.core.chat_order import NOT_YET, SHOWN_BELOW, SHOWN_HERE
from antiphon.core.conversation import assemble, drop_oldest_turns, to_messages, turn_starts
from antiphon.core.past_turn import PastTurn
from antiphon.errors import ClientError, InvalidRequest
from antiphon.wire.content import InputFile, InputImage, InputText, MessagePart, OutputText, Refusal
from antiphon.wire.content import ReasoningText as Thought
from antiphon.wire.content import SummaryText as Summary
from antiphon.wire.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Item,
    Message,
    Reasoning,
    ToolSearchCall,
    ToolSearchOutput,
)
from antiphon.wire.tools import FunctionTool, NamespaceTool
from antiphon.wire.unknown import UnknownItem


def user(*texts: str) -> Message:
    return Message(role="user", content=tuple(InputText(text) for text in texts))


def said(*texts: str) -> Message:
    return Message(role="assistant", content=tuple(OutputText(text) for text in texts))


def thought(*texts: str) -> Reasoning:
    return Reasoning(content=tuple(Thought(text) for text in texts))


def developer(text: str) -> Message:
    return Message(role="developer", content=(InputText(text),))


def call(call_id: str = "c1", name: str = "f", arguments: str = "{}", namespace: str | None = None) -> FunctionCall:
    return FunctionCall(call_id=call_id, name=name, arguments=arguments, namespace=namespace)


def output(call_id: str = "c1", text: str = "42") -> FunctionCallOutput:
    return FunctionCallOutput(call_id=call_id, output=text)


IMAGE = InputImage(image_url="data:image/png;base64,AA==")
LATER = FunctionCall(call_id="c1", name="f", arguments="{}", async_=True)
SEARCH = ToolSearchCall(call_id="c1", execution="client", arguments=Raw(b'{"query":"crm"}'))
FOUND = ToolSearchOutput(
    call_id="c1",
    execution="client",
    tools=(NamespaceTool(name="crm", tools=(FunctionTool(name="lookup"),)), FunctionTool(name="clock")),
)
SEARCHED_HERE = ToolSearchCall(execution="server", arguments=Raw(b"{}"))
PATCH = CustomToolCall(call_id="c1", name="patch", input='a "b"\né')
PATCHED = CustomToolCallOutput(call_id="c1", output="ok")


# ------------------------------------------------------------------------------------------------------------- assemble


@pytest.mark.parametrize(
    ("past", "new", "kept"),
    [
        ([], [user("a")], [user("a")]),
        ([PastTurn([user("a"), said("b")])], [user("c")], [user("a"), said("b"), user("c")]),
        ([PastTurn([user("a"), call()])], [output()], [user("a"), call(), output()]),
        ([PastTurn([user("a"), PATCH])], [PATCHED], [user("a"), PATCH, PATCHED]),
        ([], [user("a"), call(), output(), user("b")], [user("a"), call(), output(), user("b")]),
        ([PastTurn([call()]), PastTurn([output(), said("b")])], [user("c")], [call(), output(), said("b"), user("c")]),
        ([PastTurn([user("a"), SEARCH])], [FOUND], [user("a"), SEARCH, FOUND]),
        ([PastTurn([SEARCH], cut=True)], [user("c")], [user("c")]),
        ([PastTurn([SEARCHED_HERE])], [user("c")], [SEARCHED_HERE, user("c")]),
        ([PastTurn([LATER])], [user("go on")], [LATER, user("go on")]),
        ([PastTurn([LATER]), PastTurn([user("a")])], [output()], [LATER, user("a"), output()]),
        ([PastTurn([said("b"), call()], cut=True)], [user("c")], [said("b"), user("c")]),
        ([PastTurn([PATCH], cut=True)], [user("c")], [user("c")]),
        ([PastTurn([call()], cut=True)], [output()], [call(), output()]),
        ([PastTurn([call(), call("c2")], cut=True)], [output("c2")], [call("c2"), output("c2")]),
        (
            [PastTurn([call()])],
            [FunctionCallOutput(output="x", name="f"), output()],
            [call(), FunctionCallOutput(output="x", name="f"), output()],
        ),
    ],
)
def test_items_of_a_conversation(past: list[PastTurn], new: list[Item], kept: list[Item]) -> None:
    assert assemble(past, new) == tuple(kept)


@pytest.mark.parametrize(
    ("past", "new", "message", "param"),
    [
        ([PastTurn([call()])], [user("b")], "No tool output found for function call c1.", "input"),
        ([PastTurn([call(), call("c2")])], [output()], "No tool output found for function call c2.", "input"),
        ([PastTurn([PATCH])], [user("b")], "No tool output found for function call c1.", "input"),
        ([PastTurn([SEARCH])], [user("b")], "No tool output found for function call c1.", "input"),
        ([], [FOUND], "No tool call found for function call output with call_id c1.", "input[0].call_id"),
        ([], [call(), user("b")], "No tool output found for function call c1.", "input"),
        (
            [PastTurn([call()]), PastTurn([user("a")])],
            [user("b")],
            "No tool output found for function call c1.",
            "input",
        ),
        ([], [output()], "No tool call found for function call output with call_id c1.", "input[0].call_id"),
        ([], [user("a"), PATCHED], "No tool call found for function call output with call_id c1.", "input[1].call_id"),
        ([], [output(), call()], "No tool call found for function call output with call_id c1.", "input[0].call_id"),
        (
            [PastTurn([call()])],
            [output(), output("c9")],
            "No tool call found for function call output with call_id c9.",
            "input[1].call_id",
        ),
    ],
)
def test_calls_and_outputs_that_do_not_meet_are_refused(
    past: list[PastTurn], new: list[Item], message: str, param: str
) -> None:
    with pytest.raises(ClientError) as refused:
        assemble(past, new)
    assert (refused.value.status, refused.value.message, refused.value.param) == (400, message, param)


# ---------------------------------------------------------------------------------------------------------- to_messages

MESSAGES: dict[str, tuple[Sequence[Item], Sequence[chat.Message]]] = {
    "a user's text": ([user("hi")], [chat.Message("user", "hi")]),
    "several parts of text are lines": ([user("a", "b")], [chat.Message("user", "a\nb")]),
    "an empty message stays one": ([user()], [chat.Message("user", "")]),
    "text and image stay parts": (
        [Message(role="user", content=(InputText("see"), InputImage(image_url="data:x", detail="low")))],
        [chat.Message("user", (chat.TextPart("see"), chat.ImagePart("data:x", "low")))],
    ),
    "developer and system messages stand where they stood": (
        [developer("1"), user("a"), developer("2"), Message(role="system", content=(InputText("3"),)), said("b")],
        [
            chat.Message("developer", "1"),
            chat.Message("user", "a"),
            chat.Message("developer", "2"),
            chat.Message("system", "3"),
            chat.Message("assistant", "b"),
        ],
    ),
    "reasoning, text and calls of one turn are one message": (
        [user("q"), thought("hm"), said("well"), call(), call("c2", "g", '{"a":1}'), output(), output("c2", "7")],
        [
            chat.Message("user", "q"),
            chat.Message(
                "assistant",
                "well",
                reasoning="hm",
                tool_calls=(ToolCall("c1", "f", "{}"), ToolCall("c2", "g", '{"a":1}')),
            ),
            chat.Message("tool", "42", tool_call_id="c1"),
            chat.Message("tool", "7", tool_call_id="c2"),
        ],
    ),
    "consecutive reasoning items are one": (
        [thought("a", "b"), thought("c"), said("d")],
        [chat.Message("assistant", "d", reasoning="ab\nc")],
    ),
    "consecutive assistant messages are one": (
        [said("a"), said("b", "c")],
        [chat.Message("assistant", "a\n\nbc")],
    ),
    "reasoning after text belongs to the same message": (
        [said("a"), thought("b"), said("c")],
        [chat.Message("assistant", "a\n\nc", reasoning="b")],
    ),
    "text after a call belongs to the same message": (
        [LATER, said("a")],
        [
            chat.Message("assistant", "a", tool_calls=(ToolCall("c1", "f", "{}"),)),
            chat.Message("tool", NOT_YET, tool_call_id="c1"),
        ],
    ),
    "the late output of an asynchronous call comes with its call": (
        [LATER, user("b"), output()],
        [
            chat.Message("assistant", tool_calls=(ToolCall("c1", "f", "{}"),)),
            chat.Message("tool", NOT_YET, tool_call_id="c1"),
            chat.Message("user", "b"),
            chat.Message("assistant", tool_calls=(ToolCall("c1_again", "f", "{}"),)),
            chat.Message("tool", "42", tool_call_id="c1_again"),
        ],
    ),
    "images that a tool returned follow all outputs of its turn": (
        [call(), call("c2"), FunctionCallOutput(call_id="c1", output=(InputText("a"), IMAGE)), output("c2"), user("b")],
        [
            chat.Message("assistant", tool_calls=(ToolCall("c1", "f", "{}"), ToolCall("c2", "f", "{}"))),
            chat.Message("tool", f"a\n{SHOWN_BELOW}", tool_call_id="c1"),
            chat.Message("tool", "42", tool_call_id="c2"),
            chat.Message("user", (chat.TextPart(SHOWN_HERE), chat.ImagePart("data:image/png;base64,AA=="))),
            chat.Message("user", "b"),
        ],
    ),
    "reasoning alone is a message without content": (
        [thought("a"), user("b")],
        [chat.Message("assistant", reasoning="a"), chat.Message("user", "b")],
    ),
    "a summary stands for reasoning that is not at hand": (
        [Reasoning(summary=(Summary("x"), Summary("y")), encrypted_content="gAAA"), said("z")],
        [chat.Message("assistant", "z", reasoning="x\ny")],
    ),
    "opaque reasoning says nothing": (
        [Reasoning(encrypted_content="gAAA"), said("z")],
        [chat.Message("assistant", "z")],
    ),
    "a refusal was said": (
        [Message(role="assistant", content=(OutputText("a"), Refusal("no")))],
        [chat.Message("assistant", "ano")],
    ),
    "a namespaced call has its flat name": (
        [call(name="get", namespace="crm"), output()],
        [
            chat.Message("assistant", tool_calls=(ToolCall("c1", "crm__get", "{}"),)),
            chat.Message("tool", "42", tool_call_id="c1"),
        ],
    ),
    "a custom tool's input is wrapped as the model wrote it": (
        [PATCH, PATCHED],
        [
            chat.Message("assistant", tool_calls=(ToolCall("c1", "patch", '{"input":"a \\"b\\"\\né"}'),)),
            chat.Message("tool", "ok", tool_call_id="c1"),
        ],
    ),
    "an output of text parts is text": (
        [call(), FunctionCallOutput(call_id="c1", output=(InputText("a"), InputText("b")))],
        [
            chat.Message("assistant", tool_calls=(ToolCall("c1", "f", "{}"),)),
            chat.Message("tool", "a\nb", tool_call_id="c1"),
        ],
    ),
    "an image that a custom tool returned follows its text": (
        [PATCH, CustomToolCallOutput(call_id="c1", output=(InputText("a"), InputImage(image_url="https://x/y")))],
        [
            chat.Message("assistant", tool_calls=(ToolCall("c1", "patch", '{"input":"a \\"b\\"\\né"}'),)),
            chat.Message("tool", f"a\n{SHOWN_BELOW}", tool_call_id="c1"),
            chat.Message("user", (chat.TextPart(SHOWN_HERE), chat.ImagePart("https://x/y"))),
        ],
    ),
    "an output without a call stands behind one": (
        [user("q"), FunctionCallOutput(id="fco_1", output="news", name="feed", namespace="rss")],
        [
            chat.Message("user", "q"),
            chat.Message("assistant", tool_calls=(ToolCall("call_fco_1", "rss__feed", "{}"),)),
            chat.Message("tool", "news", tool_call_id="call_fco_1"),
        ],
    ),
    "a search for tools is a call, and its output names what can be called from now on": (
        [user("q"), SEARCH, FOUND],
        [
            chat.Message("user", "q"),
            chat.Message("assistant", tool_calls=(ToolCall("c1", "tool_search", '{"query":"crm"}'),)),
            chat.Message("tool", '{"tools":["crm__lookup","clock"]}', tool_call_id="c1"),
        ],
    ),
    "a search that the server made says nothing": (
        [user("a"), SEARCHED_HERE, ToolSearchOutput(execution="server"), user("b")],
        [chat.Message("user", "a"), chat.Message("user", "b")],
    ),
    "what the model cannot use is left out": (
        [user("a"), UnknownItem("new", Raw(b'{"type":"new"}')), Compaction(encrypted_content="x"), user("b")],
        [chat.Message("user", "a"), chat.Message("user", "b")],
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_items_become_messages(name: str) -> None:
    items, messages = MESSAGES[name]

    assert to_messages(items, None) == tuple(messages)


@pytest.mark.parametrize(
    ("instructions", "first"), [("Be brief.", ["system", "user"]), ("", ["user"]), (None, ["user"])]
)
def test_instructions_come_first(instructions: str | None, first: list[str]) -> None:
    assert [message.role for message in to_messages([user("a")], instructions)] == first


@pytest.mark.parametrize("part", [InputFile(file_id="file_1"), InputImage(file_id="file_1")])
def test_content_that_no_engine_takes_is_refused(part: MessagePart) -> None:
    with pytest.raises(InvalidRequest) as refused:
        to_messages([Message(role="user", content=(part,))], None)
    assert refused.value.param == "input"


# ---------------------------------------------------------------------------------------------------- drop_oldest_turns


def turn(number: int) -> list[chat.Message]:
    return [
        chat.Message("user", f"question {number}"),
        chat.Message("assistant", tool_calls=(ToolCall(f"c{number}", "f", "{}"),)),
        chat.Message("tool", "42", tool_call_id=f"c{number}"),
        chat.Message("assistant", f"answer {number}"),
    ]


def dialogue(turns: int) -> list[chat.Message]:
    head = [chat.Message("system", "Be brief."), chat.Message("developer", "In English.")]
    return head + [message for number in range(turns) for message in turn(number)]


@pytest.mark.parametrize(
    ("turns", "keep", "left"),
    [(1, 0.1, 1), (2, 0.9, 1), (4, 0.99, 3), (4, 0.8, 3), (4, 0.55, 2), (4, 0.0, 1), (10, 0.5, 4)],
)
def test_the_oldest_whole_turns_go_and_instructions_stay(turns: int, keep: float, left: int) -> None:
    messages = dialogue(turns)

    assert drop_oldest_turns(messages, keep) == (*messages[:2], *messages[-4 * left :])


def test_consecutive_user_messages_are_one_turn() -> None:
    messages = [
        chat.Message("user", "a"),
        chat.Message("user", "b"),
        chat.Message("assistant", "c"),
        chat.Message("user", "d"),
    ]

    assert turn_starts(messages) == [0, 3]
    assert drop_oldest_turns(messages, 0.5) == (messages[3],)


@pytest.mark.parametrize("messages", [[], [chat.Message("system", "x")], dialogue(1)])
def test_where_nothing_can_go_nothing_changes(messages: list[chat.Message]) -> None:
    assert drop_oldest_turns(messages, 0.0) == tuple(messages)


def test_dropping_takes_time_in_proportion_to_the_conversation() -> None:
    def seconds(turns: int) -> float:
        messages = dialogue(turns)
        begun = time.process_time()
        drop_oldest_turns(messages, 0.01)
        return time.process_time() - begun

    small, large = min(seconds(500) for _ in range(5)), min(seconds(5_000) for _ in range(3))
    assert large < 40 * small  # linear is 10, quadratic 100
