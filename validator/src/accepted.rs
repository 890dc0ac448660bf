//! `accept_missing_wal` is an operator's word about one start. A configuration that goes on saying it must not
//! excuse a log, or a disk, that is lost later.

use std::{fs::File, io, path::Path};

use crate::{Config, observe};

/// Stands in the data directory from the start on that the operator's word was about.
const MARK: &str = "accepted-missing-wal";

/// Takes back the operator's word where it was used up, or where there is nothing that it could be about: a
/// directory that is empty, and that no operator called lost.
pub(crate) fn once(config: &mut Config, height: u64) -> io::Result<()> {
    let data = config.data.as_path();
    let mark = data.join(MARK);
    if !config.accept_missing_wal {
        if mark.exists() {
            std::fs::remove_file(&mark)?;
            File::open(data)?.sync_all()?;
        }
        return Ok(());
    }
    if mark.exists() {
        tracing::warn!(
            mark = %mark.display(),
            "accept_missing_wal was for one start, which has been, and does not hold any more: take it out \
             of the configuration"
        );
        config.accept_missing_wal = false;
    } else if height == 0 && !observe::is_restored(data) {
        tracing::warn!(
            data = %data.display(),
            "accept_missing_wal does not hold for a data directory without a chain: after a loss, empty it \
             and run `tabella restore --config FILE --lost` first; for a key that has never signed, run \
             `tabella validator --config FILE --first-start`"
        );
        // The chain that comes now is no reason to believe it at the next start.
        use_up(data)?;
        config.accept_missing_wal = false;
    }
    Ok(())
}

/// Notes that the start has come that the operator's word is about.
pub(crate) fn use_up(data: &Path) -> io::Result<()> {
    File::create(data.join(MARK))?.sync_all()?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tabella_protocol::{Hash, SigningKey};
    use tempfile::TempDir;

    use super::*;
    use crate::backup;

    fn config(data: &Path) -> Config {
        serde_json::from_value(json!({
            "genesis": "genesis.json",
            "key": "validator.key",
            "data": data,
            "rpc_url": "http://127.0.0.1:8001",
            "p2p_address": "127.0.0.1:30303",
            "accept_missing_wal": true,
        }))
        .expect("a configuration")
    }

    fn is_accepted(data: &Path, height: u64) -> bool {
        let mut config = config(data);
        once(&mut config, height).unwrap();
        config.accept_missing_wal
    }

    #[test]
    fn the_operators_word_holds_for_one_start_until_it_is_taken_back() {
        let data = TempDir::new().unwrap();
        let data = data.path();
        assert!(is_accepted(data, 7));
        assert!(is_accepted(data, 7), "the start has not come yet");
        use_up(data).unwrap();
        assert!(!is_accepted(data, 8));
        // Without it in between, it can be said again.
        let mut silent = Config {
            accept_missing_wal: false,
            ..config(data)
        };
        once(&mut silent, 9).unwrap();
        assert!(is_accepted(data, 9));
    }

    #[test]
    fn it_excuses_no_disk_that_was_lost_later() {
        let data = TempDir::new().unwrap();
        let data = data.path();
        assert!(!is_accepted(data, 0));
        assert!(!is_accepted(data, 7), "with the chain that came meanwhile");
        let data = TempDir::new().unwrap();
        let data = data.path();
        let own = SigningKey::from_seed([1; 32]).public();
        backup::mark(data, Hash::ZERO, own).unwrap();
        assert!(is_accepted(data, 0), "an operator called it lost");
    }
}
