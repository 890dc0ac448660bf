//! Who may vote in an election, who signs for them, and until when the roll may grow.

use std::io::{Error, ErrorKind, Read, Result, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::PublicKey;

/// Who may vote, and who signs for them.
///
/// On the chain a value of before [`OpenTo`] and [`RollChanges`] has the bytes that it always had, and
/// means what it meant: see the codec below.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Eligibility {
    /// The registrar authenticates voters and casts for each under a pseudonym.
    Registrar {
        /// The key that signs the ballots.
        registrar: PublicKey,
        /// Whom the registrar admits; the voters that it names itself, where absent.
        #[serde(default, skip_serializing_if = "OpenTo::is_named")]
        open_to: OpenTo,
    },
    /// As `Registrar`, but only pseudonyms on the election's roll may vote.
    RegistrarRoll {
        /// The key that signs the ballots.
        registrar: PublicKey,
        /// Until when the roll may grow; until the close, where absent.
        #[serde(default, skip_serializing_if = "RollChanges::is_grows")]
        roll: RollChanges,
    },
    /// Voters hold keys; the keys are the roll, and each signs its own ballot.
    Credentials {
        /// Until when the roll may grow; until the close, where absent.
        #[serde(default, skip_serializing_if = "RollChanges::is_grows")]
        roll: RollChanges,
    },
}

/// Whom the registrar of an election without a roll admits. The chain cannot check it: it is the
/// election's own word, which the registrar's backend keeps.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenTo {
    /// The voters that the registrar names, and nobody else.
    #[default]
    Named,
    /// Whoever has an account at the registrar's backend as well.
    Accounts,
}

impl OpenTo {
    fn is_named(&self) -> bool {
        *self == Self::Named
    }
}

/// Until when voters may be added to a roll.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollChanges {
    /// Until the election opens. Who may vote is then known to everybody before the first ballot.
    Fixed,
    /// Until the election closes.
    #[default]
    Grows,
}

impl RollChanges {
    fn is_grows(&self) -> bool {
        *self == Self::Grows
    }
}

impl Eligibility {
    /// The key that casts for the voters, where one does.
    pub fn registrar(&self) -> Option<&PublicKey> {
        match self {
            Self::Registrar { registrar, .. } | Self::RegistrarRoll { registrar, .. } => {
                Some(registrar)
            }
            Self::Credentials { .. } => None,
        }
    }

    /// Until when the roll may grow; nothing where there is no roll.
    pub fn roll(&self) -> Option<RollChanges> {
        match self {
            Self::Registrar { .. } => None,
            Self::RegistrarRoll { roll, .. } | Self::Credentials { roll } => Some(*roll),
        }
    }
}

/// The first byte of each form. The first three are those of the version without [`OpenTo`] and
/// [`RollChanges`]: rolls grew, and registrars named their voters.
mod form {
    pub(super) const REGISTRAR: u8 = 0;
    pub(super) const ROLL_THAT_GROWS: u8 = 1;
    pub(super) const CREDENTIALS_THAT_GROW: u8 = 2;
    pub(super) const REGISTRAR_AND_ACCOUNTS: u8 = 3;
    pub(super) const FIXED_ROLL: u8 = 4;
    pub(super) const FIXED_CREDENTIALS: u8 = 5;
}

impl BorshSerialize for Eligibility {
    fn serialize<W: Write>(&self, writer: &mut W) -> Result<()> {
        let form = match self {
            Self::Registrar { open_to, .. } => match open_to {
                OpenTo::Named => form::REGISTRAR,
                OpenTo::Accounts => form::REGISTRAR_AND_ACCOUNTS,
            },
            Self::RegistrarRoll { roll, .. } => match roll {
                RollChanges::Grows => form::ROLL_THAT_GROWS,
                RollChanges::Fixed => form::FIXED_ROLL,
            },
            Self::Credentials { roll } => match roll {
                RollChanges::Grows => form::CREDENTIALS_THAT_GROW,
                RollChanges::Fixed => form::FIXED_CREDENTIALS,
            },
        };
        BorshSerialize::serialize(&form, writer)?;
        match self.registrar() {
            Some(registrar) => BorshSerialize::serialize(registrar, writer),
            None => Ok(()),
        }
    }
}

impl BorshDeserialize for Eligibility {
    fn deserialize_reader<R: Read>(reader: &mut R) -> Result<Self> {
        let form = u8::deserialize_reader(reader)?;
        let mut registrar = || PublicKey::deserialize_reader(reader);
        Ok(match form {
            form::REGISTRAR => Self::Registrar {
                registrar: registrar()?,
                open_to: OpenTo::Named,
            },
            form::REGISTRAR_AND_ACCOUNTS => Self::Registrar {
                registrar: registrar()?,
                open_to: OpenTo::Accounts,
            },
            form::ROLL_THAT_GROWS => Self::RegistrarRoll {
                registrar: registrar()?,
                roll: RollChanges::Grows,
            },
            form::FIXED_ROLL => Self::RegistrarRoll {
                registrar: registrar()?,
                roll: RollChanges::Fixed,
            },
            form::CREDENTIALS_THAT_GROW => Self::Credentials {
                roll: RollChanges::Grows,
            },
            form::FIXED_CREDENTIALS => Self::Credentials {
                roll: RollChanges::Fixed,
            },
            other => {
                let reason = format!("expected an eligibility of form 0 to 5, got {other}");
                return Err(Error::new(ErrorKind::InvalidData, reason));
            }
        })
    }
}
