"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.data.loaders.inspect_log import prompt_of, sent


def test_sent() -> None:
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser

    user = ChatMessageUser(content="A or B?")
    said = [user, ChatMessageAssistant(content="A"), user]
    assert (len(sent(said)), len(sent(said[:1])), sent([])) == (1, 1, [])


def test_prompt_of() -> None:
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser

    found = prompt_of([ChatMessageSystem(content="Be brief."), ChatMessageUser(content="2+2?")])
    assert repr(found) == (
        "Conversation([{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': '2+2?'}])"
    )
