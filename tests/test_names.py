"""One word for one thing (docs/glossary.md): words that are gone do not come back."""

import tokenize
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCES = [
    path
    for folder in ("src", "workflow", "rules", "notebooks")
    for path in (REPOSITORY / folder).rglob("*")
    if path.suffix in (".py", ".smk")
]
# cmsRun or what trained a model; the host of cmsRun or a provider; predictions; weighting; methods.
GONE = {"framework", "backend", "answers", "weigh", "ways", "way"}


def words(path: Path) -> set[str]:
    """Identifiers and texts of one word in a file, in lower case."""
    with tokenize.open(path) as file:
        tokens = [
            t for t in tokenize.generate_tokens(file.readline) if t.type in (tokenize.NAME, tokenize.STRING)
        ]
    return {token.string.strip("\"'").lower() for token in tokens}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_words_that_are_gone(path):
    assert not words(path) & GONE


@pytest.mark.parametrize(
    "module", ["learning/data", "learning/weights", "learning/model", "benchmark/data", "plots"]
)
def test_modules_that_are_gone(module):
    place = REPOSITORY / "src/e2e" / module
    assert not place.exists()
    assert not place.with_suffix(".py").exists()
