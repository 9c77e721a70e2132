"""The BLAS that mlx multiplies with on Linux, found at import: `runtime` installs it, nobody else needs this module.

The `mlx[cpu]` wheel multiplies matrices with a reference BLAS, some thirty times slower than the machine can.
`libmlx.so` reaches BLAS through a lazy jump slot, one pointer in writable memory that the dynamic linker fills at the
first call. We look the slot of `cblas_sgemm` up in the library's own ELF tables and store the address of a fast one
there: no compiler, no file changed, 2 ms. Before it is trusted, a product with a known answer must come out right,
otherwise the old pointer goes back.

`STREAMTRANS_BLAS` chooses: unset takes the `scipy-openblas32` wheel, `off` leaves mlx alone, anything else is the path
of a BLAS library that exports `cblas_sgemm`.
"""

import ctypes
import mmap
import os
import struct
import sys
from collections.abc import Iterator
from importlib import util
from pathlib import Path

_CHOICE = os.environ.get("STREAMTRANS_BLAS", "")
_JUMP_SLOT = {"x86_64": 7, "aarch64": 1026}
_DT_PLTRELSZ, _DT_STRTAB, _DT_SYMTAB, _DT_JMPREL = 2, 5, 6, 23
_PT_LOAD, _PT_DYNAMIC = 1, 2
_IN_PLACE = {"skylakex", "cooperlake", "sapphirerapids"}  # OpenBLAS's names of its AVX-512 cores, Zen 4 among them
_PREFIXES = {"cblas_sgemm": "", "scipy_cblas_sgemm": "scipy_"}


class _Unusable(Exception):
    """This BLAS cannot be used here; the message says why."""


def _open_library(path: str) -> ctypes.CDLL:
    """Load a BLAS with its symbols global, so that mlx, if it is not loaded yet, may also find it by name."""
    try:
        return ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise _Unusable(f"cannot load {path}: {error}") from error


# A library named by its path must be there before mlx is: interposition by name then works where no slot is found.
_named: ctypes.CDLL | None = None
_named_first = "mlx.core" not in sys.modules
_complaint: str | None = None
if _CHOICE not in ("", "off"):
    try:
        _named = _open_library(_CHOICE)
    except _Unusable as failure:
        _complaint = f"STREAMTRANS_BLAS: {failure}; unset it or give the path of a BLAS library"

import mlx.core as mx  # noqa: E402


class Blas:
    """The BLAS of mlx: `name`, for people; `advice`, one line to act on or None; its number of threads."""

    def __init__(self, name: str, library: ctypes.CDLL | None = None, advice: str | None = None):
        """library: None for one that mlx brings or the system has."""
        self.name, self.advice = name, advice
        prefix = _prefix(library) if library else ""
        functions = [getattr(library, f"{prefix}openblas_{end}", None) for end in _FUNCTIONS]
        self._get_threads, self._set_threads, self._core = functions

    @property
    def threads(self) -> int | None:
        """Threads that a product may use, None where that cannot be known."""
        return self._get_threads() if self._get_threads and self._set_threads else None

    @threads.setter
    def threads(self, count: int) -> None:
        if self._set_threads:
            self._set_threads(count)

    @property
    def small_products_in_place(self) -> bool:
        """Whether it has kernels that multiply small matrices without copying them: OpenBLAS's for AVX-512."""
        if self._core is None:
            return False
        self._core.restype = ctypes.c_char_p
        return self._core().decode().lower() in _IN_PLACE


_FUNCTIONS = ("get_num_threads", "set_num_threads", "get_corename")


def install(on_gpu: bool) -> Blas:
    """Let mlx multiply with the chosen BLAS, else the wheel's; where neither can be used, with its own."""
    advice = _complaint
    if sys.platform != "linux" or on_gpu or _CHOICE == "off":
        return Blas("Accelerate" if sys.platform == "darwin" else "stock", None, advice)
    if _named is not None:
        try:
            _bind(_named)
            return Blas(_name(_named), _named)
        except _Unusable as failure:
            advice = f"STREAMTRANS_BLAS: {_CHOICE} cannot be used, {failure}"
    try:
        library = _wheel_library()
        _bind(library)
        return Blas(_name(library), library, advice)
    except _Unusable as failure:
        return Blas("stock", None, advice or f"matrix products are slow: {failure}; install scipy-openblas32")


def _bind(library: ctypes.CDLL) -> None:
    """Let mlx multiply with this library, or raise _Unusable and leave everything as it was."""
    function = getattr(library, f"{_prefix(library)}cblas_sgemm")
    try:
        slot = ctypes.c_void_p.from_address(_find_slot("cblas_sgemm"))
    except _Unusable:
        if library is _named and _named_first and _multiplies_right():
            return  # no slot to set, but the linker has met this library's name before mlx's own
        raise
    stock = slot.value
    slot.value = ctypes.cast(function, ctypes.c_void_p).value
    if not _multiplies_right():
        slot.value = stock
        raise _Unusable("its products are wrong")


def _name(library: ctypes.CDLL) -> str:
    config = getattr(library, "scipy_openblas_get_config", None)
    if config is None:
        return f"path {_CHOICE}"
    config.restype = ctypes.c_char_p
    return "scipy-openblas32 " + config().decode().split()[1]


def _prefix(library: ctypes.CDLL) -> str:
    for symbol, prefix in _PREFIXES.items():
        if hasattr(library, symbol):
            return prefix
    raise _Unusable("it exports no cblas_sgemm")


def _wheel_library() -> ctypes.CDLL:
    """The library inside the `scipy-openblas32` wheel, found without importing the package (that costs 20 ms)."""
    spec = util.find_spec("scipy_openblas32")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    for file in (f for folder in folders for f in Path(folder, "lib").glob("libscipy_openblas*.so")):
        return _open_library(str(file))
    raise _Unusable("scipy-openblas32 is not installed")


def _multiplies_right() -> bool:
    """Whether a product of small integers is exact: it must equal the same sums done elementwise, without BLAS."""
    a = (mx.arange(33 * 65) % 7 - 3).reshape(33, 65).astype(mx.float32)
    b = (mx.arange(65 * 48) % 5 - 2).reshape(65, 48).astype(mx.float32)
    known = (a[:, :, None] * b[None]).sum(1)
    row = mx.contiguous(b.T)
    return bool(mx.array_equal(a @ b, known)) and bool(mx.array_equal(a[:1] @ row.T, known[:1]))


def _mapping(address: int | None = None) -> tuple[str, int]:
    """(file, load address) of libmlx.so in this process; with an address, also check that its page is writable."""
    file, base, writable = "", -1, address is None
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, mode, offset, _, _, *name = line.split(maxsplit=5)
        low, high = (int(part, 16) for part in span.split("-"))
        if name and name[0].endswith("/libmlx.so") and base < 0:
            file, base = name[0], low - int(offset, 16)
        if address is not None and low <= address < high:
            writable = mode.startswith("rw")
    if base < 0 or not writable:
        raise _Unusable("libmlx.so was not found in memory" if base < 0 else "its jump slot is read-only")
    return file, base


def _jump_slots(image: mmap.mmap, slot_type: int) -> Iterator[tuple[str, int]]:
    """(symbol, address relative to the load address) of every jump slot of a 64-bit little-endian ELF image."""
    start, size, count = (struct.unpack_from(f, image, at)[0] for f, at in (("<Q", 32), ("<H", 54), ("<H", 56)))
    headers = [struct.unpack_from("<IIQQQQQQ", image, start + i * size) for i in range(count)]
    loads = [(h[3], h[5], h[2]) for h in headers if h[0] == _PT_LOAD]  # virtual address, size in file, offset

    def offset(address: int) -> int:
        return next(at + address - low for low, length, at in loads if low <= address < low + length)

    dynamic = next(h for h in headers if h[0] == _PT_DYNAMIC)
    tags = dict(struct.iter_unpack("<QQ", image[dynamic[2] : dynamic[2] + dynamic[5]]))
    strings, symbols, first = (offset(tags[tag]) for tag in (_DT_STRTAB, _DT_SYMTAB, _DT_JMPREL))
    for slot, info, _ in struct.iter_unpack("<QQq", image[first : first + tags[_DT_PLTRELSZ]]):
        if info & 0xFFFFFFFF == slot_type:
            name = strings + struct.unpack_from("<I", image, symbols + 24 * (info >> 32))[0]
            yield image[name : image.find(b"\0", name)].decode(), slot


def _find_slot(symbol: str) -> int:
    """The address in this process of libmlx.so's jump slot for a symbol."""
    machine = os.uname().machine
    if machine not in _JUMP_SLOT:
        raise _Unusable(f"jump slots of {machine} are not known")
    file, base = _mapping()
    try:
        with open(file, "rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as image:
            slots = dict(_jump_slots(image, _JUMP_SLOT[machine]))
    except (OSError, ValueError, KeyError, StopIteration, struct.error) as error:
        raise _Unusable(f"{file} cannot be read as ELF ({error!r})") from error
    if symbol not in slots:
        raise _Unusable(f"libmlx.so has no jump slot for {symbol}")
    _mapping(base + slots[symbol])
    return base + slots[symbol]
