"""A model in a run's folder: fit, callbacks, checkpoints, SavedModels."""
