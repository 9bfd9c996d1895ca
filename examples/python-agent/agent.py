#!/usr/bin/python3
"""An agent in Python, made from agent.proto alone: it marks requests that may pass, and refuses those that may not.

It needs the Debian packages python3-grpcio and protobuf-compiler, or grpcio and grpcio-tools from PyPI.
"""
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import grpc


def messages_of(folder, file):
    """Makes Python classes from a .proto file while the program loads: nothing that is generated has to be kept. A service that is built would keep it."""
    compiler = ["protoc"] if shutil.which("protoc") else [sys.executable, "-m", "grpc_tools.protoc"]
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([*compiler, f"-I{folder}", f"--python_out={made}", file], check=True)
        sys.path.insert(0, made)
        from sentinel.agent.v1 import agent_pb2
        sys.path.remove(made)
    return agent_pb2


HERE = os.path.dirname(os.path.abspath(__file__))
protos = messages_of(os.environ.get("SENTINEL_PROTO", os.path.join(HERE, "..", "..", "proto")), "sentinel/agent/v1/agent.proto")

SETTINGS = {"mark": "text for x-python", "blocked": "paths that are refused"}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"mark": {"type": "string"}, "blocked": {"type": ["string", "array"], "items": {"type": "string"}}},
}


def read_config(text):
    """The operator's `config {}` block: what the agent works with, and what is wrong with it."""
    problems = []

    def problem(path, message, hint=""):
        problems.append(protos.ConfigProblem(path=path, message=message, hint=hint))

    try:
        given = json.loads(text or b"{}")
    except ValueError as error:
        problem([], f"this is not JSON: {error}")
        return None, problems
    if not isinstance(given, dict):
        problem([], "a block of settings is expected")
        return None, problems
    for name in given:
        if name not in SETTINGS:
            problem([name], "there is no such setting", "there are: " + ", ".join(SETTINGS))
    mark = given.get("mark", "yes")
    # One argument is a text, several are a list.
    blocked = given.get("blocked", ["/forbidden"])
    blocked = [blocked] if isinstance(blocked, str) else blocked
    if not isinstance(mark, str) or any(ord(char) < 32 or ord(char) == 127 for char in mark):
        problem(["mark"], "a text is expected that can stand in a header field")
    if not isinstance(blocked, list) or not all(isinstance(path, str) and path.startswith("/") for path in blocked):
        problem(["blocked"], "paths are expected, each beginning with /")
    return {"mark": mark, "blocked": blocked}, problems


def method(kind, handler, request, response):
    return kind(handler, request_deserializer=request.FromString, response_serializer=response.SerializeToString)


class Agent:
    def __init__(self):
        self.config = None

    def handlers(self):
        return grpc.method_handlers_generic_handler("sentinel.agent.v1.Agent", {
            "Describe": method(grpc.unary_unary_rpc_method_handler, self.describe, protos.DescribeRequest, protos.DescribeResponse),
            "Configure": method(grpc.unary_unary_rpc_method_handler, self.configure, protos.ConfigureRequest, protos.ConfigureResponse),
            "Process": method(grpc.stream_stream_rpc_method_handler, self.process, protos.ToAgent, protos.FromAgent),
        })

    async def describe(self, request, context):
        return protos.DescribeResponse(
            name="python-agent",
            version="1.0.0",
            protocol_version=1 if 1 in request.protocol_versions else 0,
            events=[protos.EVENT_KIND_REQUEST_HEADERS],
            config_schema=json.dumps(SCHEMA),
            sets_request_headers=["x-python"],
        )

    async def configure(self, request, context):
        config, problems = read_config(request.config_json)
        if not problems and not request.validate_only:
            self.config = config
        return protos.ConfigureResponse(accepted=not problems, problems=problems)

    async def process(self, requests, context):
        async for message in requests:
            # One message may hold events of many exchanges; what has no timeout is never answered.
            replies = [self.answer(event) for event in message.events if event.timeout_ms > 0]
            if replies:
                yield protos.FromAgent(replies=replies)

    def answer(self, event):
        reply = protos.Reply(exchange=event.exchange, sequence=event.sequence)
        if self.config is None:
            reply.error.CopyFrom(protos.Failure(code="not_configured", message="there is no configuration yet", retryable=True))
        elif event.WhichOneof("kind") == "request_headers":
            reply.decision.CopyFrom(self.decide(event.request_headers))
        else:
            # Also a kind of which this version of the protocol knows nothing: never an allow.
            reply.error.CopyFrom(protos.Failure(code="not_subscribed", message="only request headers are judged here"))
        return reply

    def decide(self, request):
        # `path` is normalised, so that /a/../forbidden and /%66orbidden are /forbidden; `raw_path` is what the client sent.
        decision = protos.Decision(wants=protos.Wants(done=True))
        for path in self.config["blocked"]:
            if request.path == path or request.path.startswith(path.rstrip("/") + "/"):
                decision.block.CopyFrom(protos.Block(status=403, body=b"Python says no.\n"))
                decision.audit.CopyFrom(protos.Audit(reason="blocked_path", rule_ids=[path]))
                return decision
        decision.allow.CopyFrom(protos.Allow())
        decision.request_headers.append(protos.HeaderEdit(action=protos.HeaderEdit.ACTION_SET, name=b"x-python", value=self.config["mark"].encode()))
        return decision


class Health:
    """grpc.health.v1.Health, so that ordinary tools can ask. Its messages are one field: 1 is SERVING, 2 is NOT_SERVING."""

    def __init__(self):
        self.stopping = asyncio.Event()

    def handlers(self):
        return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {
            "Check": grpc.unary_unary_rpc_method_handler(self.check),
            "Watch": grpc.unary_stream_rpc_method_handler(self.watch),
        })

    def status(self):
        return b"\x08\x02" if self.stopping.is_set() else b"\x08\x01"

    async def check(self, request, context):
        return self.status()

    async def watch(self, request, context):
        yield self.status()
        await self.stopping.wait()
        yield self.status()


def address():
    """Where the proxy expects it. A socket is only taken over when nobody answers on it."""
    if "SENTINEL_LISTEN" in os.environ:
        return os.environ["SENTINEL_LISTEN"]
    path = os.environ.get("SENTINEL_SOCKET", "python-agent.sock")
    if os.path.exists(path):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
                sys.exit(f"somebody serves {path} already")
            except ConnectionRefusedError:
                os.unlink(path)
    return f"unix:{path}"


async def serve():
    health = Health()
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 16 * 1024 * 1024)])
    server.add_generic_rpc_handlers((Agent().handlers(), health.handlers()))
    os.umask(0o177)  # The socket is for this user alone.
    server.add_insecure_port(address())
    await server.start()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, health.stopping.set)
    if os.environ.get("SENTINEL_MANAGED") == "1":
        # The pipe closes when the proxy is gone, however it went.
        def until_closed():
            # Not by sys.stdin: a thread that waits in it keeps its lock, and Python aborts at the end of the program.
            while os.read(0, 4096):
                pass
            loop.call_soon_threadsafe(health.stopping.set)
        threading.Thread(target=until_closed, daemon=True).start()
    # Whoever reads this may tell it to stop.
    print("python-agent serves", flush=True)

    await health.stopping.wait()
    # Those who watch its health send nothing new from here on; what is open has two seconds.
    await server.stop(2)


if __name__ == "__main__":
    asyncio.run(serve())
