//! The languages of the pages.

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language {
    /// Its code (RFC 5646).
    pub code: &'static str,
    /// Its name in itself.
    pub name: &'static str,
    /// Which way its text runs: `ltr` or `rtl`.
    pub direction: &'static str,
    pub(crate) catalogue: &'static str,
}

impl Language {
    /// Every language; the first is that of readers who ask for none of them.
    pub const ALL: [Self; 2] = [
        Self {
            code: "en",
            name: "English",
            direction: "ltr",
            catalogue: include_str!("../text/en.toml"),
        },
        Self {
            code: "ar",
            name: "العربية",
            direction: "rtl",
            catalogue: include_str!("../text/ar.toml"),
        },
    ];
}

/// The language that a request's `accept-language` asks for most (RFC 9110, 12.5.4).
pub fn best_language(accepted: &str) -> Language {
    let mut best = (0.0, Language::ALL[0]);
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let code = parts.next().unwrap_or_default();
        let primary = code.split('-').next().unwrap_or_default();
        let quality = parts.find_map(|parameter| parameter.strip_prefix("q="));
        let quality = quality.map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
        let known = Language::ALL
            .iter()
            .find(|language| language.code.eq_ignore_ascii_case(primary));
        if let Some(language) = known
            && quality > best.0
        {
            best = (quality, *language);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_the_language_that_it_asks_for_most() {
        let check = |accepted: &str, expected: &str| {
            assert_eq!(best_language(accepted).code, expected, "{accepted:?}");
        };
        check("ar-EG,ar;q=0.9,en;q=0.8", "ar");
        check("en-GB,en;q=0.9,ar;q=0.8", "en");
        check("fr,AR;q=0.4,en;q=0.3", "ar");
        check("ar;q=0, de", "en");
        check("ar;q=x", "en");
        check("", "en");
        check("*", "en");
    }
}
