//! Reading positional parameters.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tabella_protocol::Hash;

use super::error::RpcError;

/// The parameters of one call while it waits: as text, because values take many times the memory.
#[derive(Default)]
pub(crate) struct WaitingParams(Box<str>);

impl WaitingParams {
    pub(crate) fn new(params: &Value) -> Result<Self, RpcError> {
        match params {
            Value::Null => Ok(Self::default()),
            Value::Array(_) => Ok(Self(params.to_string().into())),
            _ => Err(RpcError::invalid_params(
                "expected an array of positional parameters",
            )),
        }
    }

    pub(crate) fn read(&self) -> Result<Params, RpcError> {
        if self.0.is_empty() {
            return Ok(Params(Vec::new()));
        }
        let values = serde_json::from_str(&self.0).map_err(|error| RpcError::parse(&error))?;
        Ok(Params(values))
    }
}

/// The parameters of one call.
pub(crate) struct Params(Vec<Value>);

impl Params {
    /// Parameter `index`, which must be there.
    pub(crate) fn required<T: DeserializeOwned>(
        &self,
        index: usize,
        name: &str,
    ) -> Result<T, RpcError> {
        self.optional(index, name)?.ok_or_else(|| {
            RpcError::invalid_params(format!("expected {name} as parameter {}", index + 1))
        })
    }

    /// Parameter `index`, where it is there and not null.
    pub(crate) fn optional<T: DeserializeOwned>(
        &self,
        index: usize,
        name: &str,
    ) -> Result<Option<T>, RpcError> {
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value).map(Some).map_err(|error| {
                RpcError::invalid_params(format!(
                    "expected {name} as parameter {}: {error}",
                    index + 1
                ))
            }),
        }
    }

    /// A hash, `0x` and 64 hex digits.
    pub(crate) fn hash(&self, index: usize, name: &str) -> Result<Hash, RpcError> {
        let text: String = self.required(index, name)?;
        Hash::parse_lenient(&text)
            .map_err(|error| RpcError::invalid_params(format!("{name}: {error}")))
    }

    /// An Ethereum quantity (`0x2a`) or a plain number.
    pub(crate) fn quantity(&self, index: usize, name: &str) -> Result<u64, RpcError> {
        let value = match self.required(index, name)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text
                .strip_prefix("0x")
                .and_then(|digits| u64::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        value.ok_or_else(|| {
            RpcError::invalid_params(format!(
                "expected {name} as parameter {}: a number or a hex quantity such as 0x2a",
                index + 1
            ))
        })
    }

    /// A block: an Ethereum quantity (`0x2a`), a tag, or a plain number; nothing for the newest.
    pub(crate) fn block(&self, index: usize) -> Result<BlockRef, RpcError> {
        let expected = || {
            RpcError::invalid_params(
                "expected a block: a number, a hex quantity such as 0x2a, a block hash, earliest, \
                 latest, safe, finalized or pending",
            )
        };
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(BlockRef::Latest),
            Some(Value::Number(number)) => {
                number.as_u64().map(BlockRef::Height).ok_or_else(expected)
            }
            Some(Value::String(text)) => match text.as_str() {
                "latest" | "safe" | "finalized" | "pending" => Ok(BlockRef::Latest),
                "earliest" => Ok(BlockRef::Height(0)),
                text if text.len() == 66 => Hash::parse_lenient(text)
                    .map(BlockRef::Hash)
                    .map_err(|_| expected()),
                text => text
                    .strip_prefix("0x")
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                    .map(BlockRef::Height)
                    .ok_or_else(expected),
            },
            Some(_) => Err(expected()),
        }
    }
}

/// How a caller names a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockRef {
    Height(u64),
    Hash(Hash),
    Latest,
}
