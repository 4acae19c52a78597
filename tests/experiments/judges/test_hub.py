"""Push and load by name, over HTTP, against a small server that answers as the hub does."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from innerjudge import InnerjudgeError, Judge

from .conftest import PROMPT, RIGHT, WRONG

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """One repository in memory: create, commit (all files inline), list, download."""

    files: dict[str, bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != "Bearer hf_right":
            return self._answer(401, {"error": "no such token"})
        if self.path == "/api/repos/create":
            return self._answer(200, {"url": f"http://{self.headers['Host']}/me/judge"})
        if "/preupload/" in self.path:
            names = [one["path"] for one in json.loads(body)["files"]]
            return self._answer(
                200, {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]}
            )
        if "/commit/" in self.path:
            for line in body.decode().splitlines():
                said = json.loads(line)
                if said["key"] == "file":
                    self.files[said["value"]["path"]] = base64.b64decode(said["value"]["content"])
            return self._answer(
                200,
                {
                    "commitUrl": f"http://{self.headers['Host']}/me/judge/commit/{COMMIT}",
                    "commitOid": COMMIT,
                    "success": True,
                },
            )
        return self._answer(200, {})

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/me/judge/tree"):
            return self._answer(
                200,
                [
                    {"type": "file", "path": n, "size": len(b), "oid": hashlib.sha1(b).hexdigest()}
                    for n, b in self.files.items()
                ],
            )
        if self.path.startswith("/api/models/me/judge"):
            return self._answer(
                200, {"id": "me/judge", "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.files]}
            )
        name = self.path.split("/resolve/", 1)[-1].split("/", 1)[-1].split("?")[0]
        if self.path.startswith("/me/judge/resolve/") and name in self.files:
            return self._answer(200, self.files[name])
        return self._answer(404, {"error": "not found"}, **{"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, code: int, body: Any, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        etag = hashlib.sha1(data).hexdigest()
        for name, value in {
            "Content-Length": str(len(data)),
            "ETag": f'"{etag}"',
            "X-Repo-Commit": COMMIT,
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Its address, and the files that it holds."""
    files: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Held", (Hub,), {"files": files}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", files
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(server: tuple[str, dict[str, bytes]]) -> dict[str, bytes]:
    """Nothing is pushed yet."""
    server[1].clear()
    return server[1]


#: Runs what it reads, a line of JSON each time, and says what that printed.
ELSEWHERE = """
import contextlib, io, json, sys
from innerjudge import InnerjudgeError, Judge
for line in sys.stdin:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(json.loads(line))
    print(json.dumps(said.getvalue()), flush=True)
"""


@pytest.fixture(scope="module")
def elsewhere(
    server: tuple[str, dict[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Run code in a process of its own, one for all tests: the client reads the hub's address once, at import."""
    home = tmp_path_factory.mktemp("home")
    env = {
        "HF_ENDPOINT": server[0],
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "OMP_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
    }
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with (home / "stderr").open("w+") as errors:
        process = subprocess.Popen([sys.executable, "-c", ELSEWHERE], text=True, stderr=errors, env=env, **pipes)

        def run(code: str) -> str:
            process.stdin.write(f"{json.dumps(code)}\n")
            process.stdin.flush()
            said = process.stdout.readline()
            assert said, (home / "stderr").read_text("utf-8")
            return str(json.loads(said))

        yield run
        process.kill()
        process.communicate()


def test_pushed_and_loaded_by_name(
    clue: Judge, hub: dict[str, bytes], elsewhere: Callable[[str], str], tmp_path: Path
) -> None:
    clue.save(tmp_path / "judge")
    pushed = elsewhere(f"print(Judge.load({str(tmp_path / 'judge')!r}).push_to_hub('me/judge', token='hf_right'))")
    assert "me/judge" in pushed
    assert set(hub) == {"README.md", "made.json", "judge.json", "judge.safetensors", "final_norm.safetensors"}
    pairs = [(PROMPT, RIGHT), (PROMPT, WRONG)]
    loaded = elsewhere(f"print(Judge.from_pretrained('me/judge').scores({pairs!r}).tolist())")
    np.testing.assert_allclose(json.loads(loaded), clue.scores(pairs), rtol=1e-4)


def test_what_the_hub_refuses_is_one_clear_line(
    clue: Judge, hub: dict[str, bytes], elsewhere: Callable[[str], str], tmp_path: Path
) -> None:
    clue.save(tmp_path / "judge")
    said = elsewhere(
        f"try: Judge.load({str(tmp_path / 'judge')!r}).push_to_hub('me/judge', token='hf_wrong')\n"
        "except InnerjudgeError as error: print(error)\n"
        "try: Judge.load('me/nothing')\nexcept InnerjudgeError as error: print(error)"
    )
    refused, absent = said.splitlines()
    assert "given 'me/judge' to push to" in refused
    assert "given the judge 'me/nothing'" in absent
    assert not hub
    with pytest.raises(InnerjudgeError, match="expected a folder that"):
        Judge.load(tmp_path / "nothing")
