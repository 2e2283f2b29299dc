"""Functions of matrices with safe derivatives: decompositions, square roots, polar factors."""
