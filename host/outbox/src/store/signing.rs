//! Ballots of one group are signed together, just before they become durable.

use std::sync::Arc;

use tabella_protocol::{SigningKey, Transaction, TransactionBody, sign_together};
use tokio::sync::oneshot;

use super::{
    NewSubmission, Recorded,
    write::{Reply, Write},
};

/// What waits for the writer.
pub(super) enum Queued {
    Write(Write),
    /// A ballot that is signed with the others of its group, and recorded.
    ToSign(ToSign),
    /// End the writer.
    Stop(oneshot::Sender<()>),
}

/// A ballot to be signed.
pub(super) struct ToSign {
    pub(super) body: TransactionBody,
    /// The one registrar for whom this backend signs.
    pub(super) registrar: Arc<SigningKey>,
    pub(super) then: Signed,
}

/// What is done with a ballot once it is signed.
pub(super) struct Signed {
    /// Returns what is recorded of it.
    pub(super) describe: Box<dyn FnOnce(&Transaction) -> NewSubmission + Send>,
    /// Who waits for it.
    pub(super) transaction: oneshot::Sender<Transaction>,
    pub(super) reply: Reply<Recorded>,
}

/// Signs the ballots of a group. Returns its writes in the order in which they came, up to the end of the writer
/// where that is among them; what came after it is dropped, and so fails.
pub(super) fn sign(group: Vec<Queued>) -> (Vec<Write>, Option<oneshot::Sender<()>>) {
    let (mut bodies, mut registrar, mut stop) = (Vec::new(), None, None);
    let mut writes = Vec::with_capacity(group.len());
    for queued in group {
        match queued {
            Queued::Write(write) => writes.push(Ok(write)),
            Queued::ToSign(ballot) => {
                bodies.push(ballot.body);
                registrar = Some(ballot.registrar);
                writes.push(Err(ballot.then));
            }
            Queued::Stop(reply) => {
                stop = Some(reply);
                break;
            }
        }
    }
    let signed = registrar.map(|registrar| sign_together(bodies, &registrar));
    let mut signed = signed.into_iter().flatten();
    let writes = writes.into_iter().map(|write| {
        write.unwrap_or_else(|then| {
            let transaction = signed.next().expect("each ballot is signed");
            let submission = (then.describe)(&transaction);
            // Who asked may have gone.
            let _ = then.transaction.send(transaction);
            Write::Record {
                submission,
                reply: then.reply,
            }
        })
    });
    (writes.collect(), stop)
}
