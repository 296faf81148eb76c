"""What the documents show and `test_examples.py` does not run, and why.

A command is named as it is written, without its comment; a block of Python or JSON by its page and
first line. A reason that names a file of tests is checked to name one that is there.
"""

_DOWNLOAD = "it downloads; tests/data_pipeline/test_download.py has a server of its own"
_HOURS = "it takes hours; tests/studies/test_study.py does one of tiny runs"
_PAPER = "it takes minutes to days; tests/reproduction/test_reproduce.py does a tiny one"
_RAY = "tests/studies/test_cluster.py starts a cluster, and gives it runs"
_MAKE = "it builds an environment of its own, or is what runs the tests; its target is checked"
_INSTALL = "it changes the environment that the tests run in"
_VERIFY = "tests/fidelity/test_document.py does it for each file"
_REQUEST = "tests/serving/test_tensorflow_serving.py answers it"
_PLACEHOLDERS = "its paths stand for the reader's; its flags are checked"

NOT_RUN = {
    # README
    "make run": _MAKE,
    "make test": _MAKE,
    "python -m leo_tf.demo": "it serves; tests/serving/test_demo_page.py uses it",
    "source .venv/bin/activate": "it sets the shell up",
    "python -m leo_tf.table --dataset=glyphs --shot=1,5 --jobs=2": _HOURS,
    "python -m data_pipeline.download --data_path=embeddings": _DOWNLOAD,
    "python -m leo_tf.reproduce --plan": _PAPER,
    "python -m leo_tf.reproduce --dataset=glyphs --shot=1 --steps=500": _PAPER,
    # CONTRIBUTING
    "make test ARGS=tests/meta": _MAKE,
    "make test ARGS=tests -k centroid -x": _MAKE,
    "make test-all": _MAKE,
    "make lint": _MAKE,
    "make docs": _MAKE,
    "make matrix": _MAKE,
    "make matrix ARGS=--session 'smoke(3.12, 2.21)'": _MAKE,
    "make dist": _MAKE,
    ".venv/bin/pre-commit install": "it changes the repository's hooks",
    # docs
    "python -m leo_tf.serving.ship --name=NAME --source=What it was trained on."
    " --licence=CC BY 4.0 runs/mine_5way_1shot/*/seed*": "tests/serving/test_shipping.py ships",
    "python -m leo_tf.serving.ship --name=glyphs_leo --backbone=glyphs --source=... --licence=..."
    " runs/glyphs_5way_1shot/seed*": "tests/serving/test_shipping.py ships",
    "python -m leo_tf.embed --images=DIR --out=embeddings/mine": _PLACEHOLDERS,
    "python -m leo_tf.run --devices=2 --dataset=miniImageNet --shot=5": (
        "there is one device; tests/training/test_strategy.py makes two of it"
    ),
    "python -m leo_tf.verify tests/golden/*.npz": _VERIFY,
    "python -m leo_tf.verify --cast=float32 tests/golden/*.npz": _VERIFY,
    "pip install leo-tf[cluster]": _INSTALL,
    "pip install leo-tf[demo]": _INSTALL,
    "pip install leo-tf[pictures]": _INSTALL,
    "ray start --head --port=6379 --disable-usage-stats": _RAY,
    "ray start --address=HOST:6379 --disable-usage-stats": _RAY,
    "python -m leo_tf.table --dataset=miniImageNet --cluster=HOST:6379": _RAY,
    "python -m leo_tf.predict --model=RUN --support=DIR --queries=DIR --html=page.html": (
        _PLACEHOLDERS
    ),
    "python -m leo_tf.reproduce --dataset=glyphs --shot=1 --seeds=0 --steps=500": _PAPER,
    "python -m leo_tf.reproduce --dataset=miniImageNet,tieredImageNet --shot=1,5"
    " --seeds=0,1,2,3,4": _PAPER,
    "python -m leo_tf.tune --method=leo --dataset=glyphs --shot=1 --trials=40 --steps=3000"
    " --validate_every=500 --jobs=2": "it takes an hour; the one at the page's top is run, shorter",
    "docker run --rm -p 127.0.0.1:8501:8501 -e MODEL_NAME=glyphs"
    " -v $PWD/runs/glyphs_5way_1shot/seed0/saved_model:/models/glyphs/1:ro tensorflow/serving": (
        "it takes Docker and an image of 500 MB; " + _REQUEST
    ),
    "docs/serving.md: {": _REQUEST,
    "docs/serving.md: import json": _REQUEST,
    "saved_model_cli show --dir=runs/glyphs_5way_1shot/seed0/saved_model --tag_set=serve --all": (
        "tests/serving/test_tensorflow_serving.py does"
    ),
    "saved_model_cli run --dir=runs/glyphs_5way_1shot/seed0/saved_model --tag_set=serve"
    " --signature_def=adapt --inputs=support=support.npy --outdir=adapted": (
        "tests/serving/test_tensorflow_serving.py does"
    ),
}
