"""A judge as a plug-in: with its model and the way it is asked, loaded by name, asked about plain strings.

``panel.py`` seats the registered judges of a kind of item. ``fitting.py`` fits one of them on features in memory,
``fit_from_store.py`` on a store, ``streaming.py`` while the model runs. ``saved.py`` keeps a judge as a folder with its
card (``judge_card.py``); ``hub.py`` finds and pushes it. ``judge.py`` puts a judge and its model together
(``requirements.py`` says what must fit, ``shared_models.py`` shares the model); ``pair_judge.py``, ``ranking.py`` and
``cross_encoder.py`` are what can be asked of it, about the strings that ``pairs.py`` reads. ``engine.py`` judges states
of another engine, ``reward.py`` rewards for training, ``sample_and_judge.py`` samples answers and picks the best.
"""
