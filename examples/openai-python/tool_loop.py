"""Answer the model's calls until it has nothing more to ask."""

import json
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


def get_weather(city: str) -> str:
    """A tool of ours."""
    return f"4 degrees in {city}"


response = client.responses.create(model=model, input="What is the weather in `Oslo`?", tools=[weather])
while calls := [item for item in response.output if item.type == "function_call"]:
    outputs = [
        {"type": "function_call_output", "call_id": call.call_id, "output": get_weather(**json.loads(call.arguments))}
        for call in calls
    ]
    response = client.responses.create(model=model, previous_response_id=response.id, input=outputs, tools=[weather])
print(f"answer: {response.output_text}")
