//! Bytes as text.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes of any number, written `0x` and two hex digits each.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct HexBytes(pub Vec<u8>);

/// Why a text is no [`HexBytes`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 0x and two hex digits for each byte")]
pub struct HexBytesError;

impl fmt::Display for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HexBytes {
    type Err = HexBytesError;

    fn from_str(text: &str) -> Result<Self, HexBytesError> {
        let digits = text.strip_prefix("0x").ok_or(HexBytesError)?;
        hex::decode(digits).map(Self).map_err(|_| HexBytesError)
    }
}

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = HexBytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0x and two hex digits for each byte")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<HexBytes, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for HexBytes {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^0x([0-9a-f]{2})*$"))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for HexBytes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_0x_and_whole_bytes() {
        for (text, bytes) in [
            ("0x", &[][..]),
            ("0x00ff", &[0, 255]),
            ("0x0aB1", &[10, 177]),
        ] {
            assert_eq!(text.parse(), Ok(HexBytes(bytes.to_vec())));
            let read: HexBytes = serde_json::from_str(&format!("{text:?}")).unwrap();
            assert_eq!(read.to_string(), text.to_ascii_lowercase());
        }
        for text in ["", "00", "0x0", "0x0x00", "0xzz", " 0x00"] {
            assert_eq!(text.parse::<HexBytes>(), Err(HexBytesError), "{text:?}");
        }
    }
}
