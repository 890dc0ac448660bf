//! What a plugin says of itself: a JSON text that `describe` returns.
//!
//! Written here, in the guest, without allocation tricks or a JSON library; read by the host.

use alloc::string::String;
use core::fmt::Write;

use crate::{ballot::BallotKind, contest::ParamValue};

/// A plugin's description of itself, a constant of its rule.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    name: &'static str,
    version: &'static str,
    summary: &'static str,
    licence: &'static str,
    definition: &'static str,
    params: &'static [Param],
    options_min: u64,
    merges: bool,
}

impl Manifest {
    /// Starts a manifest. The name is of lowercase letters, digits and hyphens.
    pub const fn new(name: &'static str, version: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            version,
            summary,
            licence: "",
            definition: "",
            params: &[],
            options_min: 1,
            merges: true,
        }
    }

    /// The SPDX expression of its licence.
    pub const fn licence(mut self, licence: &'static str) -> Self {
        self.licence = licence;
        self
    }

    /// The statute or paper that defines the rule.
    pub const fn definition(mut self, definition: &'static str) -> Self {
        self.definition = definition;
        self
    }

    /// The rule's parameters.
    pub const fn params(mut self, params: &'static [Param]) -> Self {
        self.params = params;
        self
    }

    /// The fewest options a contest must have; 1 unless said otherwise.
    pub const fn options_min(mut self, options_min: u64) -> Self {
        self.options_min = options_min;
        self
    }

    /// Says that folded states cannot be merged: the board is then folded in order by one instance.
    pub const fn folds_in_order(mut self) -> Self {
        self.merges = false;
        self
    }

    /// The parameters.
    pub const fn param_list(&self) -> &'static [Param] {
        self.params
    }

    /// The JSON text for a rule with that kind of ballot.
    pub fn to_json(&self, ballot: BallotKind) -> String {
        let mut json = String::from("{\"abi\":1");
        text_member(&mut json, "name", self.name);
        text_member(&mut json, "version", self.version);
        text_member(&mut json, "summary", self.summary);
        text_member(&mut json, "licence", self.licence);
        text_member(&mut json, "definition", self.definition);
        text_member(&mut json, "ballot", ballot.name());
        integer_member(&mut json, "options_min", self.options_min as i64);
        json.push_str(",\"merges\":");
        json.push_str(if self.merges { "true" } else { "false" });
        json.push_str(",\"tallies\":[\"ballots\"],\"params\":[");
        for (position, param) in self.params.iter().enumerate() {
            if position > 0 {
                json.push(',');
            }
            param.put_json(&mut json);
        }
        json.push_str("]}");
        json
    }
}

/// One parameter of a rule.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    name: &'static str,
    about: &'static str,
    kind: ParamKind,
    default: Default,
}

#[derive(Clone, Copy, Debug)]
enum ParamKind {
    Integer { min: i64, max: i64 },
    Choice(&'static [&'static str]),
    Flag,
    Ratio,
    Decimal { places: u8 },
    Text,
    Texts,
    PerOption,
}

#[derive(Clone, Copy, Debug)]
enum Default {
    Required,
    Optional,
    Integer(i64),
    Text(&'static str),
    Flag(bool),
}

impl Param {
    const fn new(name: &'static str, kind: ParamKind) -> Self {
        Self {
            name,
            about: "",
            kind,
            default: Default::Required,
        }
    }

    /// An integer between two bounds, both allowed.
    pub const fn integer(name: &'static str, min: i64, max: i64) -> Self {
        Self::new(name, ParamKind::Integer { min, max })
    }

    /// One of these words.
    pub const fn choice(name: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(name, ParamKind::Choice(words))
    }

    /// `true` or `false`.
    pub const fn flag(name: &'static str) -> Self {
        Self::new(name, ParamKind::Flag)
    }

    /// A fraction such as `"1/2"`.
    pub const fn ratio(name: &'static str) -> Self {
        Self::new(name, ParamKind::Ratio)
    }

    /// A decimal with at most that many places, such as `"2.5"` or `5`.
    pub const fn decimal(name: &'static str, places: u8) -> Self {
        Self::new(name, ParamKind::Decimal { places })
    }

    /// A text.
    pub const fn text(name: &'static str) -> Self {
        Self::new(name, ParamKind::Text)
    }

    /// A list of texts.
    pub const fn texts(name: &'static str) -> Self {
        Self::new(name, ParamKind::Texts)
    }

    /// A non-negative integer for every option, by option id.
    pub const fn per_option(name: &'static str) -> Self {
        Self::new(name, ParamKind::PerOption)
    }

    /// What it does, in a sentence.
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// May be left out.
    pub const fn optional(mut self) -> Self {
        self.default = Default::Optional;
        self
    }

    /// An integer's value when left out.
    pub const fn default_integer(mut self, value: i64) -> Self {
        self.default = Default::Integer(value);
        self
    }

    /// The value of a choice, a ratio, a decimal or a text when left out.
    pub const fn default_text(mut self, value: &'static str) -> Self {
        self.default = Default::Text(value);
        self
    }

    /// A flag's value when left out.
    pub const fn default_flag(mut self, value: bool) -> Self {
        self.default = Default::Flag(value);
        self
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a value is one that the host may give: of this kind, within its bounds, and left out
    /// only where it may be.
    pub fn takes(&self, value: &ParamValue, options: usize) -> bool {
        match (self.kind, value) {
            (_, ParamValue::Absent) => matches!(self.default, Default::Optional),
            (ParamKind::Integer { min, max }, ParamValue::Integer(value)) => {
                (min..=max).contains(value)
            }
            (ParamKind::Choice(words), ParamValue::Choice(position)) => *position < words.len(),
            (ParamKind::PerOption, ParamValue::PerOption(values)) => values.len() == options,
            (ParamKind::Flag, ParamValue::Flag(_))
            | (ParamKind::Ratio, ParamValue::Ratio(..))
            | (ParamKind::Decimal { .. }, ParamValue::Decimal(_))
            | (ParamKind::Text, ParamValue::Text(_))
            | (ParamKind::Texts, ParamValue::Texts(_)) => true,
            _ => false,
        }
    }

    /// The words of a choice; empty for other kinds.
    pub const fn words(&self) -> &'static [&'static str] {
        match self.kind {
            ParamKind::Choice(words) => words,
            _ => &[],
        }
    }

    fn put_json(&self, json: &mut String) {
        json.push_str("{\"name\":");
        put_json_text(json, self.name);
        text_member(json, "about", self.about);
        let kind = match self.kind {
            ParamKind::Integer { .. } => "integer",
            ParamKind::Choice(_) => "choice",
            ParamKind::Flag => "flag",
            ParamKind::Ratio => "ratio",
            ParamKind::Decimal { .. } => "decimal",
            ParamKind::Text => "text",
            ParamKind::Texts => "texts",
            ParamKind::PerOption => "per-option",
        };
        text_member(json, "kind", kind);
        match self.kind {
            ParamKind::Integer { min, max } => {
                integer_member(json, "min", min);
                integer_member(json, "max", max);
            }
            ParamKind::Choice(words) => {
                json.push_str(",\"one_of\":[");
                for (position, word) in words.iter().enumerate() {
                    if position > 0 {
                        json.push(',');
                    }
                    put_json_text(json, word);
                }
                json.push(']');
            }
            ParamKind::Decimal { places } => integer_member(json, "places", places.into()),
            _ => {}
        }
        match self.default {
            Default::Required => {}
            Default::Optional => json.push_str(",\"optional\":true"),
            Default::Integer(value) => integer_member(json, "default", value),
            Default::Text(value) => text_member(json, "default", value),
            Default::Flag(value) => {
                json.push_str(if value {
                    ",\"default\":true"
                } else {
                    ",\"default\":false"
                });
            }
        }
        json.push('}');
    }
}

fn text_member(json: &mut String, name: &str, value: &str) {
    json.push(',');
    put_json_text(json, name);
    json.push(':');
    put_json_text(json, value);
}

fn integer_member(json: &mut String, name: &str, value: i64) {
    json.push(',');
    put_json_text(json, name);
    // Writing into a string cannot fail.
    let _ = write!(json, ":{value}");
}

fn put_json_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_json() {
        const MANIFEST: Manifest = Manifest::new("a-rule", "1.0.0", "Says \"hello\".\n")
            .licence("MIT")
            .params(&[
                Param::integer("seats", 1, 9)
                    .default_integer(1)
                    .about("How many."),
                Param::choice("mode", &["x", "y"]).default_text("x"),
                Param::decimal("threshold", 2).optional(),
            ]);
        assert_eq!(
            MANIFEST.to_json(BallotKind::Ranking),
            concat!(
                r#"{"abi":1,"name":"a-rule","version":"1.0.0","summary":"Says \"hello\".\u000a","#,
                r#""licence":"MIT","definition":"","ballot":"ranking","options_min":1,"#,
                r#""merges":true,"tallies":["ballots"],"params":["#,
                r#"{"name":"seats","about":"How many.","kind":"integer","min":1,"max":9,"#,
                r#""default":1},{"name":"mode","about":"","kind":"choice","one_of":["x","y"],"#,
                r#""default":"x"},{"name":"threshold","about":"","kind":"decimal","places":2,"#,
                r#""optional":true}]}"#
            )
        );
    }
}
