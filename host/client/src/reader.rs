//! By whose key a client reads what is not for anyone yet.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use tabella_protocol::{Hash, ReaderToken, SigningKey};

/// A token is renewed when less of its time is left than this part of it.
const RENEWED_IN: u64 = 2;

/// Signs the tokens that go with requests.
pub(crate) struct Reader {
    key: SigningKey,
    genesis: Hash,
    /// By validator.
    last: Mutex<HashMap<String, Token>>,
}

struct Token {
    valid_until_ms: u64,
    text: String,
}

impl Reader {
    pub(crate) fn new(key: SigningKey, genesis: Hash) -> Self {
        Self {
            key,
            genesis,
            last: Mutex::default(),
        }
    }

    /// A token that is good for a while at one validator.
    pub(crate) fn token(&self, validator: &str) -> String {
        self.token_at(validator, tabella_clock::now_ms())
    }

    fn token_at(&self, validator: &str, now_ms: u64) -> String {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let good_until = now_ms.saturating_add(ReaderToken::VALID_MS);
        // Also where the clock was set back since: the token would be good for too long.
        let fresh = last.get(validator).filter(|token| {
            let good_from = good_until - ReaderToken::VALID_MS / RENEWED_IN;
            (good_from..=good_until).contains(&token.valid_until_ms)
        });
        if let Some(token) = fresh {
            return token.text.clone();
        }
        let text = ReaderToken::sign(&self.key, &self.genesis, validator, good_until).to_string();
        let token = Token {
            valid_until_ms: good_until,
            text: text.clone(),
        };
        last.insert(validator.to_owned(), token);
        text
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.key.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_half_of_its_time_and_good_all_the_while() {
        let key = SigningKey::from_seed([1; 32]);
        let reader = Reader::new(key.clone(), Hash([7; 32]));
        let start = 1_000_000_000;
        let first = reader.token_at("v", start);
        let half = ReaderToken::VALID_MS / RENEWED_IN;
        assert_eq!(reader.token_at("v", start + half), first);
        assert_ne!(reader.token_at("v", start + half + 1), first);
        assert_ne!(reader.token_at("w", start), first);
        for now in [start, start + half + 1, start - 10 * ReaderToken::VALID_MS] {
            let token: ReaderToken = reader.token_at("v", now).parse().unwrap();
            assert_eq!(token.verify(&Hash([7; 32]), "v", now), Ok(key.public()));
        }
    }
}
