//! A contest's configuration from JSON to the bytes that `configure` reads.

use std::collections::HashSet;

use serde_json::{Map, Value};
use tabella_abi::codec::Wire;
use tabella_abi::contest::{self as abi, Configuration, ParamValue};

use crate::contest_config::{ConfigError, ContestConfig, ContestOption};
use crate::manifest::{Manifest, ParamKind};
use tabella_limits::PluginLimits;

/// A member that is not as it should be; the pointer is relative to the value looked at.
pub(crate) struct Invalid {
    pub(crate) pointer: String,
    pub(crate) message: String,
}

impl Invalid {
    fn here(message: impl Into<String>) -> Self {
        Self {
            pointer: String::new(),
            message: message.into(),
        }
    }
}

/// Canonical bytes of a configuration; the same configuration always gives the same ones.
pub(crate) fn encode(
    manifest: &Manifest,
    config: &ContestConfig,
    limits: &PluginLimits,
) -> Result<Vec<u8>, ConfigError> {
    let invalid = |pointer: String, message: String| ConfigError::Invalid { pointer, message };
    check_options(manifest, &config.options, limits)
        .map_err(|error| invalid(format!("/options{}", error.pointer), error.message))?;
    let params = encode_params(manifest, &config.params, &config.options)
        .map_err(|error| invalid(format!("/params{}", error.pointer), error.message))?;
    let options = config.options.iter().map(|option| abi::ContestOption {
        id: option.id.clone(),
        title: if option.title.is_empty() {
            option.id.clone()
        } else {
            option.title.clone()
        },
    });
    let bytes = Configuration {
        options: options.collect(),
        params,
    }
    .to_wire();
    if bytes.len() as u64 > limits.config_bytes {
        let (len, most) = (bytes.len(), limits.config_bytes);
        return Err(invalid(
            String::new(),
            format!("the configuration takes {len} bytes, at most {most} allowed; shorten titles"),
        ));
    }
    Ok(bytes)
}

fn check_options(
    manifest: &Manifest,
    options: &[ContestOption],
    limits: &PluginLimits,
) -> Result<(), Invalid> {
    let (count, least, most) = (options.len() as u64, manifest.options_min, limits.options);
    if count < least || count > most {
        return Err(Invalid::here(format!(
            "expected {least} to {most} options, found {count}"
        )));
    }
    let mut ids = HashSet::new();
    for (position, option) in options.iter().enumerate() {
        let pointer = format!("/{position}/id");
        if option.id.is_empty() || option.id.chars().any(char::is_control) {
            let message = "an id is at least one character and has no control characters".into();
            return Err(Invalid { pointer, message });
        }
        if !ids.insert(option.id.as_str()) {
            let message = format!("{:?} is the id of an earlier option", option.id);
            return Err(Invalid { pointer, message });
        }
    }
    Ok(())
}

fn encode_params(
    manifest: &Manifest,
    params: &Value,
    options: &[ContestOption],
) -> Result<Vec<ParamValue>, Invalid> {
    let none = Map::new();
    let given = match params {
        Value::Null => &none,
        Value::Object(given) => given,
        _ => return Err(Invalid::here("expected an object")),
    };
    for name in given.keys() {
        if !manifest.params.iter().any(|param| param.name == *name) {
            let known: Vec<_> = manifest
                .params
                .iter()
                .map(|param| param.name.as_str())
                .collect();
            let known = if known.is_empty() {
                "none".into()
            } else {
                known.join(", ")
            };
            let rule = &manifest.name;
            return Err(Invalid {
                pointer: pointer(name),
                message: format!("{rule} has no such parameter; it has: {known}"),
            });
        }
    }
    manifest
        .params
        .iter()
        .map(
            |param| match given.get(&param.name).or(param.default.as_ref()) {
                Some(value) => encode_param(&param.kind, value, options).map_err(|error| Invalid {
                    pointer: format!("{}{}", pointer(&param.name), error.pointer),
                    message: error.message,
                }),
                None if param.optional => Ok(ParamValue::Absent),
                None => Err(Invalid {
                    pointer: pointer(&param.name),
                    message: "is required, and has no default".into(),
                }),
            },
        )
        .collect()
}

/// One parameter's value.
pub(crate) fn encode_param(
    kind: &ParamKind,
    value: &Value,
    options: &[ContestOption],
) -> Result<ParamValue, Invalid> {
    let expected = |what: &str| Invalid::here(format!("expected {what}, found {}", brief(value)));
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
                None => Err(Invalid {
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
                return Err(Invalid {
                    pointer: pointer(id),
                    message: "is no option".into(),
                });
            }
            let of = |option: &ContestOption| match values.get(&option.id).map(Value::as_u64) {
                Some(Some(value)) => Ok(value),
                _ => Err(Invalid {
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

/// A JSON pointer's step to a member.
pub(crate) fn pointer(member: &str) -> String {
    format!("/{}", member.replace('~', "~0").replace('/', "~1"))
}

/// A value in a few characters, for messages.
pub(crate) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
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
