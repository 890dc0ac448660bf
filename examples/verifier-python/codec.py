"""Types that know their two forms: canonical bytes (borsh), and JSON. Values are dicts, lists, ints, texts and bytes.

Every type has `write(out, value)`, `read(reader)`, `from_json(json)` and `to_json(value)`. A value has one encoding;
`decode` and `from_json` refuse every other with `Malformed`.
"""

import json


class Malformed(Exception):
    """Bytes or JSON that are no value of the type."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Malformed(f"expected {count} bytes more at byte {self.at}, got {len(self.data) - self.at}")
        self.at += count
        return self.data[self.at - count : self.at]


def encode(type_, value):
    out = bytearray()
    type_.write(out, value)
    return bytes(out)


def decode(type_, data, most=1 << 32):
    if len(data) > most:
        raise Malformed(f"expected at most {most} bytes, got {len(data)}")
    reader = Reader(bytes(data))
    value = type_.read(reader)
    if reader.at != len(data):
        raise Malformed(f"expected nothing after byte {reader.at}, got {len(data) - reader.at} bytes more")
    return value


class Unsigned:
    """An integer of a fixed width, little-endian."""

    def __init__(self, width):
        self.width = width

    def write(self, out, value):
        out += value.to_bytes(self.width, "little")

    def read(self, reader):
        return int.from_bytes(reader.take(self.width), "little")

    def from_json(self, value):
        if type(value) is not int or not 0 <= value < 1 << 8 * self.width:
            raise Malformed(f"expected an integer below 2^{8 * self.width}, got {brief(value)}")
        return value

    def to_json(self, value):
        return value


class Fixed:
    """So many bytes, as they are. In JSON `0x` and lowercase hex digits."""

    def __init__(self, width):
        self.width = width

    def write(self, out, value):
        out += value

    def read(self, reader):
        return reader.take(self.width)

    def from_json(self, value):
        try:
            if value[:2] != "0x" or len(value) != 2 + 2 * self.width or value != value.lower() or not value.isascii():
                raise ValueError
            found = bytes.fromhex(value[2:])
            if len(found) != self.width:
                raise ValueError
            return found
        except (TypeError, ValueError, AttributeError):
            raise Malformed(f"expected 0x and {2 * self.width} lowercase hex digits, got {brief(value)}") from None

    def to_json(self, value):
        return "0x" + value.hex()


class Blob:
    """Bytes of any number: a length of four bytes, then the bytes. In JSON `0x` and hex digits of either case."""

    def write(self, out, value):
        out += len(value).to_bytes(4, "little") + value

    def read(self, reader):
        return reader.take(U32.read(reader))

    def from_json(self, value):
        try:
            if value[:2] != "0x" or len(value) % 2 or any(c.isspace() for c in value):
                raise ValueError
            return bytes.fromhex(value[2:])
        except (TypeError, ValueError, AttributeError):
            raise Malformed(f"expected 0x and two hex digits for each byte, got {brief(value)}") from None

    def to_json(self, value):
        return "0x" + value.hex()


class Text:
    """A length in bytes of four bytes, then UTF-8."""

    def write(self, out, value):
        BLOB.write(out, value.encode())

    def read(self, reader):
        try:
            return BLOB.read(reader).decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"not UTF-8: {error}") from None

    def from_json(self, value):
        if type(value) is not str:
            raise Malformed(f"expected a text, got {brief(value)}")
        return value

    def to_json(self, value):
        return value


class Sequence:
    """How many there are in four bytes, then each."""

    def __init__(self, item):
        self.item = item

    def write(self, out, value):
        U32.write(out, len(value))
        for item in value:
            self.item.write(out, item)

    def read(self, reader):
        return [self.item.read(reader) for _ in range(U32.read(reader))]

    def from_json(self, value):
        if type(value) is not list:
            raise Malformed(f"expected a list, got {brief(value)}")
        return [self.item.from_json(item) for item in value]

    def to_json(self, value):
        return [self.item.to_json(item) for item in value]


class Optional:
    """A byte 0, or a byte 1 and the value. In JSON null, or the value."""

    def __init__(self, item):
        self.item = item

    def write(self, out, value):
        U8.write(out, value is not None)
        if value is not None:
            self.item.write(out, value)

    def read(self, reader):
        flag = U8.read(reader)
        if flag > 1:
            raise Malformed(f"expected 0 or 1 before an optional value, got {flag}")
        return self.item.read(reader) if flag else None

    def from_json(self, value):
        return None if value is None else self.item.from_json(value)

    def to_json(self, value):
        return None if value is None else self.item.to_json(value)


class Mapping:
    """How many there are in four bytes, then each key with its value, in ascending order of the keys."""

    def __init__(self, key, item):
        self.key, self.item = key, item

    def write(self, out, value):
        U32.write(out, len(value))
        for key in sorted(value):
            self.key.write(out, key)
            self.item.write(out, value[key])

    def read(self, reader):
        pairs = [(self.key.read(reader), self.item.read(reader)) for _ in range(U32.read(reader))]
        keys = [key for key, _ in pairs]
        if any(a >= b for a, b in zip(keys, keys[1:])):
            raise Malformed("expected keys in ascending order, each once")
        return dict(pairs)

    def from_json(self, value):
        if type(value) is not dict:
            raise Malformed(f"expected an object, got {brief(value)}")
        return {self.key.from_json(key): self.item.from_json(item) for key, item in value.items()}

    def to_json(self, value):
        return {self.key.to_json(key): self.item.to_json(value[key]) for key in sorted(value)}


class Struct:
    """Its members one after another. In JSON an object with these members and no others. One that stands in `may_lack`,
    with its value when it is missing, may be left out, and is left out where it is None or empty."""

    def __init__(self, may_lack=(), **members):
        self.members, self.may_lack = members, may_lack

    def write(self, out, value):
        for name, type_ in self.members.items():
            type_.write(out, value[name])

    def read(self, reader):
        return {name: type_.read(reader) for name, type_ in self.members.items()}

    def from_json(self, value):
        if type(value) is not dict:
            raise Malformed(f"expected an object, got {brief(value)}")
        unknown = value.keys() - self.members.keys()
        missing = self.members.keys() - value.keys() - set(self.may_lack)
        if unknown or missing:
            raise Malformed(f"unknown members {sorted(unknown)}" if unknown else f"without {sorted(missing)}")
        found = {}
        for name, type_ in self.members.items():
            try:
                found[name] = type_.from_json(value[name]) if name in value else self.may_lack[name]
            except Malformed as error:
                raise Malformed(f"{name}: {error}") from None
        return found

    def to_json(self, value):
        kept = {name: item for name, item in value.items() if item or name not in self.may_lack}
        return {name: type_.to_json(kept[name]) for name, type_ in self.members.items() if name in kept}


class Words:
    """One of several words, as a byte: its place."""

    def __init__(self, *words):
        self.words = words

    def write(self, out, value):
        U8.write(out, self.words.index(value))

    def read(self, reader):
        place = U8.read(reader)
        if place >= len(self.words):
            raise Malformed(f"expected a byte below {len(self.words)}, got {place}")
        return self.words[place]

    def from_json(self, value):
        if type(value) is not str or value not in self.words:
            raise Malformed(f"expected one of {', '.join(self.words)}, got {brief(value)}")
        return value

    def to_json(self, value):
        return value


class Variants:
    """One of several structures: a byte, its place, then its members. The value has its name under `kind`."""

    def __init__(self, **variants):
        self.variants = list(variants.items())

    def write(self, out, value):
        for place, (name, type_) in enumerate(self.variants):
            if name == value["kind"]:
                U8.write(out, place)
                return type_.write(out, value)
        raise Malformed(f"unknown kind {value['kind']}")

    def read(self, reader):
        place = U8.read(reader)
        if place >= len(self.variants):
            raise Malformed(f"expected a byte below {len(self.variants)}, got {place}")
        name, type_ = self.variants[place]
        return {"kind": name, **type_.read(reader)}

    def from_json(self, value):
        if type(value) is not dict or value.get("kind") not in dict(self.variants):
            raise Malformed(f"expected an object of a known kind, got {brief(value)}")
        members = {name: item for name, item in value.items() if name != "kind"}
        return {"kind": value["kind"], **dict(self.variants)[value["kind"]].from_json(members)}


U8, U32, U64 = Unsigned(1), Unsigned(4), Unsigned(8)
HASH, KEY, SIGNATURE = Fixed(32), Fixed(32), Fixed(64)
BLOB, TEXT = Blob(), Text()


def brief(value):
    text = json.dumps(value, default=repr)
    return text if len(text) <= 80 else text[:77] + "..."


def parse_json(text):
    """JSON in which no member stands twice and every reader reads the same: no NaN, no infinity, no half surrogate."""

    def members(pairs):
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Malformed("a member stands twice in one object")
        return found

    def number(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise Malformed(f"{text} is out of range")
        return value

    def constant(text):
        raise Malformed(f"{text} is not JSON")

    def integer(text):
        # More digits than any integer has here; and -0 is no integer.
        return number(text) if text == "-0" or len(text) > 40 else int(text)

    try:
        value = json.loads(
            text, object_pairs_hook=members, parse_float=number, parse_constant=constant, parse_int=integer
        )
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None


def pretty_json(value):
    """The canonical text of a document: two spaces of indentation, members in order, UTF-8, a line feed at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
