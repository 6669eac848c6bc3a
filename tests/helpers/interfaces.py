"""Interfaces as lists of lines, each a name with its parameters and result, so that two can be compared.

Of TensorRT: `Builder.create_network(flags=) -> INetworkDefinition` (`=`: it has a default), `BuilderFlag.TF32`,
`ICudaEngine.num_io_tensors: int`. Of the CUDA driver: `cuMemFree_v2(CUdeviceptr)`, `CU_STREAM_NON_BLOCKING = 1`.

As a program it writes the lists of all wheels in a folder, which are kept beside the tests:

    python tests/helpers/interfaces.py WHEELS tests/engine/interfaces
"""

import ast
import ctypes
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from real_bindings import BINDINGS, HEADERS, Bindings, unpack_bindings, unpack_header
from sfsc_deploy.runtime.engine import api, library
from sfsc_deploy.runtime.engine.cuda import CONSTANTS, SIGNATURES

MODULE = "tensorrt"
_SPECIAL = ("__getitem__", "__int__", "__len__")
_C_NAMES: dict[Any, str] = {
    ctypes.c_int: "int",
    ctypes.c_uint: "unsigned int",
    ctypes.c_uint64: "size_t",  # which ctypes.c_size_t is too, where addresses have 64 bits
    ctypes.c_void_p: "void *",
    ctypes.c_char_p: "char *",
}
_C_ALIASES = {
    "CUdeviceptr": "size_t",
    "CUdevice": "int",
    "CUdevice_attribute": "int",
    "CUresult": "int",
    "CUcontext": "void *",
    "CUstream": "void *",
}
_OTHER_NAMES = {"List": "list", "IParserError": "ParserError"}

# Runs over the real bindings: a line for each member of the classes that are given, with all of its docstring.
_LIST_MEMBERS = """
import tensorrt
for name in sys.argv[1:]:
    for member, value in vars(getattr(tensorrt, name)).items():
        documented = value.fget if isinstance(value, property) else value
        kind = "property" if isinstance(value, property) else "method" if callable(value) else "value"
        print(repr((name, member, kind, documented.__doc__ or "")))
"""


def classes() -> list[str]:
    """The classes of TensorRT that the adapter uses."""
    return sorted(node.name for node in _tree(api.__file__).body if isinstance(node, ast.ClassDef))


def real_tensorrt(bindings: Bindings) -> list[str]:
    """Everything that the classes which the adapter uses have in the real bindings."""
    used = [name for name in classes() if name != "Severity"]
    answer = bindings.run(_LIST_MEMBERS, *used)
    assert answer.returncode == 0, answer.stderr
    members = (ast.literal_eval(line) for line in answer.stdout.splitlines())
    lines = {line for member in members for line in _member_lines(*member)}
    return sorted(lines | {f"{MODULE}.{name}" for name in used})


def used_tensorrt() -> list[str]:
    """What the adapter declares to use: `api` and the module itself, in `library`."""
    declared = [node for node in _tree(api.__file__).body if isinstance(node, ast.ClassDef)]
    lines = [line for node in declared for line in _declared_lines(node)]
    (module,) = (n for n in _tree(library.__file__).body if isinstance(n, ast.ClassDef) and n.name == "Tensorrt")
    names = [ast.unparse(n.target) for n in module.body if isinstance(n, ast.AnnAssign)]
    return lines + [f"{MODULE}.{name}" for name in names if name != "__version__"]


def is_offered(used: str, real: Iterable[str]) -> bool:
    """Whether an interface has a line that can be used so: parameters that aren't given must have defaults."""
    return used in real or any(_can_be_called(_call(used), _call(line)) for line in real)


def real_cuda(header: Path) -> list[str]:
    """The functions and constants of a real header that the adapter uses."""
    text = subprocess.run(["gcc", "-E", "-P", header], capture_output=True, text=True, check=True).stdout
    prototypes = re.findall(r"CUresult\s+(\w+)\s*\(([^)]*)\)\s*;", text)
    functions = [f"{name}({_c_types(arguments)})" for name, arguments in prototypes if name in SIGNATURES]
    constants = re.findall(r"\b(CU_\w+)\s*=\s*(0x[0-9a-f]+|\d+)", text)
    return sorted({*functions, *(f"{name} = {int(number, 0)}" for name, number in constants if name in CONSTANTS)})


def used_cuda() -> list[str]:
    """What the adapter calls of the CUDA driver, in C's types."""
    functions = [f"{name}({', '.join(map(_c_name, arguments))})" for name, arguments in SIGNATURES.items()]
    return functions + [f"{name} = {number}" for name, number in CONSTANTS.items()]


def _tree(file: str | None) -> ast.Module:
    assert file is not None
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def _member_lines(owner: str, member: str, kind: str, text: str) -> Iterator[str]:
    if member == "__init__":
        yield from (f"{owner}({arguments})" for arguments, _ in _signatures(member, text))
    elif _is_left_out(owner, member):
        return
    elif kind == "property":
        result = re.match(r"\(.*\) -> (.*)", text.strip())
        yield f"{owner}.{member}: {_type(result[1])}" if result else f"{owner}.{member}"
    elif kind == "method":
        yield from (f"{owner}.{member}({arguments}) -> {result}" for arguments, result in _signatures(member, text))
    else:
        yield f"{owner}.{member}"


def _is_left_out(owner: str, member: str) -> bool:
    """Whether a member is one of Python's own, or one of the many layers of a network."""
    return (member.startswith("_") and member not in _SPECIAL) or (
        owner == "INetworkDefinition" and member.startswith("add_")
    )


def _signatures(member: str, text: str) -> list[tuple[str, str]]:
    """Parameters and result of each overload that a docstring of pybind11 begins with."""
    found = re.findall(rf"^(?:\d+\. )?{member}\((.*)\) -> (.*)$", text, re.MULTILINE)
    return [
        (", ".join(_parameter(part) for part in _split(inside)[1:] if part.strip() != "/"), _type(result))
        for inside, result in found
    ]


def _parameter(declared: str) -> str:
    name = declared.split(":")[0].strip()
    return f"{name}=" if " = " in declared else name


def _split(inside: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for mark in inside:
        depth += (mark in "[(<") - (mark in "])>")
        if mark == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += mark
    return parts


def _type(text: str) -> str:
    names = re.sub(r"(?:\w+(?:\.|::))+", "", text.replace('"', "").replace("'", "")).removesuffix(" | None")
    return re.sub(r"\w+", lambda name: _OTHER_NAMES.get(name[0], name[0]), names)


def _declared_lines(node: ast.ClassDef) -> Iterator[str]:
    for member in node.body:
        if isinstance(member, ast.AnnAssign):
            kind, name = ast.unparse(member.annotation), f"{node.name}.{ast.unparse(member.target)}"
            yield name if kind.startswith("ClassVar") else f"{name}: {_type(kind)}"
        elif isinstance(member, ast.FunctionDef) and member.name != "__buffer__":  # which types have no name for
            yield _declared_method(node.name, member)


def _declared_method(owner: str, method: ast.FunctionDef) -> str:
    names = ", ".join(argument.arg for argument in [*method.args.posonlyargs, *method.args.args][1:])
    result = _type(ast.unparse(method.returns)) if method.returns else ""
    if method.decorator_list:
        return f"{owner}.{method.name}: {result}"
    return f"{owner}({names})" if method.name == "__init__" else f"{owner}.{method.name}({names}) -> {result}"


def _call(line: str) -> tuple[str, list[str], str]:
    parts = re.fullmatch(r"([\w.]+)\((.*)\)(.*)", line)
    return (parts[1], [part for part in parts[2].split(", ") if part], parts[3]) if parts else (line, [], "")


def _can_be_called(used: tuple[str, list[str], str], real: tuple[str, list[str], str]) -> bool:
    (name, given, result), (real_name, parameters, real_result) = used, real
    if (name, result) != (real_name, real_result) or len(given) > len(parameters):
        return False
    rest = parameters[len(given) :]
    unnamed = name.rpartition(".")[2] in _SPECIAL
    fits = all(unnamed or a == b.removesuffix("=") for a, b in zip(given, parameters, strict=False))
    return fits and all(parameter.endswith("=") for parameter in rest)


def _c_types(arguments: str) -> str:
    """The types of C parameters without their names: `const char **pStr` is `const char **`."""
    return ", ".join(re.sub(r"\s*(\**)\s*\w+$", r" \1", argument.strip()).strip() for argument in arguments.split(","))


def without_aliases(line: str) -> str:
    """A line of a header with the types that ctypes knows: handles are pointers, enumerations are int."""
    for alias, known in _C_ALIASES.items():
        line = re.sub(rf"\b{alias}\b", known, line)
    return line.replace("const ", "")


def _c_name(kind: Any) -> str:
    if kind in _C_NAMES:
        return _C_NAMES[kind]
    return f"{_c_name(kind._type_)} *".replace("* *", "**")


def write_lists(wheels: Path, target: Path) -> None:
    """Write the list of each wheel that is there."""
    with tempfile.TemporaryDirectory() as scratch:
        for wheel in sorted(wheels.glob(BINDINGS)):
            bindings = unpack_bindings(wheel, Path(scratch) / wheel.stem)
            _write(target, f"tensorrt-{_short(bindings.version)}", bindings.version, real_tensorrt(bindings))
        for wheel in sorted(wheels.glob(HEADERS)):
            version, header = unpack_header(wheel, Path(scratch) / wheel.stem)
            _write(target, f"cuda-{_short(version)}", version, real_cuda(header))


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _write(target: Path, name: str, version: str, lines: Sequence[str]) -> None:
    head = f"# {version}, written by tests/helpers/interfaces.py\n"
    (target / f"{name}.txt").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def read_list(file: Path) -> list[str]:
    """The lines of a list."""
    return file.read_text(encoding="utf-8").splitlines()[1:]


if __name__ == "__main__":
    write_lists(Path(sys.argv[1]), Path(sys.argv[2]))
