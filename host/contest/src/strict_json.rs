//! JSON that means the same to everyone who reads it.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON value in which no object names a member twice (I-JSON, RFC 7493, section 2.3).
///
/// Readers differ in which of two members they take; a voter's ballot and an election's parameters
/// must not depend on it. Deserializing such an object fails and names the member.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct StrictJson(pub Value);

/// An object as [`StrictJson`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct StrictObject(pub Map<String, Value>);

impl<'de> Deserialize<'de> for StrictJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict).map(Self)
    }
}

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(Strict)? {
            Value::Object(members) => Ok(Self(members)),
            other => Err(D::Error::custom(format_args!(
                "expected an object, found {}",
                match other {
                    Value::Array(_) => "an array",
                    Value::String(_) => "a text",
                    _ => "no object",
                }
            ))),
        }
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(StrictJson(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "the member {name:?} stands twice in one object"
                )));
            }
            let StrictJson(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn other_json_is_read_as_ever() {
        let text =
            r#"{"a": [null, true, -1, 18446744073709551615, 0.5, 1e300, "é", {}], "b": {"a": 1}}"#;
        let StrictJson(value) = serde_json::from_str(text).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        let StrictObject(members) = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(members), value);
    }

    #[test]
    fn a_member_that_stands_twice_is_named() {
        for text in [
            r#"{"a": 1, "a": 1}"#,
            r#"[{"b": {"a": 1, "\u0061": 2}}]"#,
            r#"{"c": {"a": 1, "b": 2, "a": {}}}"#,
        ] {
            let error = serde_json::from_str::<StrictJson>(text).unwrap_err();
            let error = error.to_string();
            assert!(
                error.starts_with(r#"the member "a" stands twice in one object"#),
                "{error}"
            );
        }
    }

    #[test]
    fn an_object_is_expected_where_one_is_needed() {
        let error = serde_json::from_value::<StrictObject>(json!([1])).unwrap_err();
        assert_eq!(error.to_string(), "expected an object, found an array");
    }

    #[test]
    fn depth_is_bounded() {
        let text = "[".repeat(100_000);
        assert!(serde_json::from_str::<StrictJson>(&text).is_err());
    }
}
