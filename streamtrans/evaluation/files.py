"""Files that are there whole or not at all."""

import os
import tempfile
from pathlib import Path

from streamtrans.errors import StreamtransError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8, to a temporary file beside `path` and rename it; the directory is made if need be.

    Raises `StreamtransError` where that cannot be (no space, no permission); what stood there before then still does.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StreamtransError(f"{path}: cannot write: {error.strerror}") from None
    try:
        with open(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        # mkstemp makes files that only their owner reads; a result is for everyone, as the user's umask says.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise StreamtransError(f"{path}: cannot write: {error.strerror}") from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
