"""A server of the chat API that says yes or no by the prompt, for the commands that ask one."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zlib import crc32

#: Where it listens: two runs side by side have two.
PORT = 20_000 + os.getpid() % 10_000
JUDGE = f"openai:http://127.0.0.1:{PORT}/v1#a-judge"


class _Chat(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"]))
        prompt = json.loads(asked)["messages"][-1]["content"]
        message = {"role": "assistant", "content": "yes" if crc32(prompt.encode()) % 2 else "no"}
        said = json.dumps({"choices": [{"message": message}], "usage": {"total_tokens": 7}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def answering() -> Iterator[None]:
    """A server at :data:`JUDGE`, until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", PORT), _Chat) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()
