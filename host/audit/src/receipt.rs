//! A voter's receipt.

use std::path::Path;

use serde::Serialize;
use tabella_protocol::{Genesis, Hash, ReceiptError, ReceiptSummary};
use tabella_receipt::NotAReceipt;

use crate::{
    choice::{self, Choice, ChoiceError},
    receipt_nonce::{self, NonceError},
};

/// A receipt that holds.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// What it proves.
    #[serde(flatten)]
    pub summary: ReceiptSummary,
    /// Whether it is of the choice given; absent where none was.
    #[serde(rename = "of_this_choice", skip_serializing_if = "Option::is_none")]
    pub choice: Option<OfChoice>,
}

/// Whether a receipt is of the choice given; one that is of another does not hold. As JSON `true`, or
/// `null` where nobody can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "Option<bool>")]
pub enum OfChoice {
    /// It is.
    Yes,
    /// Nobody can say without this rule of the election, which is neither built in nor at hand.
    RuleMissing(Hash),
}

impl From<OfChoice> for Option<bool> {
    fn from(of: OfChoice) -> Self {
        match of {
            OfChoice::Yes => Some(true),
            OfChoice::RuleMissing(_) => None,
        }
    }
}

/// What a voter knows of the ballot that a receipt should be of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// What was chosen.
    pub choice: Option<Choice<'a>>,
    /// The random number that the voter sent, and a file with the ballot's transaction as hex.
    pub nonce: Option<(u64, &'a Path)>,
}

/// Why a receipt does not hold, or is not what the voter expects.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is another file, or a damaged one.
    #[error(transparent)]
    NotAReceipt(#[from] NotAReceipt),
    /// It proves nothing.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// It cannot be said whether it is of the choice.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// It is of another choice.
    #[error(
        "the receipt holds, but it is of another choice: its ballot hash {0} is not that of the \
         ballot given. Somebody changed the ballot on its way; keep this receipt and report it"
    )]
    OtherChoice(Hash),
    /// It is not this voter's, or that cannot be said.
    #[error(transparent)]
    Nonce(#[from] NonceError),
}

/// Checks the bytes of a receipt, which must be of the network of `genesis`.
pub fn check(
    bytes: &[u8],
    genesis: &Genesis,
    expected: &Expected<'_>,
) -> Result<Checked, CheckError> {
    let receipt = tabella_receipt::read(bytes)?;
    let summary = receipt.verify(genesis)?;
    let of_choice = expected
        .choice
        .map(|choice| choice::is_of(&receipt, &choice, genesis));
    let choice = match of_choice {
        None => None,
        Some(Ok(true)) => Some(OfChoice::Yes),
        Some(Ok(false)) => return Err(CheckError::OtherChoice(summary.ballot_hash)),
        Some(Err(ChoiceError::RuleMissing(rule))) => Some(OfChoice::RuleMissing(rule)),
        Some(Err(error)) => return Err(error.into()),
    };
    if let Some((nonce, transaction)) = expected.nonce {
        receipt_nonce::check(summary.transaction_id, transaction, nonce)?;
    }
    Ok(Checked { summary, choice })
}
