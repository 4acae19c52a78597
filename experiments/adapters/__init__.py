"""A judge inside other tools: one thin module for each, named after the library that it needs.

========================= ================================================= ===========================
tool                      what to use                                       extra
========================= ================================================= ===========================
lm-evaluation-harness     :mod:`.lm_eval`: filters of a task's YAML         ``lm-eval``
TRL                       ``judge.as_reward()``, which needs nothing of TRL ``trl``
Inspect                   :mod:`.inspect_ai`: a scorer; records for logs    ``inspect``
sentence-transformers     ``judge.as_cross_encoder()``                      ``sentence-transformers``
LangChain                 :class:`.langchain.JudgeCrossEncoder`             ``langchain``
vLLM                      :mod:`.vllm`: a connector that it loads by name   vLLM itself
rerankers                 :class:`.rerankers.JudgeRanker`                   ``rerankers``
========================= ================================================= ===========================

What a judge cannot score stays unscored in each tool's own way, and is never a 0.
"""
