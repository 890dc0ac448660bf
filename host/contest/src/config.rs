//! A contest's configuration from JSON to the bytes that `configure` reads.

use std::collections::HashSet;

use serde_json::{Map, Value};
use tabella_abi::codec::Wire;
use tabella_abi::contest::{self as abi, Configuration, ParamValue};

use crate::contest_config::{ContestConfig, ContestOption, InvalidConfig};
use crate::json_pointer::pointer;
use crate::manifest::Manifest;
use crate::param::encode_param;
use tabella_limits::PluginLimits;

impl ContestConfig {
    /// Returns the canonical bytes with which a rule is configured; the same configuration always gives
    /// the same ones.
    pub fn encode(
        &self,
        manifest: &Manifest,
        limits: &PluginLimits,
    ) -> Result<Vec<u8>, InvalidConfig> {
        check_options(manifest, &self.options, limits).map_err(|error| error.below("/options"))?;
        let params = encode_params(manifest, &self.params, &self.options)
            .map_err(|error| error.below("/params"))?;
        let options = self.options.iter().map(|option| abi::ContestOption {
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
            return Err(InvalidConfig::here(format!(
                "the configuration takes {len} bytes, at most {most} allowed; shorten titles"
            )));
        }
        Ok(bytes)
    }
}

fn check_options(
    manifest: &Manifest,
    options: &[ContestOption],
    limits: &PluginLimits,
) -> Result<(), InvalidConfig> {
    let (count, least, most) = (options.len() as u64, manifest.options_min, limits.options);
    if count < least || count > most {
        return Err(InvalidConfig::here(format!(
            "expected {least} to {most} options, found {count}"
        )));
    }
    let mut ids = HashSet::new();
    for (position, option) in options.iter().enumerate() {
        let pointer = format!("/{position}/id");
        if option.id.is_empty() || option.id.chars().any(char::is_control) {
            let message = "an id is at least one character and has no control characters".into();
            return Err(InvalidConfig { pointer, message });
        }
        if !ids.insert(option.id.as_str()) {
            let message = format!("{:?} is the id of an earlier option", option.id);
            return Err(InvalidConfig { pointer, message });
        }
    }
    Ok(())
}

fn encode_params(
    manifest: &Manifest,
    params: &Value,
    options: &[ContestOption],
) -> Result<Vec<ParamValue>, InvalidConfig> {
    let none = Map::new();
    let given = match params {
        Value::Null => &none,
        Value::Object(given) => given,
        _ => return Err(InvalidConfig::here("expected an object")),
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
            return Err(InvalidConfig {
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
                Some(value) => encode_param(&param.kind, value, options)
                    .map_err(|error| error.below(&pointer(&param.name))),
                None if param.optional => Ok(ParamValue::Absent),
                None => Err(InvalidConfig {
                    pointer: pointer(&param.name),
                    message: "is required, and has no default".into(),
                }),
            },
        )
        .collect()
}
