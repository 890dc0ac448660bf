//! `publish-plugin`: store a rule under the hash of its bytes.

use tabella_protocol::{Hash, rpc::RefusalCode};

use super::Draft;
use crate::{Refusal, Vetted, vet::Prepared};

impl Draft<'_> {
    pub(super) fn publish_plugin(&mut self, wasm: &[u8], vetted: &Vetted) -> Result<(), Refusal> {
        let hash = Hash::of(wasm);
        if self.state.plugins.contains_key(&hash) {
            let message = format!("plugin {hash} is published already; use it by this hash");
            return Err(Refusal::new(RefusalCode::AlreadyPublished, message));
        }
        let Prepared::Plugin(plugin) = &vetted.prepared else {
            return Err(Refusal::new(
                RefusalCode::PluginRefused,
                "the plugin was not vetted",
            ));
        };
        self.add_plugin(hash, plugin.clone(), wasm);
        Ok(())
    }
}
