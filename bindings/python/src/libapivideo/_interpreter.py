"""Refuses subinterpreters, with a reason, before anything of the library is loaded."""

_WHY = (
    "libapivideo works in the main interpreter only, and this is a subinterpreter: the library's threads call Python through a"
    " part of its C API that knows no other. Import it in the main interpreter and hand the header on"
    " (mod_wsgi: WSGIApplicationGroup %{GLOBAL})."
)


def refuse_subinterpreters() -> None:
    try:
        from ctypes import c_void_p, pythonapi
    except ImportError as error:
        # So says Python 3.12 where an interpreter has its own lock.
        if "subinterpreter" in str(error):
            raise ImportError(_WHY, name="libapivideo") from None
        raise
    this, main = pythonapi.PyInterpreterState_Get, pythonapi.PyInterpreterState_Main
    this.restype = main.restype = c_void_p
    if this() != main():
        raise ImportError(_WHY, name="libapivideo")


refuse_subinterpreters()
