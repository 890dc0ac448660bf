//! Who may vote, as it stands on the chain: what was written before means what it meant.

use borsh::BorshSerialize;
use serde_json::json;
use tabella_protocol::{Eligibility, OpenTo, PublicKey, RollChanges, codec};

const REGISTRAR: PublicKey = PublicKey([7; 32]);

/// As chains of before `OpenTo` and `RollChanges` wrote it.
#[derive(BorshSerialize)]
enum Before {
    Registrar { registrar: PublicKey },
    RegistrarRoll { registrar: PublicKey },
    Credentials,
}

fn registrar(open_to: OpenTo) -> Eligibility {
    Eligibility::Registrar {
        registrar: REGISTRAR,
        open_to,
    }
}

fn roll(roll: RollChanges) -> Eligibility {
    Eligibility::RegistrarRoll {
        registrar: REGISTRAR,
        roll,
    }
}

#[test]
fn chains_of_before_have_the_bytes_and_the_meaning_that_they_had() {
    let registrar_key = REGISTRAR;
    for (before, now, text) in [
        (
            Before::Registrar {
                registrar: registrar_key,
            },
            registrar(OpenTo::Named),
            json!({"kind": "registrar", "registrar": REGISTRAR}),
        ),
        (
            Before::RegistrarRoll {
                registrar: registrar_key,
            },
            roll(RollChanges::Grows),
            json!({"kind": "registrar_roll", "registrar": REGISTRAR}),
        ),
        (
            Before::Credentials,
            Eligibility::Credentials {
                roll: RollChanges::Grows,
            },
            json!({"kind": "credentials"}),
        ),
    ] {
        let bytes = codec::encode(&before);
        assert_eq!(codec::encode(&now), bytes);
        assert_eq!(codec::decode::<Eligibility>(&bytes, 64).unwrap(), now);
        assert_eq!(serde_json::to_value(&now).unwrap(), text);
        assert_eq!(serde_json::from_value::<Eligibility>(text).unwrap(), now);
    }
}

#[test]
fn every_form_reads_back_and_no_other_byte_is_one() {
    let forms = [
        registrar(OpenTo::Accounts),
        roll(RollChanges::Fixed),
        Eligibility::Credentials {
            roll: RollChanges::Fixed,
        },
    ];
    for form in forms {
        let bytes = codec::encode(&form);
        assert_eq!(codec::decode::<Eligibility>(&bytes, 64).unwrap(), form);
        let text = serde_json::to_string(&form).unwrap();
        assert_eq!(serde_json::from_str::<Eligibility>(&text).unwrap(), form);
    }
    for form in 6..=255u8 {
        let bytes = [[form].as_slice(), &REGISTRAR.0].concat();
        assert!(codec::decode::<Eligibility>(&bytes, 64).is_err());
    }
}
