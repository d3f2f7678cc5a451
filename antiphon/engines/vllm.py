"""The engine for a vLLM in this process: its own renderer, scheduler and parsers, without HTTP in between.

Every import of vLLM stands in this file. A chat is rendered as the request that vLLM's own chat completions would get,
so that templates, parsers and structured outputs are the ones that vLLM was started with; what comes back passes
through the same parser as the chunks of a server.

Rules
- `prepare` renders and counts; the request reaches the scheduler with the first look at `deltas`.
- An output of vLLM holds all tokens since the last one was taken: a slow reader gets more at once, never a backlog.
- Leaving `deltas` in any way, `close()` and cancellation abort the request in the scheduler.
- While a consumer of `deltas` waits, vLLM's own handler of outputs hands them on, if they may be handed on.
"""

import dataclasses
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from jinja2 import TemplateError
from msgspec import Struct
from msgspec.structs import replace
from pydantic import ValidationError
from vllm import exceptions
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.sampling_params import SamplingParams, StructuredOutputsParams
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError
from vllm.v1.structured_output import utils as structured_output

from antiphon.core.chat import ChatRequest, Function
from antiphon.core.deltas import Delta
from antiphon.engines.chat_errors import name_grammar, reported
from antiphon.engines.chat_quirks import VLLM, Quirks
from antiphon.engines.chat_render import render
from antiphon.engines.grammar_call import forced_grammar
from antiphon.engines.vllm_grammars import with_grammars
from antiphon.engines.vllm_output import OutputReader
from antiphon.engines.vllm_tap import Tap, tap
from antiphon.errors import AntiphonError, ContextLengthExceeded, EngineError, EngineUnavailable
from antiphon.ports import Model, More, Take


def _known(*names: str) -> tuple[type[Exception], ...]:
    """Those of vLLM's exceptions that this version has."""
    return tuple(getattr(exceptions, name) for name in names if hasattr(exceptions, name))


_THE_REQUESTS_FAULT = (
    *_known("VLLMClientError", "VLLMNotFoundError"),
    TemplateError,  # what a chat template says to a conversation that it does not take
    NotImplementedError,
    ValueError,
    TypeError,
    OverflowError,
)
_FULL = _known("GracefulHTTPError")  # since 0.29
_ITS_FAULT = (EngineDeadError, EngineGenerateError, *_known("VLLMServerError"))
# Up to 0.30 a grammar in Lark's syntax is rewritten in another, line by line and often wrongly.
_READS_LARK = not hasattr(structured_output, "convert_lark_to_ebnf")
# The grammar of a forced custom tool is a field of a server's requests, so it is one of ours.
_QUIRKS = replace(VLLM, structured_outputs=True)


class _Unbounded(ChatCompletionRequest):  # type: ignore[misc]
    """A request to be counted, however long: vLLM stops at its context and would say no more than that."""

    def build_tok_params(self, model_config: Any) -> Any:
        """How its prompt is tokenized."""
        return dataclasses.replace(super().build_tok_params(model_config), max_total_tokens=None)


class VllmEngine:
    """Generates by `client`, vLLM's `EngineClient`. `state` is the state of vLLM's application, initialised."""

    def __init__(self, client: Any, state: Any) -> None:
        self._client = client
        self._renderer = state.online_renderer
        self._served = state.openai_serving_models
        self._config = client.model_config
        self._whole_config = state.vllm_config
        self._defaults: dict[str, Any] = self._config.get_diff_sampling_param()
        self._takes = frozenset(inspect.signature(client.generate).parameters)
        self._by_priority = self._whole_config.scheduler_config.policy == "priority"
        self._open: set[VllmGeneration] = set()

    async def start(self) -> None:
        """vLLM is up before its plugins are."""

    async def close(self) -> None:
        """Abort what runs; the engine itself is vLLM's to close."""
        for generation in tuple(self._open):
            await generation.close()

    def models(self) -> Sequence[Model]:
        """The names the base model is served under, then the LoRA adapters loaded now."""
        names = [*(path.name for path in self._served.base_model_paths), *self._served.lora_requests]
        family = "gpt-oss" if self._renderer.use_harmony else None
        return [
            Model(
                id=name,
                created=0,
                owned_by="vllm",
                context_tokens=self._config.max_model_len,
                images=self._config.is_multimodal_model,
                continues_text=True,
                reasoning_family=family,
            )
            for name in dict.fromkeys(names)
        ]

    async def prepare(self, chat: ChatRequest) -> "VllmGeneration":
        """Render and count. Raises: ClientError when vLLM refuses the request, EngineUnavailable when it is full."""
        try:
            if self._client.errored:
                raise EngineError("The engine has stopped.")
            if hasattr(self._client, "check_admission"):  # since 0.29
                self._client.check_admission()
        except _FULL as error:
            raise _meaning(error) from None
        forced = self._forced(chat)
        request, prompt = await self._render(chat, VLLM if forced is None else _QUIRKS)
        generation = VllmGeneration(self._plan(chat, forced, request, prompt), self._client, self._open)
        self._open.add(generation)
        return generation

    async def count(self, chat: ChatRequest) -> int:
        """Render and count, whether or not there is room to generate. Raises: ClientError."""
        _, prompt = await self._render(chat, VLLM if self._forced(chat) is None else _QUIRKS, _Unbounded)
        return len(prompt["prompt_token_ids"])

    def _forced(self, chat: ChatRequest) -> Function | None:
        """The custom tool that has to be called and whose grammar this engine takes, to be generated as text.

        vLLM uses one backend for all grammars. Where it chooses, that is xgrammar as a rule; a request for which it
        chose another would fail.
        """
        forced = forced_grammar(chat)
        if forced is None or forced.grammar is None:
            return None
        is_lark, definition = forced.grammar.syntax == "lark", forced.grammar.definition
        if is_lark and not _READS_LARK:
            return None
        outputs = StructuredOutputsParams(**{"grammar" if is_lark else "regex": definition})
        params = SamplingParams(structured_outputs=outputs)
        try:
            self._check(params)
        except _THE_REQUESTS_FAULT:
            return None
        chooses = self._whole_config.structured_outputs_config.backend == "auto"
        return None if chooses and not str(outputs._backend).startswith("xgrammar") else forced

    async def _render(self, chat: ChatRequest, quirks: Quirks, form: Any = ChatCompletionRequest) -> tuple[Any, Any]:
        """The request as vLLM has it, and its prompt. Raises: ClientError when vLLM refuses it."""
        try:
            request = form.model_validate_json(render(_as_vllm_takes_it(chat), quirks))
            rendered = await self._renderer.render_chat(request)
        except (*_THE_REQUESTS_FAULT, *_FULL) as error:
            raise _meaning(error) from None
        if not isinstance(rendered, tuple):
            raise reported({"message": rendered.error.message, "code": rendered.error.code})
        return request, rendered[1][0]

    def _plan(self, chat: ChatRequest, forced: Function | None, request: Any, prompt: Any) -> "_Plan":
        """Everything vLLM is called with. Raises: ContextLengthExceeded when nothing can be generated."""
        tokens: list[int] = prompt["prompt_token_ids"]
        room = self._config.max_model_len - len(tokens)
        if room < 1:
            limit = self._config.max_model_len
            message = f"This model's maximum context length is {limit} tokens, but the input has {len(tokens)} tokens."
            raise ContextLengthExceeded(message, input_tokens=len(tokens), limit=limit)
        asked = chat.sampling.max_tokens or self._defaults.get("max_tokens") or room
        parser = self._parser(request)
        try:
            params = request.to_sampling_params(min(asked, room), self._defaults)
            if params.structured_outputs is not None:
                self._bind_grammars(params, chat)
                self._check(params.clone())
        except _THE_REQUESTS_FAULT as error:
            refusal = _meaning(error)
            name_grammar(refusal, chat)
            raise refusal from None
        options = {
            "lora_request": self._served.lora_requests.get(chat.model),
            "reasoning_ended": _reasoning_ended(request, parser, tokens),
            "reasoning_parser_kwargs": {"chat_template_kwargs": self._template_kwargs(request)}
            if parser is not None
            else None,
        }
        if self._by_priority and chat.priority is not None:
            options["priority"] = chat.priority
        known = {name: value for name, value in options.items() if name in self._takes}
        return _Plan(chat, forced, request, prompt, tokens, parser, params, known)

    def _bind_grammars(self, params: Any, chat: ChatRequest) -> None:
        """Have calls of custom tools obey their grammars, as far as vLLM's grammar backend takes those."""
        outputs = params.structured_outputs
        bound = with_grammars(outputs.structural_tag, chat.tools) if outputs.structural_tag else None
        if bound is None:
            return
        tried = params.clone()
        tried.structured_outputs = StructuredOutputsParams(structural_tag=bound)
        try:
            self._check(tried.clone())
        except _THE_REQUESTS_FAULT:
            return  # the input is checked when it is there, as without a grammar that constrains
        params.structured_outputs = tried.structured_outputs

    def _check(self, params: Any) -> None:
        """Refuse now what vLLM would refuse with the first look at the output; it leaves marks in `params`."""
        config, tokenizer = self._whole_config, self._renderer.renderer.tokenizer
        params.verify(self._config, config.speculative_config, config.structured_outputs_config, tokenizer)

    def _parser(self, request: Any) -> Any:
        """vLLM's parser of reasoning and calls for one answer; None where none is configured."""
        if self._renderer.parser is None:
            return None
        return self._renderer.parser(
            self._renderer.renderer.tokenizer,
            request.tools,
            chat_template_kwargs=self._template_kwargs(request),
            model_config=self._config,
        )

    def _template_kwargs(self, request: Any) -> dict[str, Any]:
        renderer = self._renderer
        asked = request.build_chat_params(renderer.chat_template, renderer.chat_template_content_format)
        found: dict[str, Any] = asked.with_defaults(renderer.default_chat_template_kwargs).chat_template_kwargs
        return found


def _as_vllm_takes_it(chat: ChatRequest) -> ChatRequest:
    """Without a limit: one beyond the rest of the context, which is known when the prompt is rendered, is refused.

    Tools with a grammar are strict, so that vLLM constrains how they are called; the form of it is then made narrower.
    """
    tools = [replace(tool, strict=True) if tool.grammar is not None else tool for tool in chat.tools]
    return replace(chat, tools=tools, sampling=replace(chat.sampling, max_tokens=None))


def _reasoning_ended(request: Any, parser: Any, tokens: Sequence[int]) -> bool | None:
    """Whether a grammar binds from the first token on; None leaves it to the scheduler's own look at the prompt."""
    if getattr(request, "_grammar_from_parser", False):  # it has room for reasoning itself; since 0.27
        return True
    if parser is None or parser.reasoning_parser is None:
        return None
    ended: bool = parser.is_reasoning_end(tokens)
    return ended


class _Plan(Struct, frozen=True):
    chat: ChatRequest
    forced: Function | None
    request: Any
    prompt: Any
    tokens: list[int]
    parser: Any
    params: Any
    options: dict[str, Any]


class VllmGeneration:
    """A `Generation` in this process. `register` holds it for as long as it may run."""

    def __init__(self, plan: _Plan, client: Any, register: "set[VllmGeneration]") -> None:
        self.input_tokens: int | None = len(plan.tokens)
        self._plan = plan
        self._client = client
        self._register = register
        forced = plan.forced.name if plan.forced else None
        self._reading = OutputReader(plan.chat, forced, plan.request, plan.parser, plan.tokens)
        self._outputs: AsyncGenerator[Any, None] | None = None
        self._hearer: tuple[Take, More] | None = None
        self._tap: Tap | None = None
        self._closed = False

    def hand_to(self, take: Take, more: More) -> None:
        """Hand what comes while a consumer of `deltas` waits to `take` instead, or to `more`."""
        self._hearer = (take, more)

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        """All deltas, as many at a time as vLLM gave tokens; after `close` it ends without a `Finish`.

        Raises: ClientError when vLLM refuses late; EngineError when it fails.
        """
        if self._closed or self._outputs is not None:
            return
        plan = self._plan
        self._outputs = self._client.generate(plan.prompt, plan.params, plan.chat.id, **plan.options)
        try:
            async with aclosing(self._outputs) as outputs:
                async for output in outputs:
                    self._listen(False)
                    if self._closed:
                        return
                    if batch := self._reading.read(output):
                        yield batch
                    self._listen(True)  # only now: what came meanwhile comes first
            yield self._reading.end()
        except (*_THE_REQUESTS_FAULT, *_FULL, *_ITS_FAULT) as error:
            if not self._closed:
                broken = self._tap.broken if self._tap is not None else None
                raise broken or _meaning(error) from None
        finally:
            self._leave()

    def _listen(self, now: bool) -> None:
        if now and self._hearer is not None:
            self._tap = tap(self._client, self._plan.chat.id, self._reading, *self._hearer)
            self._hearer = None  # where there is no tap now, there is none later
        if self._tap is not None:
            self._tap.listens = now

    async def close(self) -> None:
        """Abort what runs. Does nothing after the end."""
        if self._closed:
            return
        self._leave()
        if self._outputs is not None:  # whoever reads it hears of its end
            await self._client.abort(self._plan.chat.id)

    def _leave(self) -> None:
        self._closed = True
        if self._tap is not None:
            self._tap.close()
        self._register.discard(self)


def _meaning(error: Exception) -> AntiphonError:
    """What an exception of vLLM's means to our client."""
    if isinstance(error, AntiphonError):
        return error
    if isinstance(error, _FULL):
        return EngineUnavailable("The engine cannot take the request now.")
    if isinstance(error, EngineDeadError):
        return EngineError("The engine has stopped.")
    if isinstance(error, _THE_REQUESTS_FAULT):
        return reported({**_refusal(error), "code": 400})
    return EngineError("The engine failed while generating.")


def _refusal(error: Exception) -> dict[str, object]:
    """What vLLM says and of which parameter, without the value that it did not take."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        return {"message": f"Invalid '{place}': {first['msg']}.", "param": place}
    said = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return {"message": said, "param": getattr(error, "parameter", None)}
