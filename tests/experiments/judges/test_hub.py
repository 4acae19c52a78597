"""Push and load by name, over HTTP, against a small server that answers as the hub does."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
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


@pytest.fixture
def hub() -> Iterator[tuple[str, dict[str, bytes]]]:
    files: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Held", (Hub,), {"files": files}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", files
    server.shutdown()
    server.server_close()


def elsewhere(endpoint: str, home: Path, code: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the client reads the hub's address once, at import."""
    env = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
    }
    return subprocess.run(
        [sys.executable, "-c", f"from innerjudge import *\n{code}"],
        capture_output=True,
        text=True,
        timeout=300,
        env=env,
    )


def test_pushed_and_loaded_by_name(clue: Judge, hub: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    endpoint, files = hub
    clue.save(tmp_path / "judge")
    pushed = elsewhere(
        endpoint, tmp_path / "home",
        f"print(Judge.load({str(tmp_path / 'judge')!r}).push_to_hub('me/judge', token='hf_right'))",
    )  # fmt: skip
    assert pushed.returncode == 0, pushed.stderr
    assert "me/judge" in pushed.stdout
    assert set(files) == {"README.md", "made.json", "judge.json", "judge.safetensors", "final_norm.safetensors"}
    pairs = [(PROMPT, RIGHT), (PROMPT, WRONG)]
    loaded = elsewhere(
        endpoint, tmp_path / "fresh", f"print(Judge.from_pretrained('me/judge').scores({pairs!r}).tolist())"
    )
    assert loaded.returncode == 0, loaded.stderr
    np.testing.assert_allclose(json.loads(loaded.stdout), clue.scores(pairs), rtol=1e-4)


def test_what_the_hub_refuses_is_one_clear_line(clue: Judge, hub: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    endpoint, files = hub
    clue.save(tmp_path / "judge")
    said = elsewhere(
        endpoint, tmp_path / "home",
        f"try: Judge.load({str(tmp_path / 'judge')!r}).push_to_hub('me/judge', token='hf_wrong')\n"
        "except InnerjudgeError as error: print(error)\n"
        "try: Judge.load('me/nothing')\nexcept InnerjudgeError as error: print(error)",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    refused, absent = said.stdout.splitlines()
    assert "given 'me/judge' to push to" in refused
    assert "given the judge 'me/nothing'" in absent
    assert not files
    with pytest.raises(InnerjudgeError, match="expected a folder that"):
        Judge.load(tmp_path / "nothing")
