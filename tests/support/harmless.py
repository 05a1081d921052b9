"""Strings that have the forms that schemas ask for, at the edges of what is allowed and in the middle of it."""

from __future__ import annotations

_NAMES = (
    *("a", "b", "z9", "web", "by-hand", "a-b-c", "a--b", "x.y", "a1.b2-c3", "0", "007", "true", "null", "n" * 40),
    *("n" * 63, "n" * 64, "s" * 253, "xn--80ak6aa92e", "under_score", "UPPER", "Camel9", "_private", "a:no", "a:true"),
    *("kube-root", "headgate-run", "system", "alice@example.com", "system:masters"),
)
_AMOUNTS = (
    "0",
    "1",
    "100m",
    "1n",
    "0.5",
    "2Gi",
    "1e3",
    "1E",
    "999999999999",
    ".5",
    "5.",
    "64Mi",
    "1Ki",
    "9" * 20,
    "0E",
)
_DURATIONS = ("0s", "1ms", "30s", "5m", "1h30m", "2d", "999d", "999d9999h99999m9999999s999999999ms", "1d0h", "0d0h0m")
_SCHEDULES = (
    *("* * * * *", "0 2 * * *", "*/5 * * * *", "59 23 31 12 7", "0 0 30 2 *", "0 0 31 2 *", "0-59/99999999 * * * *"),
    *("0 0 l * ?", "0 0 * * l5", "0 0 * * mon#5", "0,1,2,3-5 0 ? jan-dec sun-sat", "*/0 * * * *", "5-1 * * * *"),
)
_PLACES = (
    *(
        "UTC",
        "Europe/Berlin",
        "America/Argentina/Buenos_Aires",
        "Mars/Olympus",
        "Etc/GMT+12",
        "posixrules",
        "localtime",
    ),
    *("/data", "/etc/data", "/a/b/c/d", "/" + "p" * 254, "/proc", "/dev/x", "/..", "/\u00fc", "/a b", "/headgate"),
)
_IMAGES = (
    *("busybox", "busybox:1.36", "registry.example.com/team/app:1.2", "localhost:5000/x/y@sha256:" + "0" * 64),
    *("[::1]:5000/app", "a__b/c--d:_", "i" * 400, "registry.example.com", "example.com:443/team", "docker.io/library"),
)
_KEYS = ("app", "example.com/team", "kubernetes.io/os", "node-role.kubernetes.io/control-plane", "K_1", "tls.crt")
_NETWORKS = ("10.0.0.0/8", "203.0.113.0/24", "0.0.0.0/0", "::/0", "2001:db8::/32", "169.254.0.0/16", "1.1.1.1/32")
_EXPRESSIONS = (
    *("true", "false", "inputs.rows > 3", "nodes.load.output.rows > 0", "'left'", "1 / 0 == 1", "inputs.absent", "1"),
    *("size('" + "a" * 900 + "') > 1", "[1, 2, 3].all(x, x > 0)", "nodes.nobody.output == null", "inputs.rows ="),
)
_PROSE = (
    "",
    " ",
    "-",
    "a word",
    "${{ inputs.rows }}",
    "${{ nodes.load.output }}",
    "${{",
    "\u00fcber \U0001f4a3",
    "l\nl",
)

HARMLESS: tuple[str, ...] = tuple(
    dict.fromkeys(
        (
            *_NAMES,
            *_AMOUNTS,
            *_DURATIONS,
            *_SCHEDULES,
            *_PLACES,
            *_IMAGES,
            *_KEYS,
            *_NETWORKS,
            *_EXPRESSIONS,
            *_PROSE,
            "d" * 255,
            "e" * 1024,
            "v" * 4096,
        )
    )
)
"""For any place whose form they have. Each is of some form that is asked for; none is there to do harm."""
