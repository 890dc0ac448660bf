//! Watches the engine's actors and turns their failures into the end of the node.
//!
//! The engine's own supervisor keeps the process alive, but mute, after a failed write to the log.
//! A node that cannot take part must stop loudly instead.

use std::sync::Arc;

use arc_malachitebft_engine::node::{NodeMsg, NodeRef};
use arc_malachitebft_metrics::Metrics;
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, SpawnErr, SupervisionEvent};

use crate::{RunError, shared::Shared};

pub(crate) struct Supervisor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) metrics: Metrics,
}

impl Supervisor {
    pub(crate) async fn spawn(self) -> Result<NodeRef, SpawnErr> {
        Ok(Actor::spawn(None, self, ()).await?.0)
    }
}

#[async_trait]
impl Actor for Supervisor {
    type Msg = NodeMsg;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: NodeRef, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: NodeRef,
        message: NodeMsg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let NodeMsg::SafetyFailure(reason) = message;
        self.metrics.set_safety_failure();
        self.shared.fail(RunError::Safety(reason));
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: NodeRef,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let reason = match event {
            SupervisionEvent::ActorFailed(_, error) => error.to_string(),
            SupervisionEvent::ActorTerminated(_, _, reason) => {
                reason.unwrap_or_else(|| "an actor ended".into())
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        self.shared.fail(RunError::Engine(reason));
        Ok(())
    }
}
