"""Stream an answer, and resume the same stream from the middle."""

import os

from openai import OpenAI

client = OpenAI()
model = os.environ["MODEL"]

response_id, last_seen, text = "", 0, ""
for event in client.responses.create(model=model, input="Tell me of the sea.", stream=True):
    if event.type == "response.created":
        response_id = event.response.id
    if event.type == "response.output_text.delta":
        text, last_seen = text + event.delta, event.sequence_number
    if event.type == "response.completed":
        print(f"streamed: {text}")

rest = client.responses.retrieve(response_id, stream=True, starting_after=last_seen)
print(f"resumed: {[event.type for event in rest][-1]}")
