# mypy: ignore-errors
"""Makes Python programs trust the gateway whose libraries bring their own trust or skip proxies.

Python imports this at start when its folder is on PYTHONPATH; `checkrein run` puts it there. It
turns three imports into governed ones, when and only when the program itself imports them:

  stripe   verifies against a CA file in its own package: pointed at the bundle in SSL_CERT_FILE
  certifi  `where()` and `contents()` give that bundle, for every library that asks certifi
  aiohttp  sessions read the proxy variables unless the program says `trust_env=False`

Must never break a program: standard library only, nothing imported that Python has not already
loaded, every fault swallowed. Must run on any Python from 3.6, so nothing newer is used. A
`sitecustomize` of the program's own is run afterwards, as if this one were not there.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is slow here


def _bundle():
    path = os.environ.get("SSL_CERT_FILE", "")
    return path if path and os.path.isfile(path) else ""  # noqa: PTH113


def _trust_stripe(module):
    # Read anew at every request, by every version since 2.0 (`stripe.ca_bundle_path`).
    if _bundle():
        module.ca_bundle_path = _bundle()


def _trust_certifi(module):
    where, contents = module.where, getattr(module, "contents", None)

    def bundle_path():
        return _bundle() or where()

    def bundle_text():
        if not _bundle():
            return contents()
        with open(_bundle(), encoding="utf-8") as file:  # noqa: PTH123
            return file.read()

    for place in (module, sys.modules.get(module.__name__ + ".core")):
        if place is not None:
            place.where = bundle_path
            if contents is not None:  # added to certifi in 2020
                place.contents = bundle_text


def _use_proxy_in_aiohttp(module):
    session = module.ClientSession
    original = session.__init__

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("trust_env", True)
        original(self, *args, **kwargs)

    __init__.__wrapped__ = original
    __init__.__doc__ = original.__doc__
    session.__init__ = __init__


_PATCHES = {
    "stripe": _trust_stripe,
    "certifi": _trust_certifi,
    "pip._vendor.certifi": _trust_certifi,
    "aiohttp.client": _use_proxy_in_aiohttp,
}


class _Finder(object):  # noqa: UP004 - the same words on every Python
    """Finds nothing itself: lets the others find, and adds a patch after the module has run."""

    def find_spec(self, name, path=None, target=None):
        patch = _PATCHES.get(name)
        if patch is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                _run_after(spec.loader, patch)
                return spec
        return None


def _run_after(loader, patch):
    try:
        run = loader.exec_module

        def exec_module(module):
            run(module)
            try:  # noqa: SIM105 - contextlib would have to be imported
                patch(module)
            except Exception:  # noqa: S110 - a library of another shape stays as it is
                pass

        loader.exec_module = exec_module
    except Exception:  # noqa: S110 - a loader that can't be wrapped loads as ever
        pass


def _run_next_sitecustomize():
    paths = [p for p in sys.path if os.path.abspath(p or ".") != _HERE]  # noqa: PTH100
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if find is None or isinstance(finder, _Finder):
            continue
        spec = find("sitecustomize", paths)
        if spec is not None and spec.loader is not None and spec.origin != __file__:
            module = type(sys)("sitecustomize")
            module.__file__, module.__spec__ = spec.origin, spec
            module.__loader__ = spec.loader
            sys.modules["sitecustomize"] = module
            # Its faults are its own: Python reports them as it always does.
            spec.loader.exec_module(module)
            return


sys.meta_path.insert(0, _Finder())
_run_next_sitecustomize()
