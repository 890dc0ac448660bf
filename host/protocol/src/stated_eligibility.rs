//! Who may vote, as an election's author states it: in a file, or in a request.

use serde::{Deserialize, Serialize};

use crate::{Eligibility, OpenTo, PublicKey, RollChanges};

/// The kinds of [`Eligibility`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EligibilityKind {
    /// Voters whom the registrar names.
    Registrar,
    /// Those on the registrar's roll.
    RegistrarRoll,
    /// Keys on a roll, which sign themselves.
    Credentials,
}

/// Who may vote, with what an author may leave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatedEligibility {
    /// The voters whom the registrar names, where left out.
    pub kind: Option<EligibilityKind>,
    /// Whom an election without a roll is open to beside them: nobody, where left out.
    pub open_to: Option<OpenTo>,
    /// Until when the roll may grow: until the election opens, where left out.
    pub roll: Option<RollChanges>,
}

/// Why a statement comes to no [`Eligibility`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatedEligibilityError {
    /// Openness is stated of an election with a roll.
    #[error("expected open_to only without a roll: who stands on the roll may vote")]
    OpenTo,
    /// A roll's changes are stated of an election without one.
    #[error("expected roll only in an election that has one")]
    Roll,
    /// A registrar signs the ballots, and none is known.
    #[error("expected the public key of the registrar that signs this election's ballots")]
    NoRegistrar,
}

impl StatedEligibility {
    /// Returns what the chain is told. No account votes unless the author says so, and no roll grows once
    /// voting has begun unless the author says so.
    pub fn eligibility(
        self,
        registrar: Option<PublicKey>,
    ) -> Result<Eligibility, StatedEligibilityError> {
        let kind = self.kind.unwrap_or(EligibilityKind::Registrar);
        let has_roll = kind != EligibilityKind::Registrar;
        if has_roll && self.open_to.is_some() {
            return Err(StatedEligibilityError::OpenTo);
        }
        if !has_roll && self.roll.is_some() {
            return Err(StatedEligibilityError::Roll);
        }
        let registrar = registrar.ok_or(StatedEligibilityError::NoRegistrar);
        let roll = self.roll.unwrap_or(RollChanges::Fixed);
        Ok(match kind {
            EligibilityKind::Registrar => Eligibility::Registrar {
                registrar: registrar?,
                open_to: self.open_to.unwrap_or(OpenTo::Named),
            },
            EligibilityKind::RegistrarRoll => Eligibility::RegistrarRoll {
                registrar: registrar?,
                roll,
            },
            EligibilityKind::Credentials => Eligibility::Credentials { roll },
        })
    }
}
