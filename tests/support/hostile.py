"""Values that someone would try who wants to see it break."""

from __future__ import annotations

from typing import Any


def _nested(depth: int) -> Any:
    value: Any = "deep"
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


_CRON = ("0 0 31 2 *", "0 0 30 2 *", "* * * * *", "59 23 31 12 7", "*/0 * * * *", "0-0/99999999 * * * *", "@yearly")
_DURATIONS = ("0s", "-5m", "999d9999h99999m9999999s999999999ms", "1ns", "P1Y", "1e9h", "9999999999999999999s")
_AMOUNTS = (
    "9999999999999999999E",
    "1e999999999",
    "0.000000000000000000001",
    "1n",
    "-1",
    "1Zi",
    "1 Gi",
    ".5",
    "5.",
    "1e-9",
)
_EXPRESSIONS = (
    "(" * 400,
    "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, a + b + c > 0)))",
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('(a+)+$')",
    "inputs." + ".".join("a" * 2 for _ in range(200)),
    "nodes['x'].output",
    "!" * 900 + "true",
    "1/0 == 1",
    "${{ ${{ }} }}",
    "\\",
    "'\\u0000'",
    "dyn([]) == {}",
    "[" * 200 + "]" * 200,
)
_TEXTS = (
    "",
    " ",
    "\u0000",
    "\n\r\t",
    "\x1b[31mred",
    "\u202egnp.exe",
    "\ufeff",
    "\U0001f4a3" * 20,
    "a" * 254,
    "a" * 20_000,
    "../../etc/passwd",
    "'; DROP TABLE tasks; --",
    "<script>alert(1)</script>",
    "${{ inputs.x }}",
    "${{",
    "%s%n{0}{__class__}",
    "system:masters",
    "kube-system",
    "default",
    "headgate-system",
    "true",
    "null",
    "0.0.0.0/0",
    "::/0",
    "169.254.169.254/32",
    "10.0.0.1/8",
)
_NUMBERS = (0, -1, 1, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 1e308, 5e-324, 0.1, -0.0)
HOSTILE: tuple[Any, ...] = (
    *_TEXTS,
    *_NUMBERS,
    *_CRON,
    *_DURATIONS,
    *_AMOUNTS,
    *_EXPRESSIONS,
    None,
    True,
    [],
    {},
    [None],
    {"": None},
    _nested(100),
    ["a"] * 1_000,
    {f"k{number}": number for number in range(500)},
)
"""For any place at all."""

KEYS = (
    *("requests.cpu", "limits.memory", "pods", "cpu", "memory", "ephemeral-storage", "count/jobs.batch"),
    *("hugepages-2Mi", "requests.nvidia.com/gpu", "count/workflows.headgate.dev", "requests.storage", "secrets"),
)
"""For maps: names that mean something somewhere."""

NAMES = (
    *("UPPER", "-a", "a-", "a..b", "\u00fc", "a/b", "..", "%2e%2e", "", " ", "a" * 254, "a b", "\u0000"),
    *("kube-system", "default", "headgate", "headgate-system", "kube-public", "0", "true", "null", "xn--80ak6aa92e"),
)
"""For metadata.name. Some are admitted; none may harm what has that name already."""

METADATA: tuple[dict[str, Any], ...] = (
    {"labels": {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/workspace": "another"}},
    {"labels": {"x": "\u0000"}},
    {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
    {"annotations": {"headgate.dev/reset-circuit-breaker": "\u202e", "headgate.dev/force-delete": "yes"}},
    {"annotations": {"headgate.dev/desired-hash": "0", "headgate.dev/workspace-id": "'; --"}},
    {"annotations": {"headgate.dev/adopt-by": "kube-system", "headgate.dev/paused": "TRUE"}},
    {"annotations": {"x" * 300: "y"}},
    {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{" * 1_000}},
    {"annotations": {f"example.com/{number}": "v" * 100 for number in range(500)}},
    {"annotations": {"big": "\U0001f4a3" * 60_000}},
    {"generateName": "x-"},
    {"labels": None},
    {"annotations": []},
    {"unknown": {"a": 1}},
)
"""Members of metadata. Finalizers and owners are not among them: with those one may keep or lose one's own object."""
