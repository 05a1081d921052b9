"""An interpreter that has started, and forks for each program: the file is executed by itself, and not imported.

It is asked for a process with three descriptors: what tells the process its program, and where it prints. It never
executes anything of a program: that a child of a child does, whose parent is whoever adopts orphans, and which has the
memory of an interpreter that has just started. So it imports next to nothing, and nobody else may look into it.
"""

import _io
import _socket
import atexit
import ctypes
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

_DUMPABLE = 4
_REQUEST_BYTES = 1
_LENGTH_BYTES = 8
_DESCRIPTORS = 3
_INTEGER_BYTES = 4
_ALL = 1 << 20
_FILES = (_io.TextIOWrapper, _io.BufferedWriter, _io.BufferedRandom)
_LIBC = ctypes.CDLL(None)
_PRCTL = _LIBC.prctl


def serve(control: _socket.socket) -> list[int] | None:
    """Fork for each request. Returns in a child its descriptors, and None in the server when nobody asks more."""
    while True:
        request, extra, _, _ = control.recvmsg(_REQUEST_BYTES, _socket.CMSG_SPACE(_DESCRIPTORS * _INTEGER_BYTES))
        if not request:
            return None
        descriptors = [
            int.from_bytes(data[at : at + _INTEGER_BYTES], sys.byteorder)
            for _, _, data in extra
            for at in range(0, len(data), _INTEGER_BYTES)
        ]
        told, tell = os.pipe()
        between = os.fork()
        if not between:
            child = os.fork()
            if not child:
                return descriptors
            os.write(tell, b"%d" % child)
            os._exit(0)
        os.close(tell)
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(between, 0)
        control.send(os.read(told, 32))
        os.close(told)


def heard(descriptors: list[int]) -> list[bytes]:
    """Wait for what to become, as the first of a session. Ends where nobody tells it all."""
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(_DESCRIPTORS, _ALL)
    said = _read(int.from_bytes(_read(_LENGTH_BYTES), "big"))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.closerange(_DESCRIPTORS, _ALL)
    return said.split(b"\0")


def _read(length: int) -> bytes:
    read = b""
    while len(read) < length:
        piece = os.read(0, length - len(read))
        if not piece:
            os._exit(1)
        read += piece
    return read


def become(source: str, folder: str, environment: list[bytes]) -> None:
    """Be as a process is that was started for this program alone."""
    os.chdir(folder)
    os.environb.clear()
    for variable in environment:
        name, _, value = variable.partition(b"=")
        os.environb[name] = value
    # It hides nothing: what follows is the program's own.
    _PRCTL(_DUMPABLE, 1, 0, 0, 0)
    sys.argv[:] = [source]
    sys.orig_argv[:] = [sys.executable, "-I", source]


def execute(source: str) -> None:
    """Execute the program as the interpreter does that is given a file, also in how it ends."""
    known = set(sys.modules)
    module = sys.modules["__main__"] = type(sys)("__main__")
    module.__file__ = source
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    try:
        with open(source, "rb") as file:
            code = compile(file.read(), source, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - it is what a workflow says
        del module
        _end(known)
    except SystemExit:
        raise
    except BaseException as error:
        behind = error.__traceback__.tb_next if error.__traceback__ is not None else None
        sys.excepthook(type(error), error.with_traceback(behind), behind)
        if isinstance(error, KeyboardInterrupt):
            _interrupted()
        sys.exit(1)


def _end(known: set[str]) -> None:
    """End as the interpreter does, but for taking itself apart, for which it would write to, and so copy, all it has.

    What the program has is let go of, so that it hears of its end. Where there is more to it this returns, and the
    interpreter ends by itself: where there are threads, something to be called, or what cannot be written.
    """
    # It has no other name.
    called = atexit._ncallbacks()  # noqa: SLF001
    if called or "threading" in sys.modules or not _flushed(sys.stdout, sys.stderr):
        return
    try:
        files = [file for file in gc.get_objects() if type(file) in _FILES]
    except MemoryError:
        return
    # Files that were not closed are written whoever has them: what goes in a circle goes in no order.
    for file in files:
        _flushed(file)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    for name in ("__main__", *(name for name in list(sys.modules) if name not in known)):
        sys.modules.pop(name, None)
    gc.collect()
    if _flushed(sys.stdout, sys.stderr):
        _LIBC.exit(0)


def _flushed(*files: "IO[Any] | None") -> bool:
    """Whether what they hold could be written, of those that are there and open."""
    try:
        for file in files:
            if file is not None and not file.closed:
                file.flush()
    except Exception:
        return False
    return True


def _interrupted() -> None:
    import signal

    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Serve whoever holds the other end of the socket that is standard input."""
    _PRCTL(_DUMPABLE, 0, 0, 0, 0)
    # The compiler makes what it needs when it is first asked.
    compile("", "", "exec")
    # What there is by now stays: a child that ends does not touch, and so copy, all of it.
    gc.freeze()
    descriptors = serve(_socket.socket(fileno=os.dup(0)))
    if descriptors is not None:
        source, folder, *environment = heard(descriptors)
        become(source.decode(), folder.decode(), environment)
        execute(source.decode())


if __name__ == "__main__":
    main()
