"""Start a response that needs no connection, poll it, then read its whole stream."""

import os
import time

from openai import OpenAI

client = OpenAI()
model = os.environ["MODEL"]

response = client.responses.create(model=model, input="Write a long report.", background=True)
print(f"begun: {response.status}")
while response.status in ("queued", "in_progress"):
    time.sleep(0.1)
    response = client.responses.retrieve(response.id)
print(f"ended: {response.status}")
print(f"answer: {response.output_text}")
events = list(client.responses.retrieve(response.id, stream=True))
print(f"stream: {events[0].type} to {events[-1].type}")
