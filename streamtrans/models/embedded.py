"""The models that come with the package, found without importing an array library."""

from pathlib import Path

ASSETS = Path(__file__).parent.parent / "assets"


def embedded_models() -> list[str]:
    """The names of the embedded models."""
    return sorted(file.parent.name for file in ASSETS.glob("*/config.json"))


def name_of(directory: Path) -> str:
    """Return the name that the command line takes for a model: an embedded one's own, else its directory."""
    return directory.name if directory.parent == ASSETS else str(directory)
