//! Canonical bytes: every value has exactly one encoding, and every other byte string is refused.
//!
//! Unsigned integers are LEB128 in the fewest bytes; signed ones are zigzagged first. A text is its
//! length in bytes, then UTF-8. A list is its length, then its items. An option is 0, or 1 and the
//! value.

use alloc::string::String;
use alloc::vec::Vec;

/// Reads canonical bytes from the front. Every method answers `None` on bytes that no value has.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The next `len` bytes.
    #[inline]
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// An unsigned integer of at most 64 bits.
    #[inline]
    pub fn varint(&mut self) -> Option<u64> {
        match self.rest.split_first() {
            Some((first, rest)) if *first < 0x80 => {
                self.rest = rest;
                Some(u64::from(*first))
            }
            _ => u64::try_from(self.varint_wide()?).ok(),
        }
    }

    /// An unsigned integer of at most 128 bits.
    pub fn varint_wide(&mut self) -> Option<u128> {
        let mut value = 0u128;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            let part = u128::from(byte & 0x7f);
            if shift > 126 || (shift == 126 && part > 3) {
                return None;
            }
            value |= part << shift;
            if byte < 0x80 {
                // A last byte of zero would be a second encoding of the same value.
                return (byte != 0 || shift == 0).then_some(value);
            }
            shift += 7;
        }
    }

    /// An unsigned integer that fits this machine's sizes.
    pub fn size(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    /// A UTF-8 text.
    pub fn text(&mut self) -> Option<&'a str> {
        let len = self.size()?;
        core::str::from_utf8(self.bytes(len)?).ok()
    }
}

/// Appends an unsigned integer.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a text.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A value with canonical bytes.
pub trait Wire: Sized {
    /// Appends the value's bytes.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads a value from the front; `None` where the bytes are not canonical.
    fn take(reader: &mut Reader<'_>) -> Option<Self>;

    /// The value's bytes.
    fn to_wire(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// The value of these bytes, all of them.
    fn from_wire(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let value = Self::take(&mut reader)?;
        reader.is_empty().then_some(value)
    }
}

macro_rules! unsigned {
    ($($integer:ty),*) => {$(
        impl Wire for $integer {
            fn put(&self, out: &mut Vec<u8>) {
                put_varint(out, *self as u64);
            }
            fn take(reader: &mut Reader<'_>) -> Option<Self> {
                <$integer>::try_from(reader.varint()?).ok()
            }
        }
    )*};
}

unsigned!(u8, u16, u32, u64, usize);

impl Wire for u128 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut value = *self;
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        reader.varint_wide()
    }
}

impl Wire for i128 {
    fn put(&self, out: &mut Vec<u8>) {
        (((*self << 1) ^ (*self >> 127)) as u128).put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let zigzag = reader.varint_wide()?;
        Some((zigzag >> 1) as i128 ^ -((zigzag & 1) as i128))
    }
}

impl Wire for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        i128::from(*self).put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        i64::try_from(i128::take(reader)?).ok()
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(out, self);
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        reader.text().map(String::from)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        Some(match bool::take(reader)? {
            true => Some(T::take(reader)?),
            false => None,
        })
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        for item in self {
            item.put(out);
        }
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let len = reader.size()?;
        // Every item takes at least a byte, so a length beyond the input is refused before it
        // reserves anything.
        if len > reader.rest().len() {
            return None;
        }
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(T::take(reader)?);
        }
        Some(items)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        Some((A::take(reader)?, B::take(reader)?))
    }
}

/// Implements [`Wire`](crate::codec::Wire) for a struct, field by field in the order listed.
///
/// ```
/// struct Tally { votes: Vec<u64>, blank: u64 }
/// tabella_abi::wire!(Tally { votes, blank });
/// ```
#[macro_export]
macro_rules! wire {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::codec::Wire for $name {
            fn put(&self, out: &mut $crate::codec::Bytes) {
                $( $crate::codec::Wire::put(&self.$field, out); )*
            }
            fn take(reader: &mut $crate::codec::Reader<'_>) -> Option<Self> {
                $( let $field = $crate::codec::Wire::take(reader)?; )*
                Some(Self { $($field),* })
            }
        }
    };
}

#[doc(hidden)]
pub type Bytes = Vec<u8>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_encoding() {
        assert_eq!(Reader::new(&[0x80, 0x00]).varint(), None);
        assert_eq!(Reader::new(&[0xff, 0x01]).varint(), Some(255));
        assert_eq!(u8::from_wire(&[0x80, 0x02]), None);
        assert_eq!(bool::from_wire(&[2]), None);
        assert_eq!(u64::from_wire(&[1, 0]), None, "bytes left over");
    }

    #[test]
    fn extremes_come_back() {
        for value in [0, 1, -1, i128::MAX, i128::MIN] {
            assert_eq!(i128::from_wire(&value.to_wire()), Some(value));
        }
        for value in [0, 127, 128, u64::MAX] {
            assert_eq!(u64::from_wire(&value.to_wire()), Some(value));
        }
        assert_eq!(u128::from_wire(&u128::MAX.to_wire()), Some(u128::MAX));
    }

    #[test]
    fn a_huge_length_reserves_nothing() {
        assert_eq!(Vec::<u64>::from_wire(&[0xff, 0xff, 0xff, 0xff, 0x0f]), None);
    }
}
