"""Names of code without what changes from build to build or run to run.

Addresses, hashes, proxy and lambda numbers, chunk hashes, versions and deploy folders go; what a
developer wrote stays. Pure text in, text out; callers cache.
"""

from __future__ import annotations

import re

JS, PYTHON, JAVA, DOTNET, PHP, RUBY, GO, NATIVE, DART, ELIXIR, OTHER = (
    "js", "python", "java", "dotnet", "php", "ruby", "go", "native", "dart", "elixir", "other",
)  # fmt: skip

FAMILIES = {
    "javascript": JS,
    "node": JS,
    "react-native": JS,
    "python": PYTHON,
    "java": JAVA,
    "kotlin": JAVA,
    "groovy": JAVA,
    "android": JAVA,
    "csharp": DOTNET,
    "dotnet": DOTNET,
    "php": PHP,
    "ruby": RUBY,
    "go": GO,
    "native": NATIVE,
    "c": NATIVE,
    "objc": NATIVE,
    "cocoa": NATIVE,
    "swift": NATIVE,
    "rust": NATIVE,
    "dart": DART,
    "flutter": DART,
    "elixir": ELIXIR,
}

Rules = tuple[tuple[re.Pattern[str], str], ...]


def _rules(*pairs: tuple[str, str]) -> Rules:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in pairs)


# Every family, last: what no programmer types by hand.
_ANY = _rules(
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "#"),
    (r"\b0x[0-9a-fA-F]+", "#"),
    (r"(?<![A-Za-z0-9])(?=[a-f]*[0-9])[0-9a-f]{12,}(?![A-Za-z0-9])", "#"),
    (r"_{2,}\d+(?:_\d+)*\b", ""),
    (r"\d{4,}", "#"),
)

# Java class and method names: proxies first (they are the class they stand for), then numbers.
_JAVA = _rules(
    (r"\$\$(?:Enhancer|FastClass)By\w*?CGLIB\$\$\w+", ""),
    (r"\$\$SpringCGLIB\$\$\w+", ""),
    (r"_\$\$_(?:jvst|javassist)\w*", ""),
    (r"\$\$Lambda(?:\$\d+)?(?:[/.](?:0x)?[0-9a-f]+)?", "$$Lambda"),
    (r"/0x[0-9a-f]+", ""),
    (r"\$(HibernateProxy|ByteBuddy|MockitoMock)\$\w+", r"$\1"),
    (r"\$Proxy\d+", "$Proxy"),
    (r"(Generated\w*Accessor)\d+", r"\1"),
    (r"_closure\d+", "_closure"),
    (r"\bfn__\d+", "fn"),
    (r"\beval\d+", "eval"),
    (r"\$\d+(?=\$|\.|$)", "$"),
    (r"\$+$", ""),
)

_DOTNET = _rules(
    (r"<(\w+)>d__\d+(?:`\d+)?", r"\1"),
    (r"<(\w+)>b__[\d_]+", r"\1.lambda"),
    (r"<(\w+)>g__(\w+)\|[\d_]+", r"\1.\2"),
    (r"<>c__DisplayClass[\d_]+(?:`\d+)?", "<>c"),
    (r"`\d+(?:\[.*\])?", ""),
    (r"\+?\(?\w*\)? => \{.*\}", ".lambda"),
    (r"\(.*$", ""),
    (r"^.* (?=\S)", ""),
    (r"\+MoveNext$", ""),
)

_GO = _rules(
    (r"\[(?:\.\.\.|go\.shape[^\]]*)\]", ""),
    (r"@v[\w.+-]+", ""),
    (r"\.(?:gowrap|deferwrap)\d+", ""),
    (r"(^|\.)func\d+(?:\.\d+)*", r"\1func"),
    (r"-range\d+", ""),
    (r"-fm$", ""),
    (r"\bglob\.\.func\b", "func"),
    (r"\binit\.\d+", "init"),
)

_NATIVE = _rules(
    (r"(?:::|\$)h[0-9a-f]{16}(?:E)?$", ""),
    (r"\s*\[clone [^\]]*\]", ""),
    (r"\.(?:cold|part|isra|constprop|llvm|lto_priv|localalias)(?:\.\d+)*(?=\.|$)", ""),
    (r"\(anonymous namespace\)", "{anonymous}"),
    (r"\{lambda\([^)]*\)#\d+\}", "{lambda}"),
    (r"'lambda\d*'(?:\([^)]*\))?", "{lambda}"),
    (r"\{\{closure\}\}|\{closure#\d+\}|\{closure_env#\d+\}", "{closure}"),
    (r"\$_\d+", "$_"),
    (r"_block_invoke(?:[_.]\d+)?", "_block_invoke"),
    (r"^__\d+(?=[-+]\[)", ""),
    (r"\b(?:implicit )?closure #\d+\b", "closure"),
    (r"^(?:(?:specialized|merged|@objc|partial apply for|partial apply forwarder for) )+", ""),
    (r"(?<=[\w}>])\((?!anonymous).*$", ""),
)

_PHP = _rules(
    (r"\{closure:([^}]*?)(?:\(\))?(?::\d+)?\}", r"\1.{closure}"),
    (r"class@anonymous.*?(?=::|$)", "class@anonymous"),
    (r"\(\)$", ""),
)

_RUBY = _rules(
    (r"^(?:(?:block(?: \(\d+ levels\))?|rescue|ensure) in )+", ""),
    (r"^<(?:top \(required\)|main)>$", "<top>"),
    (r"^[A-Z][\w:]*[#.](?=[a-z_])", ""),
)

_DART = _rules(
    (r"(?:\.?<(?:fn|anonymous closure)>)+$", ""),
    (r"^new ", ""),
)

_ELIXIR = _rules(
    (r"^anonymous fn/\d+ in ", ""),
    (r"^-(.+?)/\d+-.*$", r"\1"),
    (r"/\d+$", ""),
)

# Engines differ in what they prefix: "async f", "Object.f" (V8), "f/<" (Firefox), "f [as g]".
_JS = _rules(
    (r"\s*\[as [^\]]*\]", ""),
    (r"^(?:async\*?|promise callback\*|setTimeout handler\*|new|get|set|static|bound) ?(?=\S)", ""),
    (r"(?:/<|<)+$", ""),
    (r"^.*[./#](?=[^./#]+$)", ""),
)

_FUNCTION_RULES: dict[str, Rules] = {
    JS: _JS,
    JAVA: _JAVA,
    DOTNET: _DOTNET,
    GO: _GO,
    NATIVE: _NATIVE,
    PHP: _PHP,
    RUBY: _RUBY,
    DART: _DART,
    ELIXIR: _ELIXIR,
}
_MODULE_RULES: dict[str, Rules] = {JAVA: _JAVA, DOTNET: _DOTNET[:5], GO: _GO[:2]}

_SCHEME = re.compile(r"^[a-z][\w+.-]*://[^/?#]*", re.IGNORECASE)
_VERSION = re.compile(r"[-@._]v?\d+(?:\.\d+)+(?:[-+.]?(?:rc|beta|alpha|post|dev|pre)[\w.]*)?")
_HEX_TOKEN = re.compile(r"(^|[-._~])(?=[a-f]*[0-9])[0-9a-f]{6,64}(?=[-._~]|$)")
_BUILD_TOKEN = re.compile(
    r"[-.]([A-Za-z0-9_-]{8}|[A-Za-z0-9_]{10})(?=\.(?:[cm]?jsx?|css|bundle)\b)"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]?[a-z]{2,}(?:[A-Z][a-z]{2,}|[-_][A-Za-z]?[a-z]+)*")
_LIBRARY_VERSION = re.compile(r"(?:[-_.]\d+)+(?=\.(?:so|dylib|dll)\b)|(?<=\.so)(?:\.\d+)+")
_TEMPLATE = re.compile(r"<[^<>]*>")
_NUMBERS = re.compile(r"\d+")


def clean_function(family: str, function: str) -> str:
    """The name without generated parts; "" if nothing is left."""
    name = function.strip()
    for pattern, replacement in _FUNCTION_RULES.get(family, ()):
        name = pattern.sub(replacement, name)
    if family == NATIVE and "<" in name and not name.startswith("<") and "operator" not in name:
        while (shorter := _TEMPLATE.sub("", name)) != name:
            name = shorter
    return _clean_any(name)


def clean_module(family: str, module: str) -> str:
    """Package, class or module name without generated parts and versions."""
    name = module
    for pattern, replacement in _MODULE_RULES.get(family, ()):
        name = pattern.sub(replacement, name)
    if family == JS:
        return "/".join(_clean_file_name(piece) for piece in name.split("/"))
    return _clean_any(name)


def clean_type(family: str, name: str) -> str:
    """The exception type; "" for one that a minifier made up."""
    if family == JS and len(name) <= 2:
        return ""
    if name.startswith("minified:"):
        return ""
    if family == JAVA:
        for pattern, replacement in _JAVA:
            name = pattern.sub(replacement, name)
    return _clean_any(name)


def clean_file(path: str) -> tuple[str, bool]:
    """(at most two last path components, cleaned; does the name say that the file is built).

    Hosts, deploy folders and query strings do not count: a new CDN or release folder is no new bug.
    """
    text = _SCHEME.sub("", path.replace("\\", "/"), count=1)
    if text != path:
        text = text.split("?", 1)[0].split("#", 1)[0]
    pieces = [piece for piece in text.split("/") if piece not in ("", ".", "..", "~")]
    if not pieces:
        return "", False
    name = _clean_file_name(pieces[-1])
    is_built = name != pieces[-1] or ".min." in name or ".chunk." in name or ".bundle." in name
    for folder in reversed(pieces[-4:-1]):
        if not _is_generated(folder):
            return f"{_VERSION.sub('', folder)}/{name}", is_built
    return name, is_built


def clean_package(path: str) -> str:
    """The file name of a binary image, without version numbers."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1].rsplit("!", 1)[-1]
    return _clean_any(_LIBRARY_VERSION.sub("", name))


def strip_origin(path: str) -> str:
    """A path to show: no scheme, host or query."""
    if "://" not in path:
        return path
    return _SCHEME.sub("", path, count=1).split("?", 1)[0].lstrip("/")


def _clean_any(name: str) -> str:
    for pattern, replacement in _ANY:
        name = pattern.sub(replacement, name)
    return name


def _clean_file_name(name: str) -> str:
    """`main.3f2a1b9c.js`, `main-BxK29a_d.js` -> `main.js`; `jquery-3.6.0.js` -> `jquery.js`."""
    cleaned = _UUID.sub("#", name)
    cleaned = _VERSION.sub("", cleaned)
    cleaned = _HEX_TOKEN.sub(r"\1#", cleaned)
    match = _BUILD_TOKEN.search(cleaned)
    if match and _is_irregular(match.group(1)):
        cleaned = cleaned[: match.start()] + cleaned[match.end() :]
    cleaned = cleaned.replace(".#", "").replace("-#", "").replace("~#", "").replace("_#", "")
    stem, dot, extension = cleaned.partition(".")
    return f"{_NUMBERS.sub('#', stem) if stem.isdigit() else stem}{dot}{extension}"


def _is_generated(folder: str) -> bool:
    """Release stamps, build ids, hashes: folder names that change with each deploy."""
    if folder.isdigit() or _UUID.fullmatch(folder):
        return True
    has_digit = any(letter.isdigit() for letter in folder)
    if has_digit and _HEX_TOKEN.fullmatch(folder):
        return True
    return has_digit and len(folder) >= 18 and folder.replace("-", "").replace("_", "").isalnum()


def _is_irregular(token: str) -> bool:
    """True for `BxK29a_d` or `2ZQ4K7XB`, False for `checkout` or `CartView`."""
    if token.islower() and not any(letter.isdigit() for letter in token):
        return False
    return _WORDS.fullmatch(token) is None
