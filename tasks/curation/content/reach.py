"""Code that reaches out of its folder: for the network, for files elsewhere, for other programs, for code in data.

Read off the syntax tree; nothing is executed. What cannot be told so: names that are computed, paths that come from a
parameter or the environment (``deletes_unknown``), what a library does on the code's behalf, and what a mock replaces.
The lists of functions that start programs or run data are Bandit's (PyCQA, Apache-2.0).
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from tasks.curation.content.names import Names, argument, calls, literal_place
from tasks.scanners.telling import may_be_told
from tasks.scanners.tokens import Marks
from tasks.syntax import UNREADABLE, parse

_NETWORK = re.compile(
    r"(?:socket|socketserver|requests|httpx|aiohttp|urllib3|urllib\.request|urllib2|http\.client|http\.server|ftplib"
    r"|smtplib|imaplib|poplib|nntplib|telnetlib|xmlrpc\.(?:client|server)|paramiko|asyncssh|websockets|websocket|grpc"
    r"|boto3|botocore|pycurl|zmq|pika|redis|pymongo|psycopg2?|pymysql|kafka|selenium|tweepy|praw|yfinance|openai"
    r"|anthropic|huggingface_hub)\.\w"
    r"|asyncio\.(?:open_connection|start_server|open_unix_connection|start_unix_server)$|webbrowser\.open"
    r"|nltk\.download|torch\.hub\.load|seaborn\.load_dataset|datasets\.load_dataset|sklearn\.datasets\.fetch_"
    r"|uvicorn\.run$|wsgiref\.simple_server"
)
_HARMLESS = re.compile(
    r"socket\.(?:inet_|hto|nto|gethostname$|has_|\w*[eE]rror$|timeout$|getservby|getprotobyname|CMSG_|if_)"
    r"|(?:requests|httpx|urllib3|aiohttp|redis|websockets|grpc|zmq)\.(?:exceptions|structures|utils|models|codes|compat"
    r"|util|errors|hdrs|typedefs)\b"
    r"|(?:requests|httpx|urllib3|aiohttp|urllib\.request|openai|redis|grpc|selenium)\.(?:\w*(?:Error|Exception|Timeout)"
    r"|Request|Response|PreparedRequest|URL|Headers|QueryParams|Cookies|MockTransport|ClientTimeout|Limits"
    r"|ASGITransport|WSGITransport|pathname2url|url2pathname|quote|unquote|parse_\w+)$"
    r"|http\.client\.(?:HTTPException|responses|parse_headers)|xmlrpc\.client\.(?:dumps|loads|Fault|Binary|DateTime)"
    r"|http\.server\.\w*Handler$|socketserver\.\w*Handler$"
)
"""What computes on addresses and messages, and opens no connection."""
_REMOTE = re.compile(r"(?:https?|ftps?|s3|gs|wss?)://", re.IGNORECASE)
_LOADS = re.compile(r"(?:pandas|polars|numpy|dask\.dataframe|pyarrow|xarray|fsspec)\.\w|\.(?:urlopen|urlretrieve)$")

_DELETES = frozenset({"os.remove", "os.unlink", "os.rmdir", "os.removedirs", "shutil.rmtree", "send2trash.send2trash"})
_MOVES = frozenset({"os.rename", "os.renames", "os.replace", "shutil.move"})
_COPIES = frozenset({"shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree", "os.symlink", "os.link"})
_CHANGES = frozenset({"os.makedirs", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.mkfifo", "shutil.chown"})
_OPENS = re.compile(r"(?:open|(?:io|codecs|gzip|bz2|lzma|tarfile|zipfile|aiofiles|os)\.(?:open|ZipFile|fdopen))$")
_OF_PATHS = frozenset({"write_text", "write_bytes", "touch", "mkdir", "symlink_to", "hardlink_to"})
_SAVES = re.compile(r"\.(?:to_(?:csv|json|pickle|parquet|excel|html|feather|hdf|stata|xml)|savefig)$")
_RUNS_CODE = frozenset({"eval", "exec", "builtins.eval", "builtins.exec", "yaml.unsafe_load", "yaml.full_load"})
_OWN_DATA = re.compile(r"\.dumps\(\)$")

_PATH = re.compile(r"[/\\~]|\.\.|[A-Za-z]:")
_MASKED = "…"
_MOST_SHOWN = 80

_ERASES = re.compile(r"(?:rm|rmdir|unlink|shred|del|erase|rd|mkfs\S*|wipefs)$")
_CONNECTS = re.compile(r"(?:curl|wget|nc|ncat|ssh|scp|sftp|rsync|ftp|telnet|ping)$")

_MODULES = """
os shutil pathlib subprocess pickle cPickle marshal dill cloudpickle shelve jsonpickle yaml socket socketserver requests
httpx aiohttp urllib3 urllib urllib2 http ftplib smtplib imaplib poplib nntplib telnetlib xmlrpc paramiko asyncssh
websockets websocket grpc boto3 botocore pycurl zmq pika redis pymongo psycopg psycopg2 pymysql kafka selenium tweepy
praw yfinance openai anthropic huggingface_hub webbrowser nltk hub uvicorn wsgiref flask send2trash importlib builtins
popen2 commands pty io codecs gzip bz2 lzma tarfile zipfile aiofiles pandas polars fsspec
"""
_FUNCTIONS = """
open eval exec __import__ open_connection start_server load_dataset savefig to_csv to_json to_pickle to_parquet to_excel
unlink rmtree rmdir
"""
_TRIGGERS = frozenset(f"{_MODULES}{_FUNCTIONS}".split())
_MARKED: Marks = frozenset({"code"})
_NONE: Marks = frozenset()


@dataclass(frozen=True, slots=True)
class Reach:
    """One place where code reaches out: the rule, the line, 1-based, and the call in words.

    Of what the call is given only paths are told, and these only where no scanner takes them for something secret.
    """

    rule: str
    line: int
    what: str


def code_marks(token: str) -> Marks:
    """The mark of a name without which no rule applies, for a ``TokenFilter``."""
    return _MARKED if token in _TRIGGERS or token.startswith("fetch_") else _NONE


@cache
def _programs() -> tuple[frozenset[str], frozenset[str]]:
    """Functions that start a program by a command line, and by a list of arguments."""
    from bandit.plugins.injection_shell import gen_config  # noqa: PLC0415 - takes long to import

    config = gen_config("shell_injection")
    return frozenset(config["shell"]), frozenset([*config["subprocess"], *config["no_shell"], "pty.spawn"])


@cache
def _loaders() -> frozenset[str]:
    """Functions that run what is in the data they read."""
    from bandit.blacklists.calls import gen_blacklist  # noqa: PLC0415 - takes long to import

    wanted = ("pickle", "marshal", "eval")
    return _RUNS_CODE | {
        name for entry in gen_blacklist()["Call"] if entry["name"] in wanted for name in entry["qualnames"]
    }


def reaches(source: str) -> list[Reach]:
    """Where a source reaches out, in order; nothing for what does not parse."""
    try:
        nodes = list(ast.walk(parse(source)))
        names = Names(nodes)
        found = {reach for call in calls(nodes) for reach in _of_call(call, names.qualified(call.func), names)}
    except UNREADABLE:
        return []
    told = {reach if may_be_told(reach.what) else replace(reach, what=_MASKED) for reach in found}
    return sorted(told, key=lambda reach: (reach.line, reach.rule, reach.what))


def _of_call(call: ast.Call, name: str, names: Names) -> Iterator[Reach]:
    shown = f"{name}(…)"
    first = call.args[0] if call.args else None
    is_network = (
        _NETWORK.match(name) and not _HARMLESS.match(name) and "()" not in name
    ) or name == "flask.Flask().run"
    if is_network or (_LOADS.search(name) and _is_remote(first)):
        yield Reach("network", call.lineno, shown)
    is_own = isinstance(first, ast.Call) and _OWN_DATA.search(names.qualified(first))
    if (name in _loaders() and not is_own) or (name == "yaml.load" and "Safe" not in ast.unparse(call)):
        yield Reach("runs_code", call.lineno, shown)
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield from (replace(one, line=call.lineno) for one in reaches(first.value))
    by_line, by_list = _programs()
    if name in by_line | by_list:
        yield Reach("shell", call.lineno, shown)
        yield from _of_command(call, name)
    yield from _of_files(call, name, names)


def _is_remote(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and _REMOTE.match(node.value) is not None


def _of_files(call: ast.Call, name: str, names: Names) -> Iterator[Reach]:
    target = argument(call, 0, "path", "src", "name", "file", "filename")
    onto = argument(call, 1, "dst", "dest", "target")
    if name in _DELETES and target is not None:
        yield from _deletion(call, name, target, names)
    elif name in _MOVES and target is not None and names.place(target) == "outside":
        yield _shown("deletes_files", call, name, target)
    if name in _MOVES | _COPIES and onto is not None and names.place(onto) == "outside":
        yield _shown("writes_outside", call, name, onto)
    if name in _CHANGES and target is not None and names.place(target) == "outside":
        yield _shown("writes_outside", call, name, target)
    if _OPENS.match(name) and _writes(call, 1) and target is not None and names.place(target) == "outside":
        yield _shown("writes_outside", call, name, target)
    if isinstance(call.func, ast.Attribute) and name not in _DELETES:
        yield from _of_method(call, call.func, name, names)


def _of_method(call: ast.Call, func: ast.Attribute, name: str, names: Names) -> Iterator[Reach]:
    """Methods of paths, and of what saves itself into a file."""
    is_known = name.startswith("pathlib.Path")
    if func.attr in ("unlink", "rmdir") and (is_known or _may_be_path(func.value, names)):
        yield from _deletion(call, name or f"….{func.attr}", func.value, names)
    elif func.attr in _OF_PATHS or (func.attr == "open" and _writes(call, 0) and not _OPENS.match(name)):
        if (is_known or _may_be_path(func.value, names)) and names.place(func.value) == "outside":
            yield _shown("writes_outside", call, name or f"….{func.attr}", func.value)
    elif call.args and _SAVES.search(f".{func.attr}") and names.place(call.args[0]) == "outside":
        yield _shown("writes_outside", call, f"….{func.attr}", call.args[0])


def _may_be_path(node: ast.expr, names: Names) -> bool:
    """Whether something with a method of paths may be one: lists and trees have an ``unlink`` of their own."""
    return "pathlib" in names.modules and not (isinstance(node, ast.Name) and node.id in ("self", "cls"))


def _deletion(call: ast.Call, name: str, target: ast.expr, names: Names) -> Iterator[Reach]:
    place = names.place(target)
    if place != "inside":
        yield _shown("deletes_files" if place == "outside" else "deletes_unknown", call, name, target)


def _shown(rule: str, call: ast.Call, name: str, target: ast.expr) -> Reach:
    try:
        shown = ast.unparse(_Masking().visit(copy.deepcopy(target)))
    except RecursionError:  # copying goes deeper than parsing does
        shown = _MASKED
    return Reach(rule, call.lineno, f"{name}({shown[:_MOST_SHOWN]})")


class _Masking(ast.NodeTransformer):
    """Leaves of texts that are written out in code only paths."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        match node.value:
            case str(text):
                return ast.Constant(_path_or_mask(text))
            case bytes():
                return ast.Constant(_MASKED)
        return node


def _path_or_mask(text: str) -> str:
    return text if _PATH.search(text) and may_be_told(text) else _MASKED


def _writes(call: ast.Call, position: int) -> bool:
    mode = argument(call, position, "mode", "flags")
    if isinstance(mode, ast.Constant):
        return isinstance(mode.value, str) and re.search(r"[wax+]", mode.value) is not None
    return mode is not None and re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", ast.unparse(mode)) is not None


def _of_command(call: ast.Call, name: str) -> Iterator[Reach]:
    """Commands that are written out in the code, and delete files or reach for the network."""
    for words in _commands(argument(call, 0, "args", "cmd", "command")):
        program = words[0].rpartition("/")[2] if words else ""
        rest = [word for word in words[1:] if not word.startswith("-")]
        if _ERASES.match(program) or ("-delete" in words and program == "find"):
            paths = " ".join([program, *map(_path_or_mask, rest)])
            shown = f"{name}({paths[:_MOST_SHOWN]})"
            places = {"outside" if "*" in word else literal_place(word) for word in rest if word != "…"}
            if "outside" in places:
                yield Reach("deletes_files", call.lineno, shown)
            elif "…" in rest or not rest:
                yield Reach("deletes_unknown", call.lineno, shown)
        if _CONNECTS.match(program) or words[:2] in (["git", "clone"], ["pip", "install"]):
            yield Reach("network", call.lineno, f"{name}({program} {_MASKED})")


def _commands(node: ast.expr | None) -> Iterator[list[str]]:
    """The words of each command; ``…`` stands for what is computed."""
    if isinstance(node, ast.List | ast.Tuple):
        yield [_text(part) for part in node.elts]
    elif node is not None:
        for line in re.split(r"[;|&\n]+", _text(node)):
            if words := [word for word in line.split() if word != "sudo"]:
                yield words


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
    return "…"
