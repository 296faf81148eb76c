"""Everything that the paper reports, from embeddings to a page: recipes, plan, times, work."""
