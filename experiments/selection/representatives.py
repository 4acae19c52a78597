"""VecCISC: traces of one answer that think alike are judged once; the vectors that say so come from an extraction."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.exceptions import ConvergenceWarning

from ...extraction.features import Features
from ...extraction.store import FeatureStore
from ...models.errors import InnerjudgeError
from .columns import Columns
from .votes import Answers

#: States to cluster on, the first that the features have.
POSITIONS = ("hidden/reasoning_end", "hidden/response_end")
METHODS = ("kmeans", "agglomerative")
Vectors = npt.NDArray[np.floating]


def representatives(
    answers: Answers, vectors: Vectors, *, clusters: int, method: str = "kmeans", seed: int = 0
) -> list[int]:
    """One candidate of each cluster of each answer: the one whose vector points most nearly to the cluster's mean.

    Candidates are grouped by answer first; each group is put into ``min(clusters, its size)`` clusters (fewer where
    ``vectors``, ``[n, D]`` and finite, are equal) by ``"kmeans"`` or ``"agglomerative"`` (Ward). Candidates with
    unparsable answers stand for nothing and are left out. Of equal distances the first is kept; a vector of zeros
    counts as at right angles to all.

    Source:
        VecCISC: group by answer, cluster within it, keep the trace of least cosine distance to the centre.
    """
    if method not in METHODS or clusters < 1:
        raise InnerjudgeError.of("selection.clusters", clusters, method, ", ".join(METHODS))
    points = np.asarray(vectors, dtype=np.float64)
    if points.ndim != 2 or len(points) != len(answers) or not np.isfinite(points).all():
        raise InnerjudgeError.of("selection.vectors", points.shape, len(answers))
    kept: list[int] = []
    for answer in dict.fromkeys(a for a in answers if a is not None):
        rows = np.array([k for k, one in enumerate(answers) if one == answer], dtype=np.intp)
        labels = _labels(points[rows], clusters, method, seed)
        for label in np.unique(labels):
            members = rows[labels == label]
            centre = points[members].mean(axis=0)
            sizes = np.linalg.norm(points[members], axis=1) * np.linalg.norm(centre)
            cosine = np.divide(points[members] @ centre, sizes, out=np.zeros(len(members)), where=sizes > 0)
            kept.append(int(members[np.argmax(cosine >= cosine.max() - 1e-12)]))  # equal up to rounding: the first
    return sorted(kept)


def vectors_of(features: Features, columns: Columns) -> Vectors:
    """The last state of each candidate, ``[n, D]``: final-normed, at the end of its reasoning, else of its response.

    ``InnerjudgeError`` if the features lack such states, or one of the candidates.
    """
    ids = {one: row for row, one in enumerate(features.ids)}
    wanted = [f"{q}/{c}" for q, c in zip(columns.questions, columns.candidates, strict=True)]
    lacking = [one for one in wanted if one not in ids]
    if lacking:
        raise InnerjudgeError.of("selection.lacking-features", lacking[0], len(lacking), len(wanted))
    part = features.take(np.array([ids[one] for one in wanted], dtype=np.intp))
    for name in POSITIONS:
        if name in part.arrays and part.present(name).all():
            return np.asarray(part[name][:, -1], dtype=np.float64)
    reasons = next((why for name in POSITIONS for why in part.missing.get(name, {}).values()), "none was extracted")
    raise InnerjudgeError.of("selection.no-state", reasons, " or ".join(POSITIONS))


def load_vectors(folder: str | Path, columns: Columns) -> Vectors:
    """:func:`vectors_of` a folder that ``extract`` wrote."""
    store = FeatureStore.open(folder, check="checksums")
    return vectors_of(store.features([name for name in POSITIONS if name in store.shapes]), columns)


def _labels(points: Vectors, clusters: int, method: str, seed: int) -> npt.NDArray[np.intp]:
    if min(clusters, len(np.unique(points, axis=0))) == 1:
        return np.zeros(len(points), dtype=np.intp)
    if clusters >= len(points):
        return np.arange(len(points))
    if method == "agglomerative":
        return np.asarray(AgglomerativeClustering(n_clusters=clusters).fit_predict(points))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # equal vectors: fewer clusters are found, as documented
        return np.asarray(KMeans(n_clusters=clusters, n_init=10, random_state=seed).fit_predict(points))
