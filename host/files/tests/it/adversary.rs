//! Others on the machine who may read a secret.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use tabella_files::{SecretError, read_key, read_long_secret, read_secret};

#[test]
fn a_secret_that_anybody_but_its_owner_may_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    fs::write(&path, format!("0x{}\n", "ab".repeat(32))).unwrap();
    for mode in 0..=0o777 {
        // Not even root could tell what it holds from its owner's missing permission.
        let mode = mode | 0o400;
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let is_private = mode & 0o077 == 0;
        let read = [
            read_secret(&path).map(drop),
            read_long_secret(&path).map(drop),
            read_key(&path).map(drop),
        ];
        for answer in read {
            match answer {
                Ok(()) => assert!(is_private, "mode {mode:o} was accepted"),
                Err(error @ SecretError::Exposed { .. }) => {
                    assert!(!is_private, "mode {mode:o} was refused");
                    let told = error.to_string();
                    let help = format!("chmod 600 {}", path.display());
                    assert!(told.contains(&help), "{told}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
