//! A rule's parameters, by name.
//!
//! Asking for a parameter that the manifest does not list, or by the wrong type, is a mistake of
//! the rule's author and panics with the parameter's name; what users write is checked by the host
//! against the manifest before the rule sees it.

use alloc::string::String;
use alloc::vec::Vec;

use tabella_abi::contest::ParamValue;
use tabella_abi::manifest::Param;

/// The values of a rule's parameters, defaults filled in.
#[derive(Clone, Debug)]
pub struct Params {
    declared: &'static [Param],
    values: Vec<ParamValue>,
}

impl Params {
    /// Pairs values with the manifest's parameters; `None` where they do not fit them, in a contest
    /// of so many options.
    pub(crate) fn new(
        declared: &'static [Param],
        values: Vec<ParamValue>,
        options: usize,
    ) -> Option<Self> {
        let fit = |(param, value): (&Param, &ParamValue)| param.takes(value, options);
        let all = declared.len() == values.len() && declared.iter().zip(&values).all(fit);
        all.then_some(Self { declared, values })
    }

    fn position(&self, name: &str) -> usize {
        match self.declared.iter().position(|param| param.name() == name) {
            Some(position) => position,
            None => panic!("the manifest lists no parameter {name:?}"),
        }
    }

    fn value(&self, name: &str) -> Option<&ParamValue> {
        match &self.values[self.position(name)] {
            ParamValue::Absent => None,
            value => Some(value),
        }
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> T {
        match value {
            Some(value) => value,
            None => panic!("parameter {name:?} is optional: ask for it with optional_..."),
        }
    }

    /// An integer that is required or has a default.
    pub fn integer(&self, name: &str) -> i64 {
        self.required(name, self.optional_integer(name))
    }

    /// An integer that may be left out.
    pub fn optional_integer(&self, name: &str) -> Option<i64> {
        self.value(name).map(|value| match value {
            ParamValue::Integer(integer) => *integer,
            _ => wrong_type(name, "an integer"),
        })
    }

    /// The chosen word of a choice that may be left out.
    pub fn optional_choice(&self, name: &str) -> Option<&'static str> {
        let words = self.declared[self.position(name)].words();
        self.value(name).and_then(|value| match value {
            ParamValue::Choice(position) => words.get(*position).copied(),
            _ => wrong_type(name, "a choice"),
        })
    }

    /// The chosen word of a choice that is required or has a default.
    pub fn choice(&self, name: &str) -> &'static str {
        self.required(name, self.optional_choice(name))
    }

    /// A flag that may be left out.
    pub fn optional_flag(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| match value {
            ParamValue::Flag(flag) => *flag,
            _ => wrong_type(name, "a flag"),
        })
    }

    /// A flag that is required or has a default.
    pub fn flag(&self, name: &str) -> bool {
        self.required(name, self.optional_flag(name))
    }

    /// Numerator and denominator of a ratio that may be left out. The denominator is not 0.
    pub fn optional_ratio(&self, name: &str) -> Option<(u64, u64)> {
        self.value(name).map(|value| match value {
            ParamValue::Ratio(numerator, denominator) => (*numerator, *denominator),
            _ => wrong_type(name, "a ratio"),
        })
    }

    /// Numerator and denominator of a ratio that is required or has a default.
    pub fn ratio(&self, name: &str) -> (u64, u64) {
        self.required(name, self.optional_ratio(name))
    }

    /// A decimal that may be left out, times ten to the power of its places in the manifest.
    pub fn optional_decimal(&self, name: &str) -> Option<i64> {
        self.value(name).map(|value| match value {
            ParamValue::Decimal(units) => *units,
            _ => wrong_type(name, "a decimal"),
        })
    }

    /// A decimal that is required or has a default.
    pub fn decimal(&self, name: &str) -> i64 {
        self.required(name, self.optional_decimal(name))
    }

    /// A text that may be left out.
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        self.value(name).map(|value| match value {
            ParamValue::Text(text) => text.as_str(),
            _ => wrong_type(name, "a text"),
        })
    }

    /// A text that is required or has a default.
    pub fn text(&self, name: &str) -> &str {
        self.required(name, self.optional_text(name))
    }

    /// A list of texts; empty when left out.
    pub fn texts(&self, name: &str) -> &[String] {
        match self.value(name) {
            None => &[],
            Some(ParamValue::Texts(texts)) => texts,
            Some(_) => wrong_type(name, "a list of texts"),
        }
    }

    /// An integer for every option, in the order of the contest; empty when left out.
    pub fn per_option(&self, name: &str) -> &[u64] {
        match self.value(name) {
            None => &[],
            Some(ParamValue::PerOption(values)) => values,
            Some(_) => wrong_type(name, "an integer for every option"),
        }
    }
}

fn wrong_type(name: &str, asked: &str) -> ! {
    panic!("parameter {name:?} is not {asked} in the manifest")
}
