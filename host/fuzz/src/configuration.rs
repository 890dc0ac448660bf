//! JSON as the options and parameters of a contest.

use std::sync::OnceLock;

use serde_json::{Value, json};
use tabella_contest::ContestConfig;
use tabella_plugin_tools::sample;
use tabella_runtime::{Compiler, ConfigError, FaultKind, Plugin, Runtime, RuntimeConfig, Verdict};

fn plugins() -> &'static [Plugin] {
    static PLUGINS: OnceLock<Vec<Plugin>> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let runtime = Runtime::new(RuntimeConfig {
            compiler: Compiler::InProcess,
            ..RuntimeConfig::default()
        });
        let runtime = runtime.expect("the sandbox starts");
        let load = |rule: &tabella_plugins::Builtin| runtime.load(rule.wasm).expect("it loads");
        tabella_plugins::all().iter().map(load).collect()
    })
}

pub(crate) fn start() {
    plugins();
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = |(number, plugin): (u8, &Plugin)| {
        let config = sample::built_in(&plugin.manifest().name);
        let text = json!({"options": config.options, "params": config.params}).to_string();
        [&[number], text.as_bytes()].concat()
    };
    (0..).zip(plugins()).map(seed).collect()
}

/// The first byte chooses the rule.
pub(crate) fn take(input: &[u8]) {
    let Some((rule, text)) = input.split_first() else {
        return;
    };
    let plugins = plugins();
    let plugin = &plugins[usize::from(*rule) % plugins.len()];
    let name = &plugin.manifest().name;
    let Ok(config) = serde_json::from_slice::<ContestConfig>(text) else {
        return;
    };
    let contest = match plugin.contest(&config) {
        Ok(contest) => contest,
        Err(ConfigError::Host(fault)) => panic!("{fault}"),
        Err(ConfigError::Fault(fault)) if fault.kind == FaultKind::Trap => {
            panic!("{name}: {fault}")
        }
        Err(_) => return,
    };
    assert!(contest.ballot_schema() != Value::Null);
    match contest.validate(&[]) {
        Ok(Verdict::Fault(fault)) => panic!("{name}: {fault}"),
        Ok(Verdict::Accept | Verdict::Reject { .. }) => {}
        Err(fault) => panic!("{fault}"),
    }
}
