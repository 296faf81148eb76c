"""From pictures to embeddings: networks, and the layers that they are read at."""
