"""Answers that are out to fool or to hurt, and one row that they are answers to."""

from __future__ import annotations

from typing import Any

PYTHON = """\
import jax.numpy as jnp


def f(x, y):
    return jnp.tanh(x) * y + 1.0
"""

STABLEHLO = """\
module @jit_f attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4x8xf32>, %arg1: tensor<4x8xf32>) -> (tensor<4x8xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.tanh %arg0 : tensor<4x8xf32>
    %1 = stablehlo.multiply %0, %arg1 : tensor<4x8xf32>
    %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %3 = stablehlo.add %1, %2 : tensor<4x8xf32>
    return %3 : tensor<4x8xf32>
  }
}
"""  # noqa: E501

HLO = """\
HloModule jit_f, entry_computation_layout={(f32[4,8]{1,0}, f32[4,8]{1,0})->f32[4,8]{1,0}}

ENTRY main.7 {
  Arg_0.1 = f32[4,8] parameter(0)
  tanh.3 = f32[4,8] tanh(Arg_0.1)
  Arg_1.2 = f32[4,8] parameter(1)
  multiply.4 = f32[4,8] multiply(tanh.3, Arg_1.2)
  constant.5 = f32[] constant(1)
  broadcast.6 = f32[4,8] broadcast(constant.5), dimensions={}
  ROOT add.7 = f32[4,8] add(multiply.4, broadcast.6)
}
"""

ROW: dict[str, Any] = {
    "python": PYTHON,
    "entry_point": "f",
    "inputs": '[["x", "f32[4,8]"], ["y", "f32[4,8]"]]',
    "jaxpr": "",
    "stablehlo": STABLEHLO,
    "hlo": HLO,
    "optimized_hlo": HLO,
    "num_devices": 1,
    "num_stablehlo_ops": 5,
    "seed": 3,
    "flops": 64.0,
    "bytes_accessed": 384.0,
    "num_fusions": 1,
    "line_map": [
        {"python": 5, "jaxpr": [2, 3], "stablehlo": [3, 4], "hlo": [5], "optimized_hlo": []}
    ],
}

TRUE = {
    "python": "import jax.numpy as np\n\ndef f(a, b):\n    return 1.0 + b * np.tanh(a)\n",
    "stablehlo": STABLEHLO.replace("%0", "%tanh").replace(
        "multiply %tanh, %arg1", "multiply %arg1, %tanh"
    ),
    "hlo": HLO.replace("Arg_", "p_").replace("multiply(tanh.3, p_1.2)", "multiply(p_1.2, tanh.3)"),
}
"""An answer that is right, and not the row's own text, for the languages that are tried."""


def function(body: str, before: str = "") -> str:
    """Gives Python whose `f` has this body."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"import jax\nimport jax.numpy as jnp\n{before}\n\ndef f(x, y):\n{lines}\n"


def main(body: str, before: str = "") -> str:
    """Gives StableHLO whose `main` has this body and gives `%r`."""
    return (
        f"module {{\n{before}\n  func.func public @main(%arg0: tensor<4x8xf32>, "
        f"%arg1: tensor<4x8xf32>) -> tensor<4x8xf32> {{\n{body}\n"
        "    return %r : tensor<4x8xf32>\n  }\n}\n"
    )


_T = "tensor<4x8xf32>"
_RIGHT = "return jnp.tanh(x) * y + 1.0"
_LOOP = f"""
    %r = stablehlo.while(%i = %arg0) : {_T}
    cond {{
      %c = stablehlo.constant dense<true> : tensor<i1>
      stablehlo.return %c : tensor<i1>
    }} do {{
      stablehlo.return %i : {_T}
    }}"""
_MEMORY = f"""
    %s = stablehlo.slice %arg0 [0:1, 0:1] : ({_T}) -> tensor<1x1xf32>
    %t = stablehlo.reshape %s : (tensor<1x1xf32>) -> tensor<f32>
    %i = stablehlo.iota dim = 0 : tensor<4000000000xf32>
    %j = stablehlo.broadcast_in_dim %t, dims = [] : (tensor<f32>) -> tensor<4000000000xf32>
    %b = stablehlo.multiply %i, %j : tensor<4000000000xf32>
    %v = "stablehlo.sort"(%b) <{{dimension = 0 : i64, is_stable = false}}> ({{
    ^bb0(%l: tensor<f32>, %m: tensor<f32>):
      %c = stablehlo.compare LT, %l, %m : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }}) : (tensor<4000000000xf32>) -> tensor<4000000000xf32>
    %w = stablehlo.slice %v [0:1] : (tensor<4000000000xf32>) -> tensor<1xf32>
    %x = stablehlo.broadcast_in_dim %w, dims = [1] : (tensor<1xf32>) -> {_T}
    %r = stablehlo.add %x, %arg0 : {_T}"""


def _call(target: str, config: str = "") -> str:
    return f"    %r = stablehlo.custom_call @{target}(%arg0{config}) : ({_T}) -> {_T}"


_RECURSION = main(
    f"    %r = func.call @g(%arg0) : ({_T}) -> {_T}",
    f"  func.func private @g(%a: {_T}) -> {_T} {{\n"
    f"    %0 = func.call @g(%a) : ({_T}) -> {_T}\n    return %0 : {_T}\n  }}",
)
STABLEHLO_ANSWERS: dict[str, str] = {
    "nothing": "   \n",
    "no MLIR": "here is the module you asked for: def main()",
    "binary junk": "ML\xefR\x01\x02\x7f" * 400,
    "half a surrogate": "module {\udc80}",
    "nul bytes": STABLEHLO.replace("tanh", "ta\0nh"),
    "megabytes of text": STABLEHLO + "// x\n" * 400_000,
    "nested attributes": "module attributes {a = " + "[" * 100_000 + "]" * 100_000 + "} {}",
    "nested types": main(f"    %r = stablehlo.tanh %arg0 : {'tuple<' * 5000}"),
    "module in module": "module {" * 190 + "}" * 190,
    "long names": STABLEHLO.replace("%1", "%" + "a" * 200_000 + "!"),
    "endless loop": main(_LOOP),
    "huge allocation": main(_MEMORY),
    "recursion": _RECURSION,
    "call to itself": main(f"    %r = func.call @main(%arg0, %arg1) : ({_T}, {_T}) -> {_T}"),
    "call to libc": main(_call("system", ' {backend_config = "touch /tmp/hostile"}')),
    "call, spelled with escapes": main(
        f'    %r = "stablehlo.custom_call"(%arg0) {{call_target_name = "sys\\74em"}}'
        f" : ({_T}) -> {_T}"
    ),
    "host callback": main(_call("xla_ffi_python_cpu_callback", " {api_version = 4 : i32}")),
    "old host callback": main(_call("xla_python_cpu_callback", ' {backend_config = "140234"}')),
    "pointer": main(_call("Sharding", ' {backend_config = "140737488355328"}')),
    "LAPACK on nothing it fits": main(
        _call(
            "lapack_spotrf_ffi", " {mhlo.backend_config = {uplo = 76 : ui8}, api_version = 4 : i32}"
        )
    ),
    "infeed": main(
        "    %t = stablehlo.create_token : !stablehlo.token\n"
        f'    %r, %u = "stablehlo.infeed"(%t) : (!stablehlo.token) -> ({_T}, !stablehlo.token)'
    ),
    "outfeed": main(
        "    %t = stablehlo.create_token : !stablehlo.token\n"
        f'    %u = "stablehlo.outfeed"(%arg0, %t) : ({_T}, !stablehlo.token) -> !stablehlo.token\n'
        f"    %r = stablehlo.tanh %arg0 : {_T}"
    ),
    "constants": main(f"    %r = stablehlo.constant dense<1.0> : {_T}"),
    "one of its inputs": main(f"    %r = stablehlo.add %arg0, %arg0 : {_T}").replace(
        "%r = stablehlo.add %arg0, %arg0", "%r = stablehlo.minimum %arg1, %arg1"
    ),
    "ignores an input": main(
        f"    %0 = stablehlo.tanh %arg0 : {_T}\n    %r = stablehlo.add %0, %0 : {_T}"
    ),
    "not a number": main(f"    %r = stablehlo.constant dense<0x7FC00000> : {_T}"),
    "right at small inputs only": STABLEHLO.replace("stablehlo.tanh", "stablehlo.sine"),
    "other types": STABLEHLO.replace("f32", "f64"),
    "one input too many": STABLEHLO.replace("%arg1: ", "%arg2: tensor<f32>, %arg1: "),
    "no main": STABLEHLO.replace("@main", "@other"),
    "types that do not fit": STABLEHLO.replace(
        "multiply %0, %arg1 : tensor<4x8xf32>", "multiply %0, %arg1 : tensor<8x4xf32>"
    ),
    "dynamic shapes": STABLEHLO.replace("4x8xf32", "?x8xf32"),
    "several devices": STABLEHLO.replace("num_partitions = 1", "num_partitions = 8"),
    "no function but a declaration": "module { func.func private @main(tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> }",  # noqa: E501
}

PYTHON_ANSWERS: dict[str, str] = {
    "no Python": "Sure! Here is the function:\n\ndef f(x, y) return x",
    "nul bytes ": PYTHON + "\0",
    "deep syntax": function("return " + "(" * 5000 + "x" + ")" * 5000),
    "deep operators": function("return " + "-" * 50_000 + "x"),
    "endless loop while tracing": function(f"while True:\n    pass\n{_RIGHT}"),
    "memory at import": "import numpy as np\na = np.ones(8 << 30)\n" + function(_RIGHT),
    "memory in Python": "a = bytearray(9 << 30)\n" + function(_RIGHT),
    "a huge number": function(f"n = 9 ** 9 ** 9\n{_RIGHT}"),
    "recursion ": function("return f(x, y)"),
    "fork bomb": function(f"while True:\n    os.fork()\n{_RIGHT}", "import os"),
    "subprocess": function(_RIGHT, "import subprocess\nsubprocess.run(['touch', '/tmp/hostile'])"),
    "network": function(_RIGHT, "import socket\nsocket.create_connection(('127.0.0.1', 80))"),
    "writes a file": function(f"open('/tmp/hostile', 'w')\n{_RIGHT}"),
    "writes with NumPy": function(
        _RIGHT, "import numpy as np\nnp.save('/tmp/hostile', np.ones(3))"
    ),
    "reads with NumPy": function(_RIGHT, "import numpy as np\nnp.load('/tmp/hostile')"),
    "reads frames": function(f"g = (i for i in [1])\ng.gi_frame.f_back\n{_RIGHT}"),
    "reads frames of errors": function(
        f"try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    e.__traceback__\n{_RIGHT}"
    ),
    "exits": function("raise SystemExit(0)"),
    "exits by name": function(f"exit()\n{_RIGHT}"),
    "signals": function(_RIGHT, "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"),
    "at exit": function(_RIGHT, "import atexit\natexit.register(print)"),
    "threads": function(_RIGHT, "import threading\nthreading.Thread(target=print).start()"),
    "sys.modules": function(_RIGHT, "import sys\nsys.modules.clear()"),
    "patches jax.numpy": function("return jnp.tanh(x) * y + 1.0", "jnp.tanh = lambda x: x"),
    "patches by setattr": function(_RIGHT, "setattr(jnp, 'tanh', jnp.sin)"),
    "patches by the dictionary": function(_RIGHT, "jnp.__dict__['tanh'] = jnp.sin"),
    "changes a setting": function(_RIGHT, "jax.config.update('jax_platforms', 'nothing')"),
    "subclasses of object": function(f"().__class__.__base__.__subclasses__()\n{_RIGHT}"),
    "formats its way": function(f"'{{0.__globals__}}'.format(f)\n{_RIGHT}"),
    "eval": function("return eval('x')"),
    "pure_callback": function("return jax.pure_callback(lambda a, b: a, x, x, y)"),
    "debug callback": function(f"jax.debug.callback(print, x)\n{_RIGHT}"),
    "io_callback": function(
        "return io_callback(print, x, x)", "from jax.experimental import io_callback"
    ),
    "private modules": function(_RIGHT, "from jax._src import core"),
    "foreign functions": function("return jax.ffi.ffi_call('system', x)(x)"),
    "DLPack": function(_RIGHT, "import jax.dlpack"),
    "ctypes": function(_RIGHT, "import ctypes\nctypes.string_at(0)"),
    "NumPy's ctypes": function(_RIGHT, "import numpy as np\nnp.ctypeslib.load_library('c', '/')"),
    "another function": "def g(x, y):\n    return x\n",
    "asks for the value": function("return x if x.sum() > 0 else y"),
    "constants ": function("return jnp.ones((4, 8))"),
    "ignores an input ": function("return jnp.tanh(x)"),
    "the input": function("return x"),
    "many results": function("return [x] * 100_000"),
    "raises oddly": function(
        "raise E", "class E(BaseException):\n    def __str__(self):\n        return 1 / 0\n"
    ),
}

HLO_ANSWERS: dict[str, str] = {
    "no HLO": "HloModule",
    "binary junk ": "\x01\x02\xff" * 1000,
    "custom call ": HLO.replace(
        "multiply(tanh.3, Arg_1.2)", 'custom-call(tanh.3), custom_call_target="system"'
    ),
    "outfeed ": HLO.replace("tanh(Arg_0.1)", "outfeed(Arg_0.1)"),
    "calls itself": HLO.replace("tanh(Arg_0.1)", "call(Arg_0.1), to_apply=main.7"),
    "other operation": HLO.replace("multiply(", "add("),
    "shapes that lie": HLO.replace("tanh.3 = f32[4,8]", "tanh.3 = f32[8,4]"),
    "a huge constant": HLO.replace("f32[] constant(1)", "f32[4,8] constant({" + "{" * 150 + "})"),
    "a parameter too far": HLO.replace("parameter(1)", "parameter(123456789)"),
}
