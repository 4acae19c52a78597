"""What people write as YAML: studies and prompts of judges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import Reader, from_file

STUDY = b"""name: Rate
data:
  - {source: "builtin:rate", limit: 40}
judges: [lager, text]
splits: {fit: 0.4, calibrate: 0.2}
seeds: {data: 1}
audits: {wordings: [default, terse], pairs: true, label_errors: 0.8}
scale: [1, 5]
reasoning_tokens: 0
"""
PROMPT = b"""kind: rating
system: Be strict.
user: "{% for line in rubric %}{{ line.label }} {{ line.text }}{% endfor %}{{ prompt }} {{ response }} {{ ask }}"
cue: "Score:"
labels: {"1": 1, "2": 2}
rubric: {1: bad, 2: good}
few_shot: [{user: "?", assistant: "Score: 1"}]
"""


def settings_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """A study, a prompt that is also filled in, and YAML by itself."""
    from innerjudge.experiments.reading.judge_prompt import JudgePrompt
    from innerjudge.experiments.study.spec import read_study
    from innerjudge.models.foreign import parse_yaml
    from innerjudge.models.items import Rating

    rated = Rating(item_id="r", prompt="?", response="!", criterion="c")
    yield "study", Reader(from_file(folder, "s.yaml", read_study), STUDY, "yaml")
    asked = from_file(folder, "p.yaml", lambda at: JudgePrompt.of(at).ask(rated))
    yield "judge prompt", Reader(asked, PROMPT, "yaml")
    yield "YAML", Reader(lambda raw: parse_yaml(raw.decode("utf-8", "replace")), STUDY)
