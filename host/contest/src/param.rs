//! A rule's parameters: what values they take, and those values as bytes.

use serde::Deserialize;
use serde_json::{Value, json};
use tabella_abi::contest::ParamValue;

use crate::contest_config::{ContestOption, InvalidConfig};
use crate::json_pointer::{brief, pointer};
use crate::strict_json::StrictJson;

/// One parameter of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence.
    pub about: String,
    /// What values it takes.
    pub kind: ParamKind,
    /// Its value where left out.
    pub default: Option<Value>,
    /// Whether it may be left out without a default.
    pub optional: bool,
}

/// What values a parameter takes, as JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamKind {
    /// An integer between two bounds, both allowed.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// One of these words.
    Choice(Vec<String>),
    /// `true` or `false`.
    Flag,
    /// A fraction such as `"1/2"`.
    Ratio,
    /// A non-negative decimal such as `"2.5"` or `5`.
    Decimal {
        /// Digits after the point, at most.
        places: u8,
    },
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// An object with a non-negative integer for every option id.
    PerOption,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawParam {
    pub(crate) name: String,
    #[serde(default)]
    about: String,
    kind: String,
    min: Option<i64>,
    max: Option<i64>,
    one_of: Option<Vec<String>>,
    places: Option<u8>,
    default: Option<StrictJson>,
    #[serde(default)]
    optional: bool,
}

impl Param {
    pub(crate) fn read(raw: RawParam) -> Result<Self, String> {
        if !is_name(&raw.name, '_') {
            return Err("is not named by 1 to 64 lowercase letters, digits and underscores".into());
        }
        let kind = match raw.kind.as_str() {
            "integer" => {
                let (min, max) = (raw.min.unwrap_or(i64::MIN), raw.max.unwrap_or(i64::MAX));
                if min > max {
                    return Err(format!(
                        "has the bounds {min} and {max}, which nothing fits"
                    ));
                }
                ParamKind::Integer { min, max }
            }
            "choice" => match raw.one_of {
                Some(words) if !words.is_empty() => ParamKind::Choice(words),
                _ => return Err("is a choice but lists nothing in `one_of`".into()),
            },
            "flag" => ParamKind::Flag,
            "ratio" => ParamKind::Ratio,
            "decimal" => match raw.places {
                Some(places) if places <= 9 => ParamKind::Decimal { places },
                _ => return Err("is a decimal but has no `places` from 0 to 9".into()),
            },
            "text" => ParamKind::Text,
            "texts" => ParamKind::Texts,
            "per-option" => ParamKind::PerOption,
            other => return Err(format!("has the unknown kind {other:?}")),
        };
        let param = Self {
            name: raw.name,
            about: raw.about,
            kind,
            default: raw.default.map(|StrictJson(default)| default),
            optional: raw.optional,
        };
        if let Some(default) = &param.default {
            encode_param(&param.kind, default, &[]).map_err(|error| {
                format!("has a default that it would refuse: {}", error.message)
            })?;
        }
        Ok(param)
    }

    pub(crate) fn schema(&self) -> Value {
        let mut schema = match &self.kind {
            ParamKind::Integer { min, max } => {
                json!({ "type": "integer", "minimum": min, "maximum": max })
            }
            ParamKind::Choice(words) => json!({ "enum": words }),
            ParamKind::Flag => json!({ "type": "boolean" }),
            ParamKind::Ratio => json!({ "type": "string", "pattern": "^[0-9]+/[1-9][0-9]*$" }),
            ParamKind::Decimal { places: 0 } => json!({ "type": "integer", "minimum": 0 }),
            ParamKind::Decimal { places } => {
                let pattern = format!("^[0-9]+(\\.[0-9]{{1,{places}}})?$");
                json!({ "type": ["string", "number"], "pattern": pattern, "minimum": 0 })
            }
            ParamKind::Text => json!({ "type": "string" }),
            ParamKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            ParamKind::PerOption => json!({
                "type": "object",
                "additionalProperties": { "type": "integer", "minimum": 0 },
            }),
        };
        if !self.about.is_empty() {
            schema["description"] = json!(self.about);
        }
        if let Some(default) = &self.default {
            schema["default"] = default.clone();
        }
        schema
    }
}

/// One parameter's value.
pub(crate) fn encode_param(
    kind: &ParamKind,
    value: &Value,
    options: &[ContestOption],
) -> Result<ParamValue, InvalidConfig> {
    let expected =
        |what: &str| InvalidConfig::here(format!("expected {what}, found {}", brief(value)));
    match kind {
        ParamKind::Integer { min, max } => match value.as_i64() {
            Some(integer) if (*min..=*max).contains(&integer) => Ok(ParamValue::Integer(integer)),
            _ => Err(expected(&format!("an integer from {min} to {max}"))),
        },
        ParamKind::Choice(words) => value
            .as_str()
            .and_then(|word| words.iter().position(|known| known == word))
            .map(ParamValue::Choice)
            .ok_or_else(|| expected(&format!("one of {}", words.join(", ")))),
        ParamKind::Flag => value
            .as_bool()
            .map(ParamValue::Flag)
            .ok_or_else(|| expected("true or false")),
        ParamKind::Ratio => value
            .as_str()
            .and_then(|text| text.split_once('/'))
            .and_then(|(above, below)| Some((digits(above)?, digits(below)?)))
            .filter(|(_, below)| *below > 0)
            .map(|(above, below)| ParamValue::Ratio(above, below))
            .ok_or_else(|| expected("a fraction such as \"1/2\"")),
        ParamKind::Decimal { places } => decimal(value, *places)
            .map(ParamValue::Decimal)
            .ok_or_else(|| expected(&format!("a decimal with at most {places} places"))),
        ParamKind::Text => value
            .as_str()
            .map(|text| ParamValue::Text(text.into()))
            .ok_or_else(|| expected("a text")),
        ParamKind::Texts => {
            let texts = value
                .as_array()
                .ok_or_else(|| expected("a list of texts"))?;
            let text = |(position, text): (usize, &Value)| match text.as_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err(InvalidConfig {
                    pointer: format!("/{position}"),
                    message: format!("expected a text, found {}", brief(text)),
                }),
            };
            texts
                .iter()
                .enumerate()
                .map(text)
                .collect::<Result<_, _>>()
                .map(ParamValue::Texts)
        }
        ParamKind::PerOption => {
            let values = value
                .as_object()
                .ok_or_else(|| expected("an object with an integer for every option"))?;
            if let Some(id) = values
                .keys()
                .find(|id| options.iter().all(|option| option.id != **id))
            {
                return Err(InvalidConfig {
                    pointer: pointer(id),
                    message: "is no option".into(),
                });
            }
            let of = |option: &ContestOption| match values.get(&option.id).map(Value::as_u64) {
                Some(Some(value)) => Ok(value),
                _ => Err(InvalidConfig {
                    pointer: pointer(&option.id),
                    message: "expected a non-negative integer for every option".into(),
                }),
            };
            options
                .iter()
                .map(of)
                .collect::<Result<_, _>>()
                .map(ParamValue::PerOption)
        }
    }
}

fn digits(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all_digits)
}

/// A decimal in units of its last place. A JSON number is read by its shortest text.
fn decimal(value: &Value, places: u8) -> Option<i64> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    let part = part.trim_end_matches('0');
    if part.len() > usize::from(places) || text.ends_with('.') {
        return None;
    }
    let scale = 10u64.checked_pow(places.into())?;
    let part = match part {
        "" => 0,
        part => digits(part)? * 10u64.checked_pow(u32::from(places) - part.len() as u32)?,
    };
    i64::try_from(digits(whole)?.checked_mul(scale)?.checked_add(part)?).ok()
}

pub(crate) fn is_name(name: &str, separator: char) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == separator;
    (1..=64).contains(&name.len()) && name.chars().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn decimals_are_exact() {
        for (value, units) in [
            (json!(5), Some(500)),
            (json!(2.5), Some(250)),
            (json!("0.07"), Some(7)),
            (json!("3.10"), Some(310)),
            (json!("0.005"), None),
            (json!("-1"), None),
            (json!("1."), None),
            (json!(".5"), None),
            (json!(1e300), None),
            (json!("99999999999999999999"), None),
        ] {
            assert_eq!(decimal(&value, 2), units, "{value}");
        }
    }
}
