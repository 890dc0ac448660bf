"""The group ristretto255, written out from RFC 9496: slow, and without any care for timing."""

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def is_negative(field):
    return field % 2 == 1


def magnitude(field):
    field %= P
    return P - field if is_negative(field) else field


def sqrt_ratio(u, v):
    """Whether u / v is a square, and the root of it, or of it times the root of -1 (section 4.2)."""
    root = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * root * root % P
    correct, flipped = check == u % P, check == -u % P
    flipped_i = check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        root = root * SQRT_M1 % P
    return correct or flipped, magnitude(root)


INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]


class Point:
    """A point in extended coordinates."""

    def __init__(self, x, y, z, t):
        self.x, self.y, self.z, self.t = x, y, z, t

    def __add__(self, other):
        a = (self.y - self.x) * (other.y - other.x) % P
        b = (self.y + self.x) * (other.y + other.x) % P
        c = 2 * self.t * other.t * D % P
        d = 2 * self.z * other.z % P
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f % P, g * h % P, f * g % P, e * h % P)

    def __neg__(self):
        return Point(-self.x % P, self.y, self.z, -self.t % P)

    def __sub__(self, other):
        return self + -other

    def __rmul__(self, scalar):
        product, scalar = IDENTITY, scalar % ORDER
        for bit in bin(scalar)[2:]:
            product = product + product
            if bit == "1":
                product = product + self
        return product

    def __eq__(self, other):
        """Section 4.4: equal as members of the group, whichever point stands for them."""
        x1, y1, x2, y2 = self.x, self.y, other.x, other.y
        return (x1 * y2 - y1 * x2) % P == 0 or (y1 * y2 - x1 * x2) % P == 0

    def encode(self):
        """The 32 canonical bytes (section 4.3.2)."""
        x0, y0, z0, t0 = self.x, self.y, self.z, self.t
        u1, u2 = (z0 + y0) * (z0 - y0) % P, x0 * y0 % P
        _, root = sqrt_ratio(1, u1 * u2 * u2)
        den1, den2 = root * u1 % P, root * u2 % P
        z_inv = den1 * den2 * t0 % P
        x, y, den = x0, y0, den2
        if is_negative(t0 * z_inv % P):
            x, y, den = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
        if is_negative(x * z_inv % P):
            y = -y
        return magnitude(den * (z0 - y)).to_bytes(32, "little")

    @staticmethod
    def decode(data):
        """The point of these bytes; an error where they are not canonical (section 4.3.1)."""
        s = int.from_bytes(data, "little")
        if len(data) != 32 or s >= P or is_negative(s):
            raise ValueError("a point is not canonical")
        ss = s * s % P
        u1, u2 = (1 - ss) % P, (1 + ss) % P
        v = (-(D * u1 * u1) - u2 * u2) % P
        is_square, root = sqrt_ratio(1, v * u2 * u2)
        den_x = root * u2 % P
        x = magnitude(2 * s * den_x)
        y = u1 * root * den_x * v % P
        t = x * y % P
        if not is_square or is_negative(t) or y == 0:
            raise ValueError("a point is not canonical")
        return Point(x, y, 1, t)


IDENTITY = Point(0, 1, 1, 0)
BASE = Point.decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))


def scalar(data):
    """The scalar of these bytes; an error where they are not canonical."""
    value = int.from_bytes(data, "little")
    if len(data) != 32 or value >= ORDER:
        raise ValueError("a scalar is not canonical")
    return value
