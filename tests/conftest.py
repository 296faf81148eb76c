"""Settings for every test, and for the commands that tests start."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter
os.environ.setdefault("MPLBACKEND", "Agg")  # no screen needed
