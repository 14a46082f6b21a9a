"""
Kinfold's compiled engine. Private: use the functions of the package's rooms.
"""
from __future__ import annotations
import typing
from . import kernels
from . import scan
from . import lists
from . import candidates
from . import neighbours
from . import words
from . import tree
from . import quantize
from . import graph
from . import manifold
from . import geometry
__all__: list[str] = ['candidates', 'compiler', 'cpu_features', 'geometry', 'graph', 'kernels', 'level', 'levels', 'lists', 'manifold', 'neighbours', 'quantize', 'scan', 'set_level', 'set_threads', 'threads', 'tree', 'words']
def cpu_features() -> list[str]:
    """
    Processor features that matter here.
    """
def level() -> str:
    """
    The level in use.
    """
def levels() -> list[str]:
    """
    Instruction-set levels that can run here, ascending.
    """
def set_level(level: str) -> None:
    """
    Force a level; ValueError if this machine lacks it.
    """
def set_threads(threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    Set the number of threads; 0 restores the default.
    """
def threads() -> int:
    """
    Threads that a call may use, the caller included.
    """
compiler: str
