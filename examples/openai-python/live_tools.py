"""Hand the outputs of calls to a response that waits for them: one stream from beginning to end."""

import os

from openai import OpenAI

client = OpenAI()
model = os.environ["MODEL"]
weather = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

stream = client.responses.create(
    model=model,
    input="What is the weather in `Oslo`?",
    tools=[weather],
    stream=True,
    extra_body={"await_tool_outputs": True},
)
response_id = ""
for event in stream:
    if event.type == "response.created":
        response_id = event.response.id
    if event.type == "response.output_item.done" and event.item.type == "function_call":
        outputs = [{"call_id": event.item.call_id, "output": "4 degrees in Oslo"}]
        told = client.post(f"/responses/{response_id}/tool_outputs", body={"tool_outputs": outputs}, cast_to=dict)
        print(f"delivered: {len(told['accepted'])}")
    if event.type == "response.completed":
        print(f"answer: {event.response.output_text}")
