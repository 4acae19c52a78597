"""Requests and answers, field by field as Jina, Cohere and vLLM name them."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ....models.conversation import Text as Texts, as_prompt, as_response, plain_text
from ....models.errors import InnerjudgeError

#: Examples of requests and answers by their type, and what the codes of errors mean.
SAID: dict[str, Any] = tomllib.loads(Path(__file__).with_name("said.toml").read_text("utf-8"))
_MODEL = "Name of a judge that is served; may be left out if there is only one."
_DOCUMENTS = "The candidates: strings, objects with text, or lists of messages."
_FIRST = "The prompt, or a list of prompts: strings or messages."
_UNSCORED = "Why there is no score, such as a gate that is failed; only on unscored results."
_KEPT = "Whether the judge's promise keeps the verdict, or abstains; only where it has a promise, see /v1/models."


def _example(name: str) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [SAID[name]]})


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no text") from None
    return text


#: A text that UTF-8 can say: JSON's escapes can spell others, which no tokenizer reads and no answer could repeat.
Text = Annotated[str, AfterValidator(_whole)]


def _read(as_text: Callable[[object], Texts]) -> AfterValidator:
    def read(given: object) -> Texts:
        try:
            found = as_text(given)
        except InnerjudgeError as error:
            raise ValueError(str(error)) from None
        _whole(plain_text(found))
        return found

    return AfterValidator(read)


#: Messages in the place of a text, each an object with role and content; they are read when the request is.
Prompt = Annotated[list[dict[str, Any]], _read(as_prompt)]
Response = Annotated[list[dict[str, Any]] | dict[str, Any], _read(as_response)]


class Document(BaseModel):
    """A document as an object."""

    text: Text


class RerankRequest(BaseModel):
    """Candidates of one prompt."""

    model_config = _example("RerankRequest")

    model: Text | None = Field(None, description=_MODEL)
    query: Text | Prompt = Field(description="The prompt: a string, or messages.")
    documents: list[Text | Document | Response] = Field(min_length=1, description=_DOCUMENTS)
    top_n: int | None = Field(None, ge=0, description="Return at most this many results; 0 or none for all.")
    return_documents: bool = Field(True, description="Whether each result has its document.")

    @property
    def texts(self) -> list[Any]:
        """The candidates: strings or conversations."""
        return [one.text if isinstance(one, Document) else one for one in self.documents]


class Usage(BaseModel):
    """Tokens of the prompts and candidates that were scored, before any template."""

    prompt_tokens: int
    total_tokens: int


class RerankResult(BaseModel):
    """One candidate."""

    index: int = Field(description="Its place among the documents of the request.")
    relevance_score: float | None = Field(description="Higher is better, on the judge's own scale; null if unscored.")
    document: Document | None = None
    unscored: str | None = Field(None, description=_UNSCORED)
    kept: bool | None = Field(None, description=_KEPT)


class RerankResponse(BaseModel):
    """Results, best first; unscored ones last."""

    model_config = _example("RerankResponse")

    id: str
    model: str
    usage: Usage
    results: list[RerankResult]


class ScoreRequest(BaseModel):
    """Pairs: one text with each of many, or two lists of one length; texts may be messages."""

    model_config = _example("ScoreRequest")

    model: Text | None = Field(None, description=_MODEL)
    text_1: Text | Prompt | list[Text | Prompt] = Field(description=_FIRST)
    text_2: Text | Response | list[Text | Response] = Field(description="The response or responses.")


class ScoreData(BaseModel):
    """One pair."""

    index: int
    object: str
    score: float | None = Field(description="Higher is better, on the judge's own scale; null if unscored.")
    unscored: str | None = Field(None, description=_UNSCORED)
    kept: bool | None = Field(None, description=_KEPT)


class ScoreResponse(BaseModel):
    """Scores in the order of the pairs."""

    model_config = _example("ScoreResponse")

    id: str
    object: str
    created: int
    model: str
    data: list[ScoreData]
    usage: Usage


class Served(BaseModel):
    """A judge that is served."""

    id: str
    object: str
    owned_by: str
    promise: str | None = Field(None, description="What its threshold promises, and for whom; only where it does.")


class ServedList(BaseModel):
    """All of them."""

    object: str
    data: list[Served]


class Health(BaseModel):
    """Whether judges answer."""

    status: str
    judges: list[str]


class Error(BaseModel):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: int


class ErrorResponse(BaseModel):
    """Every answer other than 200."""

    error: Error
