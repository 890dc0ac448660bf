//! What is read and what is refused.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use tabella_files::{
    GENESIS_BYTES_MAX, GenesisFileError, SECRET_BYTES_MAX, SecretError, read_genesis, read_key,
    read_long_secret, read_secret, write_key, write_secret,
};
use tabella_protocol::SigningKey;

/// Writes `content` to a private file and passes its path on.
fn with<T>(content: &str, read: impl FnOnce(&Path) -> T) -> T {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    read(&path)
}

#[test]
fn what_was_written_is_read_and_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let key = SigningKey::from_seed([7; 32]);
    write_key(&path, &key).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(read_key(&path).unwrap().to_seed(), key.to_seed());
    let refused = write_secret(&path, "another").unwrap_err().to_string();
    assert!(refused.contains("cannot be written"), "{refused}");
    assert_eq!(read_key(&path).unwrap().to_seed(), key.to_seed());
}

#[test]
fn a_secret_is_one_line() {
    let long = "0123456789abcdef0123456789abcdef";
    assert_eq!(with(&format!("{long}\n"), read_secret).unwrap(), long);
    assert_eq!(with(long, read_long_secret).unwrap(), long);
    assert_eq!(with("short\n", read_secret).unwrap(), "short");
    let endless = "a".repeat(usize::try_from(SECRET_BYTES_MAX).unwrap() + 1);
    for content in ["", "\n", " ", "two\nlines", &endless] {
        let refused = with(content, read_secret);
        assert!(matches!(refused, Err(SecretError::Malformed { .. })));
    }
    let refused = with("short", read_long_secret);
    assert!(matches!(refused, Err(SecretError::Malformed { .. })));
}

#[test]
fn a_key_is_read_strictly_and_never_repeated() {
    let digits = "ab".repeat(32);
    assert!(with(&format!("0x{digits}\n"), read_key).is_ok());
    for content in [
        digits.clone(),
        format!("0X{digits}"),
        format!("0x{}", digits.to_uppercase()),
        format!("0x{}", &digits[2..]),
        format!("0x{digits}00"),
        format!("0x0x{digits}"),
    ] {
        let refused = with(&content, read_key).unwrap_err().to_string();
        assert!(refused.contains("keys generate"), "{refused}");
        assert!(!refused.contains("abab"), "{refused}");
    }
}

#[test]
fn a_genesis_that_cannot_be_used_is_named() {
    let missing = read_genesis(Path::new("/nowhere/genesis.json"));
    let refused = missing.unwrap_err().to_string();
    assert!(refused.contains("/nowhere/genesis.json"), "{refused}");
    let refused = with("{}", read_genesis);
    assert!(matches!(refused, Err(GenesisFileError::Malformed { .. })));
    let endless = " ".repeat(usize::try_from(GENESIS_BYTES_MAX).unwrap() + 1);
    let refused = with(&endless, read_genesis);
    assert!(matches!(refused, Err(GenesisFileError::TooLong { .. })));
}
