//! Messages of peers on their way to the application. Each peer has a box of its own, bounded and emptied
//! one message at a time beside the others', so that one who sends much keeps waiting only itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_malachitebft_network::PeerId;
use bytes::Bytes;
use tabella_protocol::PublicKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{Application, Worth, parts::MESSAGE_BYTES_MAX, peers::public_key, shared::Shared};

/// Messages of one peer that wait; more are dropped.
const WAITING_MAX: usize = 256;
/// Bytes of one peer's messages that wait or are being taken.
const WAITING_BYTES_MAX: usize = 16 * MESSAGE_BYTES_MAX;

/// The boxes of all peers.
pub(crate) struct Mail {
    application: Arc<dyn Application>,
    boxes: Mutex<BTreeMap<PublicKey, PeerBox>>,
}

struct PeerBox {
    letters: mpsc::Sender<Letter>,
    room: Arc<Semaphore>,
}

struct Letter {
    message: Bytes,
    /// Freed when the message was taken.
    _room: OwnedSemaphorePermit,
}

impl Mail {
    pub(crate) fn new(application: Arc<dyn Application>) -> Self {
        Self {
            application,
            boxes: Mutex::default(),
        }
    }

    /// Lays a message into the box of a peer that may take part. Returns whether it fits.
    pub(crate) fn put(&self, shared: &Arc<Shared>, from: PeerId, message: Bytes) -> bool {
        let Some(key) = public_key(&from) else {
            return false;
        };
        let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        if !boxes.contains_key(&key) {
            // Who may not take part any more sends nothing.
            boxes.retain(|key, _| shared.allows(key));
        }
        let peer_box = boxes
            .entry(key)
            .or_insert_with(|| self.open(shared, from, key));
        let bytes = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&peer_box.room).try_acquire_many_owned(bytes) else {
            return false;
        };
        let letter = Letter {
            message,
            _room: room,
        };
        peer_box.letters.try_send(letter).is_ok()
    }

    fn open(&self, shared: &Arc<Shared>, from: PeerId, key: PublicKey) -> PeerBox {
        let (letters, received) = mpsc::channel(WAITING_MAX);
        let application = self.application.clone();
        shared.spawn(deliver(application, shared.clone(), from, key, received));
        PeerBox {
            letters,
            room: Arc::new(Semaphore::new(WAITING_BYTES_MAX)),
        }
    }
}

/// Gives the application the messages of one peer, one by one.
async fn deliver(
    application: Arc<dyn Application>,
    shared: Arc<Shared>,
    from: PeerId,
    key: PublicKey,
    mut received: mpsc::Receiver<Letter>,
) -> Result<(), crate::Fatal> {
    while let Some(Some(letter)) = shared.stop.run_until_cancelled(received.recv()).await {
        if application.message(key, letter.message).await == Worth::Garbage {
            shared.refuse(&from, &"a message that no honest peer sends");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tabella_protocol::SigningKey;
    use tracing::Span;

    use super::*;
    use crate::{peers::peer_id, testing::Listener};

    fn key(n: u8) -> PublicKey {
        SigningKey::from_seed([n; 32]).public()
    }

    fn shared() -> Arc<Shared> {
        let (shared, _) = Shared::new(([127, 0, 0, 1], 0).into(), Span::none());
        let shared = Arc::new(shared);
        shared.set_allowed([key(1), key(2)].into());
        shared
    }

    async fn until(listener: &Listener, count: usize) {
        let wait = async {
            while listener.messages.lock().unwrap().len() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        waited.expect("the messages are taken");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_whose_messages_take_long_keeps_waiting_only_itself() {
        let (shared, listener) = (shared(), Arc::new(Listener::new(Some(key(1)))));
        let mail = Mail::new(listener.clone());
        let put = |n, bytes: &'static [u8]| {
            mail.put(&shared, peer_id(&key(n)), Bytes::from_static(bytes))
        };
        let fitting = (0..10 * WAITING_MAX).filter(|_| put(1, b"flood")).count();
        assert_eq!(fitting, WAITING_MAX, "a box has its bound");
        for _ in 0..10 {
            assert!(put(2, b"honest"));
        }
        until(&listener, 10).await;
        let taken = listener.messages.lock().unwrap().clone();
        assert!(taken.iter().all(|(from, _)| *from == key(2)));
        listener.permits.add_permits(WAITING_MAX);
        until(&listener, 10 + WAITING_MAX).await;
        assert!(put(1, b"once more"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_box_is_bounded_by_its_bytes_too() {
        let (shared, listener) = (shared(), Arc::new(Listener::new(Some(key(1)))));
        let mail = Mail::new(listener.clone());
        let long = Bytes::from(vec![7; MESSAGE_BYTES_MAX]);
        let fitting = (0..WAITING_MAX)
            .filter(|_| mail.put(&shared, peer_id(&key(1)), long.clone()))
            .count();
        assert_eq!(fitting, WAITING_BYTES_MAX / MESSAGE_BYTES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_is_counted_against_its_sender() {
        let (shared, listener) = (shared(), Arc::new(Listener::new(None)));
        let mail = Mail::new(listener.clone());
        mail.put(&shared, peer_id(&key(1)), Bytes::new());
        mail.put(&shared, peer_id(&key(2)), Bytes::from_static(b"sound"));
        until(&listener, 2).await;
        tokio::task::yield_now().await;
        let refused = shared.take_refused();
        assert_eq!(
            refused.into_iter().collect::<Vec<_>>(),
            [(peer_id(&key(1)), 1)]
        );
    }
}
