"""Ridge regressions of one set of vectors under many penalties, against scikit-learn's one by one."""

import numpy as np
import pytest
from innerjudge.probes.regression import fit_ridge
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@pytest.mark.parametrize("shape", [(60, 7), (40, 90)], ids=["more rows", "more columns"])
def test_ridge_by_folds_equals_scikit_learn(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape) * rng.uniform(0.1, 9, shape[1]) + 3
    x[:, 2] = 5.0  # says nothing, and has no spread to be scaled by
    y = x[:, 0] + rng.normal(size=shape[0])
    groups = tuple(f"q{k // 3}" for k in range(shape[0]))
    alphas = (0.01, 1.0, 30.0, 1e3)
    found = fit_ridge(x, y, groups, alphas)
    code = np.unique(groups, return_inverse=True)[1]
    errors = [
        sum(
            (
                (make_pipeline(StandardScaler(), Ridge(alpha=a)).fit(x[fit], y[fit]).predict(x[test]) - y[test]) ** 2
            ).sum()
            for fit, test in GroupKFold(5).split(x, groups=code)
        )
        for a in alphas
    ]
    assert found.penalty == alphas[int(np.argmin(errors))]
    oracle = make_pipeline(StandardScaler(), Ridge(alpha=found.penalty)).fit(x, y)
    np.testing.assert_allclose(x @ found.coef + found.intercept, oracle.predict(x), rtol=1e-8)
