"""A contest's rule: its Wasm bytes run by wasmtime, and what goes in and comes out (docs/plugin-abi.md).

The structure of a module, its fuel and its stack are not measured as validators measure them; wasmtime's own fuel,
four times as much, only ends a module that would never end. docs/verifying.md says what that leaves to the quorum.
"""

from decimal import Decimal
from functools import lru_cache

from codec import Malformed, parse_json
from primitives import sha256
from validators import Refused

try:
    import wasmtime
except ImportError:
    wasmtime = None

FUEL_FACTOR = 4
KINDS = ("choice", "approval", "ranking", "scores", "votes", "grades", "raw")
PARAMETER_KINDS = ("integer", "choice", "flag", "ratio", "decimal", "text", "texts", "per-option")
FUNCTIONS = {
    "tabella_abi_v1": ([], []), "buffer": (["i32"], ["i32"]), "describe": ([], ["i64"]),
    "configure": (["i32"], ["i32"]), "validate": (["i32"], ["i32"]), "fold": (["i32"], ["i32"]),
    "merge": (["i32"], ["i32"]), "save": ([], ["i64"]), "finish": (["i32"], ["i64"]), "message": ([], ["i64"]),
}  # fmt: skip


# --- bytes that a plugin reads and writes ---


def unsigned(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed_number(value):
    return unsigned(value << 1 if value >= 0 else (-value << 1) - 1)


def counted(items):
    return unsigned(len(items)) + b"".join(items)


def words(text):
    return unsigned(len(text.encode())) + text.encode()


class Outcome:
    """Reads an outcome's bytes, which have one form."""

    def __init__(self, data, options):
        self.data, self.at, self.count = data, 0, options
        self.winners = self.list(self.option)
        self.list(lambda: (self.list(self.option), self.text(), self.text()))
        self.options = self.list(lambda: (self.number(), self.flag(), self.integer()))
        self.list(self.round)
        self.optional(self.number)
        pairwise = self.list(self.number)
        self.explanation = self.text()
        if self.at != len(data):
            raise Malformed("something follows the outcome's bytes")
        if len(self.options) != options or len(pairwise) not in (0, options * options):
            raise Malformed(f"the outcome is not of {options} options")

    def byte(self):
        if self.at >= len(self.data):
            raise Malformed("the outcome's bytes end early")
        self.at += 1
        return self.data[self.at - 1]

    def integer(self, bits=64):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if (byte == 0 and shift) or value >> bits:
            raise Malformed("an integer of the outcome is not in its one form")
        return value

    def signed(self):
        zigzag = self.integer(128)
        return zigzag >> 1 if not zigzag & 1 else -(zigzag + 1 >> 1)

    def option(self):
        option = self.integer()
        if option >= self.count:
            raise Malformed(f"the outcome names option {option}, the contest has {self.count}")
        return option

    def flag(self):
        flag = self.byte()
        if flag > 1:
            raise Malformed("a flag of the outcome is neither 0 nor 1")
        return flag

    def text(self):
        length = self.integer()
        if length > len(self.data) - self.at:
            raise Malformed("the outcome's bytes end early")
        self.at += length
        try:
            return self.data[self.at - length : self.at].decode()
        except UnicodeDecodeError:
            raise Malformed("a text of the outcome is not UTF-8") from None

    def list(self, item):
        return [item() for _ in range(self.integer())]

    def optional(self, item):
        return item() if self.flag() else None

    def number(self):
        tag = self.byte()
        if tag == 0:
            return str(self.signed())
        value = self.signed()
        if tag == 1:
            places = self.byte()
            if places <= 18:
                return str(Decimal(value).scaleb(-places)) if places else str(value)
        elif tag == 2:
            below = self.signed()
            if below > 1:
                return f"{value}/{below}"
        raise Malformed("a number of the outcome is not in its one form")

    def round(self):
        self.list(lambda: (self.option(), self.number()))
        self.list(self.option), self.list(self.option), self.number()
        self.list(lambda: (self.option(), self.optional(self.option), self.number()))


# --- parameters ---


def digits(text):
    return int(text) if text.isascii() and text.isdigit() and int(text) < 1 << 64 else None


def decimal_units(value, places):
    """A decimal times ten to the power of `places`; None where it is none, or has more places."""
    if type(value) is float:
        value = format(Decimal(repr(value)), "f")
    text = str(value) if type(value) is int else value
    if type(text) is not str:
        return None
    whole, point, part = text.partition(".")
    if point and not part:
        return None
    part = part.rstrip("0")
    if len(part) > places or digits(whole) is None or (part and digits(part) is None):
        return None
    units = digits(whole) * 10**places + (digits(part.ljust(places, "0")) if part else 0)
    return units if units < 1 << 63 else None


def parameter(spec, value, options):
    """The bytes of one parameter's value."""
    kind = spec["kind"]
    if kind == "integer" and type(value) is int:
        if max(spec.get("min", -(1 << 63)), -(1 << 63)) <= value <= min(spec.get("max", (1 << 63) - 1), (1 << 63) - 1):
            return b"\x01" + signed_number(value)
    elif kind == "choice" and type(value) is str and value in spec["one_of"]:
        return b"\x02" + unsigned(spec["one_of"].index(value))
    elif kind == "flag" and type(value) is bool:
        return b"\x03" + bytes([value])
    elif kind == "ratio" and type(value) is str and "/" in value:
        above, below = map(digits, value.split("/", 1))
        if above is not None and below:
            return b"\x04" + unsigned(above) + unsigned(below)
    elif kind == "decimal":
        units = decimal_units(value, spec["places"])
        if units is not None:
            return b"\x05" + signed_number(units)
    elif kind == "text" and type(value) is str:
        return b"\x06" + words(value)
    elif kind == "texts" and type(value) is list and all(type(text) is str for text in value):
        return b"\x07" + counted([words(text) for text in value])
    elif kind == "per-option" and type(value) is dict and value.keys() == {option["id"] for option in options}:
        values = [value[option["id"]] for option in options]
        if all(type(v) is int and 0 <= v < 1 << 64 for v in values):
            return b"\x08" + counted([unsigned(v) for v in values])
    raise Refused(f"parameter {spec['name']} is not of the kind {kind}")


def is_name(name, separator):
    known = set("abcdefghijklmnopqrstuvwxyz0123456789" + separator)
    return type(name) is str and 1 <= len(name) <= 64 and set(name) <= known


def configuration(manifest, contest, limits):
    """The bytes with which a rule is configured for a contest."""
    options = contest["options"]
    if not manifest.get("options_min", 1) <= len(options) <= limits["options"]:
        raise Refused(f"{manifest['name']} does not take {len(options)} options")
    for option in options:
        # Control characters: the two ranges of C0 and C1, and delete.
        if not option["id"] or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in option["id"]):
            raise Refused("an option's id is empty or has control characters")
    given = parse_json(contest["params"])
    if type(given) is not dict:
        raise Refused("params are not a JSON object")
    specs = manifest.get("params", [])
    unknown = given.keys() - {spec["name"] for spec in specs}
    if unknown:
        raise Refused(f"{manifest['name']} has no parameter {sorted(unknown)[0]}")
    values = []
    for spec in specs:
        value = given.get(spec["name"], spec.get("default"))
        if spec["name"] in given or value is not None:
            values.append(parameter(spec, value, options))
        elif spec.get("optional", False):
            values.append(b"\x00")
        else:
            raise Refused(f"parameter {spec['name']} is required")
    paper = [words(option["id"]) + words(option["title"] or option["id"]) for option in options]
    data = counted(paper) + counted(values)
    if len(data) > limits["config_bytes"]:
        raise Refused(f"the configuration takes {len(data)} bytes")
    return data


# --- the module ---


class Rule:
    """A published plugin: its module and its manifest."""

    def __init__(self, wasm, limits):
        self.limits, self.sha256 = limits, sha256(wasm)
        if len(wasm) > limits["module_bytes"]:
            raise Refused(f"the plugin has {len(wasm)} bytes, at most {limits['module_bytes']} allowed")
        self.engine, self.module = compiled(wasm)
        if self.module.imports:
            raise Refused("the plugin imports something")
        exports = {export.name: export.type for export in self.module.exports}
        for name, (takes, gives) in FUNCTIONS.items():
            type_ = exports.get(name)
            is_function = isinstance(type_, wasmtime.FuncType)
            if not is_function or ([str(t) for t in type_.params], [str(t) for t in type_.results]) != (takes, gives):
                raise Refused(f"the plugin does not export the function {name} of the ABI")
        if not isinstance(exports.get("memory"), wasmtime.MemoryType):
            raise Refused("the plugin exports no memory")
        instance = Instance(self, limits["validate_memory_bytes"])
        self.manifest = self.read_manifest(instance.ask("describe", "configure_fuel", "manifest_bytes"))

    def read_manifest(self, data):
        try:
            manifest = parse_json(data.decode())
            specs = manifest.get("params", [])
            good = manifest["abi"] == 1 and is_name(manifest["name"], "-") and manifest["ballot"] in KINDS
            good = good and all(is_name(spec["name"], "_") and spec["kind"] in PARAMETER_KINDS for spec in specs)
            for spec in specs:
                if spec.get("default") is not None:
                    parameter(spec, spec["default"], [])
            if good and len({spec["name"] for spec in specs}) == len(specs):
                return manifest
        except (Malformed, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
            raise Refused(f"the plugin's manifest is not as specified: {error}") from None
        raise Refused("the plugin's manifest is not as specified")


@lru_cache(maxsize=32)
def compiled(wasm):
    if wasmtime is None:
        raise Missing(
            "the package `wasmtime` is not installed, so that no rule can run: pip install -r requirements.txt"
        )
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    try:
        return engine, wasmtime.Module(engine, wasm)
    except wasmtime.WasmtimeError as error:
        raise Refused(f"the plugin is not a valid module: {error}") from None


class Missing(Exception):
    """Something that is not here, without which nobody can say."""


class Instance:
    """A running plugin."""

    def __init__(self, rule, memory_bytes):
        self.limits = rule.limits
        self.store = wasmtime.Store(rule.engine)
        self.store.set_limits(memory_size=memory_bytes)
        self.store.set_fuel(1 << 60)
        try:
            self.exports = wasmtime.Instance(self.store, rule.module, []).exports(self.store)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise Refused(f"the plugin cannot be set up: {first_line(error)}") from None
        self.memory = self.exports["memory"]

    def call(self, name, fuel, *arguments):
        if fuel:
            self.store.set_fuel(FUEL_FACTOR * self.limits[fuel])
        try:
            return self.exports[name](self.store, *arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise Refused(f"the rule failed in {name}: {first_line(error)}") from None

    def give(self, name, fuel, data):
        """Calls a function with bytes in the plugin's buffer."""
        address = self.call("buffer", fuel, len(data)) & 0xFFFFFFFF
        if address + len(data) > self.memory.data_len(self.store):
            raise Refused(f"the rule's buffer of {len(data)} bytes is not inside its memory")
        if data:
            self.memory.write(self.store, bytearray(data), address)
        return self.call(name, None, len(data))

    def taken(self, place, most):
        """The bytes at the place that a call answered: address in the upper 32 bits, length in the lower."""
        address, length = place >> 32 & 0xFFFFFFFF, place & 0xFFFFFFFF
        if length > self.limits[most] or address + length > self.memory.data_len(self.store):
            raise Refused("the rule answered bytes that are too long or outside its memory")
        return bytes(self.memory.read(self.store, address, address + length)) if length else b""

    def ask(self, name, fuel, most):
        return self.taken(self.call(name, fuel), most)


def first_line(error):
    return " ".join(str(error).split())[-200:]


class Contest:
    """A rule configured for one contest: judges ballots and counts a board."""

    def __init__(self, rule, spec):
        self.rule, self.spec, self.limits = rule, spec, rule.limits
        self.configuration = configuration(rule.manifest, spec, rule.limits)
        defaults = {p["name"]: p.get("default") for p in rule.manifest.get("params", [])}
        self.parameters = {**defaults, **parse_json(spec["params"])}
        self.verdicts = {}
        self.instance()

    def instance(self):
        """A fresh instance that was configured."""
        instance = Instance(self.rule, self.limits["validate_memory_bytes"])
        if instance.give("configure", "configure_fuel", self.configuration) != 0:
            raise Refused(f"the rule refuses the configuration of contest {self.spec['id']!r}")
        return instance

    def check(self, ballot):
        """Requires the rule to accept a ballot. Its verdict depends on the bytes alone, so each is asked for once."""
        if len(ballot) > self.limits["ballot_bytes"]:
            raise Refused(f"the ballot has {len(ballot)} bytes, at most {self.limits['ballot_bytes']} allowed")
        if ballot not in self.verdicts:
            self.verdicts[ballot] = self.instance().give("validate", "validate_fuel", ballot)
        if self.verdicts[ballot] != 0:
            raise Refused(f"the rule refuses the ballot, code {self.verdicts[ballot] & 0xFFFFFFFF}")

    def batches(self, ballots):
        """Cuts weighted ballots as the limits say."""
        batch, count = bytearray(), 0
        for weight, ballot in ballots:
            full = len(batch) + 20 + len(ballot) > self.limits["batch_bytes"]
            if count and (full or count == self.limits["batch_ballots"]):
                yield bytes(batch)
                batch, count = bytearray(), 0
            batch += unsigned(weight) + unsigned(len(ballot)) + ballot
            count += 1
        if count:
            yield bytes(batch)

    def tally_instance(self):
        instance = self.instance()
        instance.store.set_limits(memory_size=self.limits["tally_memory_bytes"])
        return instance

    def tally(self, ballots, seed):
        """The outcome's bytes: chunks folded by one instance each, merged in the order of the board."""
        total = chunk = None
        folded, per_chunk = 0, self.limits["chunk_batches"] if self.rule.manifest.get("merges", True) else 1 << 62
        for batch in self.batches(ballots):
            if folded % per_chunk == 0:
                self.merge(total, chunk)
                chunk = self.tally_instance()
                total = total or chunk
            self.done(chunk.give("fold", "fold_fuel", batch), "fold")
            folded += 1
        self.merge(total, chunk)
        total = total or self.tally_instance()
        data = total.taken(total.give("finish", "finish_fuel", self.lots(seed)), "outcome_bytes")
        Outcome(data, len(self.spec["options"]))
        return data

    def merge(self, total, chunk):
        if chunk is not total:
            saved = chunk.ask("save", "finish_fuel", "tally_memory_bytes")
            self.done(total.give("merge", "finish_fuel", saved), "merge")

    def done(self, answer, step):
        if answer != 0:
            raise Refused(f"the rule of contest {self.spec['id']!r} cannot count this board: {step} answered {answer}")

    def lots(self, seed):
        """The input of `finish`: lots, and the options in the order in which they win ties."""
        options = [option["id"].encode() for option in self.spec["options"]]
        order = sorted(range(len(options)), key=lambda o: sha256(b"tabella tie-break 1\0", seed, options[o]))
        return b"\x00" + counted([unsigned(option) for option in order])
