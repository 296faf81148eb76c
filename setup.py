"""Packaging: both packages, the default data and the commands."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
DEVELOPMENT_TOOLS = {"pytest", "ruff"}


def version():
    """Return `__version__` of leo_tf without importing it."""
    source = (HERE / "leo_tf/__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE).group(1)


def requirements():
    """Return the lines of requirements.txt that running the packages needs."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    specifiers = [line.split("#")[0].strip() for line in lines]
    return [s for s in specifiers if s and re.match(r"[\w-]+", s).group() not in DEVELOPMENT_TOOLS]


COMMANDS = {
    "run": "leo_tf.run",
    "evaluate": "leo_tf.evaluate",
    "verify": "leo_tf.verify",
    "benchmark": "leo_tf.benchmark",
    "figures": "leo_tf.figures",
    "reference": "leo_tf.reference",
    "download": "data_pipeline.download",
}

setup(
    name="leo-tf",
    version=version(),
    description="Latent Embedding Optimization (LEO) for few-shot learning, in TensorFlow 2",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    install_requires=requirements(),
    extras_require={"fonts": ["pillow", "fonttools"]},  # to rebuild the glyphs data
    packages=find_packages(include=["leo_tf*", "data_pipeline*"]),
    package_data={"data_pipeline.glyphs": ["README.md", "*.png", "*.csv", "embeddings/**/*.pkl"]},
    entry_points={
        "console_scripts": [f"leo-tf-{name} = {module}:cli" for name, module in COMMANDS.items()]
    },
)
