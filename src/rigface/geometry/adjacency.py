"""Which vertices are neighbours, as a sparse matrix."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int


def adjacency(edges: Int[np.ndarray, "edges 2"], count: int) -> sp.csr_matrix:
    """(count, count), symmetric: one where an edge joins two vertices."""
    one = sp.coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    return (one + one.T).tocsr()
