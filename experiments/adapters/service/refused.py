"""Requests that get an answer other than 200, and the one shape that all of them have."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ....models.errors import InnerjudgeError
from ....models.shown import shown

#: Code -> kind of error, as clients of such services read it.
_TYPES = {401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}


class Refused(Exception):  # noqa: N818 - a refusal is an answer
    """An answer with an error code, a message, and seconds after which another try makes sense."""

    def __init__(self, code: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after = code, message, retry_after

    def response(self) -> JSONResponse:
        """The answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.code == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return _answer(self.code, self.message, headers)


def register_refusals(app: FastAPI) -> None:
    """Give every error of ``app`` the shape ``{"error": {"message", "type", "param", "code"}}``."""

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Refused) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Without the input, which may be huge or, holding NaN or half a surrogate pair, nothing that JSON can say.
        found = [f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in error.errors()[:5]]
        return _answer(400, "; ".join(found).encode("utf-8", "replace").decode())

    @app.exception_handler(HTTPException)
    async def known(_request: Request, error: HTTPException) -> JSONResponse:
        return _answer(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def broken(_request: Request, error: Exception) -> JSONResponse:
        said = str(error) if isinstance(error, InnerjudgeError) else f"{type(error).__name__}, see the service's log"
        return _answer(500, f"the judge failed: {said}")


def _answer(code: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    kind = _TYPES.get(code, "BadRequestError" if code < 500 else "InternalServerError")
    body = {"error": {"message": shown(message, 2000), "type": kind, "param": None, "code": code}}
    return JSONResponse(body, status_code=code, headers=headers)
