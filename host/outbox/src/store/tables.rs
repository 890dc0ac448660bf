//! The database's tables.

use redb::{
    MultimapTableDefinition, ReadableMultimapTable, ReadableTable, TableDefinition, TableError,
    WriteTransaction,
};
use tabella_protocol::VoterId;

/// Small facts by name: see the `META_` names.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Submissions by sequence.
pub(super) const SUBMISSIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("submissions");
/// Sequence by the id that a client chose, from the time when one id stood for one voter's submission.
/// It is read and no longer written.
pub(super) const EARLIER_CLIENT_IDS: TableDefinition<'_, &str, u64> =
    TableDefinition::new("client_ids");
/// Sequence by voter and the id that its client chose.
pub(super) const CLIENT_IDS: TableDefinition<'_, (&[u8; 32], &str), u64> =
    TableDefinition::new("voter_client_ids");
/// Sequences of registrars' voters by the ids that clients chose.
pub(super) const REGISTRAR_CLIENT_IDS: MultimapTableDefinition<'_, &str, u64> =
    MultimapTableDefinition::new("registrar_client_ids");
/// Sequence by transaction id; a submission that was signed again has several.
pub(super) const TRANSACTIONS: TableDefinition<'_, &[u8; 32], u64> =
    TableDefinition::new("transactions");
/// Sequences of a voter's ballots in an election that were not rejected; the last one stands.
pub(super) const VOTERS: MultimapTableDefinition<'_, (u64, &[u8; 32]), u64> =
    MultimapTableDefinition::new("voter_ballots");
/// The highest number that a voter's ballots in an election were given here, however they ended.
pub(super) const NUMBERS: TableDefinition<'_, (u64, &[u8; 32]), u64> =
    TableDefinition::new("ballot_numbers");
/// Sequences of submissions that are neither confirmed nor rejected.
pub(super) const OPEN: TableDefinition<'_, u64, ()> = TableDefinition::new("open");
/// Elections as an earlier version saw them: a migration reads the greatest id.
pub(super) const ELECTIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("elections");
/// Elections that are being closed, or are closed, and how: see `Closing`.
pub(super) const CLOSINGS: TableDefinition<'_, u64, u8> = TableDefinition::new("closings");
/// The height until which a close that was signed elsewhere may be on its way, by election.
pub(super) const SIGNED_CLOSES: TableDefinition<'_, u64, u64> =
    TableDefinition::new("signed_closes");
/// Accounts by name.
pub(super) const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
/// Sessions by id, which begins with the time at which they expire.
pub(super) const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");

/// The version of this layout.
pub(super) const META_VERSION: &str = "version";
/// The newest block whose confirmations are recorded.
pub(super) const META_MARK: &str = "mark";
/// Whose the database is: an encoded `Identity`. Absent in databases of before it was kept, until they are opened.
pub(super) const META_IDENTITY: &str = "identity";
/// What was there before version 3: an encoded `Earlier`. Absent in databases that began with it.
pub(super) const META_EARLIER: &str = "earlier";
/// What `META_VERSION` holds. Since 3, ids that clients choose are names within their voters, and accounts
/// are not registrars' voters.
pub(super) const VERSION: &[u8] = &[3];
/// The version that is brought up to date where it is found.
pub(super) const VERSION_BEFORE: &[u8] = &[2];

/// Creates what is missing, so that readers find every table.
pub(super) fn create(write: &WriteTransaction) -> Result<(), TableError> {
    write.open_table(META)?;
    write.open_table(SUBMISSIONS)?;
    write.open_table(EARLIER_CLIENT_IDS)?;
    write.open_table(CLIENT_IDS)?;
    write.open_multimap_table(REGISTRAR_CLIENT_IDS)?;
    write.open_table(TRANSACTIONS)?;
    write.open_multimap_table(VOTERS)?;
    write.open_table(NUMBERS)?;
    write.open_table(OPEN)?;
    write.open_table(CLOSINGS)?;
    write.open_table(SIGNED_CLOSES)?;
    write.open_table(ACCOUNTS)?;
    write.open_table(SESSIONS)?;
    Ok(())
}

/// The sequence that follows the last one used.
pub(super) fn next_sequence(
    submissions: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<u64, redb::StorageError> {
    Ok(submissions
        .last()?
        .map_or(0, |(sequence, _)| sequence.value() + 1))
}

/// The sequence of a voter's standing ballot in an election.
pub(super) fn standing(
    voters: &impl ReadableMultimapTable<(u64, &'static [u8; 32]), u64>,
    election_id: u64,
    voter: &VoterId,
) -> Result<Option<u64>, redb::StorageError> {
    let last = voters.get((election_id, &voter.0))?.next_back();
    Ok(last.transpose()?.map(|sequence| sequence.value()))
}
