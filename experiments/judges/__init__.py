"""A judge as a plug-in: with its model and the way it is asked, loaded by name, asked about plain strings.

``panel.py`` seats the registered judges of a kind of item, and says what must fit a judge. ``fitting.py`` fits one on
features in memory or a store, or while the model runs. ``saved.py`` keeps a judge as a folder with its card, finds and
pushes it. ``judge.py`` puts a judge and its model together; ``pair_judge.py`` is what can be asked of it, about the
strings that ``pairs.py`` reads and ranks, and ``interfaces.py`` how other libraries ask (a CrossEncoder, a reward).
``engine.py`` judges what an engine gives, ``openai_judge.py`` asks a text judge behind a server,
``sample_and_judge.py`` samples answers and picks the best.
"""
