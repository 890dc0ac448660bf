//! Login tokens: JSON Web Tokens (RFC 7519) under HS256, and under nothing else.
//!
//! The header is compared byte for byte with the one that is issued, so that no other algorithm,
//! and `none` least of all, is ever looked at.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use tabella_outbox::subject::Realm;

use super::Role;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const ISSUER: &str = "tabella";
/// Longer tokens cannot be ours, and are refused unread.
const TOKEN_BYTES_MAX: usize = 2_048;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenKind {
    /// Asking for things.
    Access,
    /// Getting new tokens, once.
    Refresh,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    /// Account name or voter id: `realm` says which.
    pub(crate) sub: String,
    /// Who vouches for `sub`. Tokens of before say so by their session alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) realm: Option<Realm>,
    pub(crate) role: Role,
    pub(crate) kind: TokenKind,
    /// Unix seconds.
    pub(crate) iat: u64,
    /// Unix seconds.
    pub(crate) exp: u64,
    /// The session that it belongs to, and ends with; a registrar's tokens have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    /// Unique; what a refresh token is retired by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jti: Option<String>,
}

impl Claims {
    /// Of a voter whom a registrar names.
    pub(crate) fn of_registrar(sub: String, iat: u64, ttl_s: u64) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            sub,
            realm: Some(Realm::Registrar),
            role: Role::Voter,
            kind: TokenKind::Access,
            iat,
            exp: iat.saturating_add(ttl_s),
            sid: None,
            jti: None,
        }
    }

    /// Of a session of an account.
    pub(crate) fn of_account(
        sub: String,
        role: Role,
        kind: TokenKind,
        session: String,
        iat: u64,
        ttl_s: u64,
    ) -> Self {
        Self {
            realm: Some(Realm::Account),
            role,
            kind,
            sid: Some(session),
            ..Self::of_registrar(sub, iat, ttl_s)
        }
    }

    /// Whether the session says the same as the realm: accounts have one, registrars' voters have none.
    fn is_of_one_realm(&self) -> bool {
        match self.realm {
            None => true,
            Some(Realm::Account) => self.sid.is_some(),
            Some(Realm::Registrar) => self.sid.is_none(),
            Some(Realm::Credential) => false,
        }
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is not one that this backend issued")]
    Invalid,
    #[error("the token has expired; log in again")]
    Expired,
    #[error("the token is for another purpose")]
    OtherKind,
}

impl TokenError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "token-invalid",
            Self::Expired => "token-expired",
            Self::OtherKind => "token-of-other-kind",
        }
    }
}

/// Issues and verifies tokens.
#[derive(Clone)]
pub(crate) struct Tokens {
    mac: Hmac<Sha256>,
    header: String,
}

impl Tokens {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self {
            mac: <Hmac<Sha256> as KeyInit>::new_from_slice(&key)
                .expect("HMAC takes a key of any length"),
            header: URL_SAFE_NO_PAD.encode(HEADER),
        }
    }

    pub(crate) fn issue(&self, claims: &Claims) -> String {
        let claims = serde_json::to_vec(claims).expect("plain data serialises");
        let mut token = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let mut mac = self.mac.clone();
        mac.update(token.as_bytes());
        let signature = mac.finalize().into_bytes();
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        token
    }

    pub(crate) fn verify(
        &self,
        token: &str,
        kind: TokenKind,
        now_s: u64,
    ) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Invalid)?;
        if header != self.header {
            return Err(TokenError::Invalid);
        }
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| TokenError::Invalid)?;
        let mut mac = self.mac.clone();
        mac.update(signed.as_bytes());
        // In constant time.
        mac.verify_slice(&signature)
            .map_err(|_| TokenError::Invalid)?;
        let claims = URL_SAFE_NO_PAD
            .decode(claims)
            .map_err(|_| TokenError::Invalid)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| TokenError::Invalid)?;
        if claims.iss != ISSUER || !claims.is_of_one_realm() {
            return Err(TokenError::Invalid);
        }
        if claims.exp <= now_s {
            return Err(TokenError::Expired);
        }
        if claims.kind != kind {
            return Err(TokenError::OtherKind);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000;

    fn claims() -> Claims {
        Claims::of_registrar("alice".into(), NOW, 60)
    }

    fn check(token: &str, now_s: u64) -> Result<Claims, TokenError> {
        Tokens::new([1; 32]).verify(token, TokenKind::Access, now_s)
    }

    #[test]
    fn a_token_says_what_was_issued() {
        let token = Tokens::new([1; 32]).issue(&claims());
        assert_eq!(check(&token, NOW), Ok(claims()));
        assert_eq!(check(&token, NOW + 60), Err(TokenError::Expired));
    }

    #[test]
    fn another_key_is_refused() {
        let token = Tokens::new([2; 32]).issue(&claims());
        assert_eq!(check(&token, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn another_algorithm_is_refused() {
        let token = Tokens::new([1; 32]).issue(&claims());
        let claims = token.split('.').nth(1).unwrap();
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"HS512","typ":"JWT"}"#,
            r#"{"typ":"JWT","alg":"HS256"}"#,
        ] {
            let header = URL_SAFE_NO_PAD.encode(header);
            assert_eq!(
                check(&format!("{header}.{claims}."), NOW),
                Err(TokenError::Invalid)
            );
        }
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let token = Tokens::new([1; 32]).issue(&claims());
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(
                check(&changed, NOW),
                Err(TokenError::Invalid),
                "byte {index}"
            );
        }
    }

    #[test]
    fn a_token_is_of_one_realm() {
        let tokens = Tokens::new([1; 32]);
        let mut of_account = claims();
        of_account.realm = Some(Realm::Account);
        assert_eq!(
            check(&tokens.issue(&of_account), NOW),
            Err(TokenError::Invalid)
        );
        of_account.sid = Some("session".into());
        assert!(check(&tokens.issue(&of_account), NOW).is_ok());
        let mut of_registrar = claims();
        of_registrar.sid = Some("session".into());
        assert_eq!(
            check(&tokens.issue(&of_registrar), NOW),
            Err(TokenError::Invalid)
        );
        // Those of before say nothing of it.
        of_registrar.realm = None;
        assert!(check(&tokens.issue(&of_registrar), NOW).is_ok());
    }

    #[test]
    fn a_refresh_token_gives_no_access() {
        let mut refresh = claims();
        refresh.kind = TokenKind::Refresh;
        let token = Tokens::new([1; 32]).issue(&refresh);
        assert_eq!(check(&token, NOW), Err(TokenError::OtherKind));
    }
}
