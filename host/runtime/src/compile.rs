//! From an instrumented module to native code, in a process that can be killed.
//!
//! Inspection bounds what a module can cost its compiler; a test holds the worst modules that we could
//! make to half of [`COMPILE_SECONDS_MAX`]. Whether a module is a plugin is decided by inspection
//! alone, which answers the same on every host. A compilation that takes longer nevertheless is this
//! host's failure ([`NotCompiled`]), never a refusal of the plugin.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use thiserror::Error;
use wasmtime::Engine;

use crate::engine;
use tabella_limits::PluginLimits;

/// How long the compilation of one plugin may take.
pub const COMPILE_SECONDS_MAX: u64 = 60;

/// Address space of the process that compiles a plugin.
pub const COMPILE_MEMORY_BYTES_MAX: u64 = 2 << 30;

/// The largest module is 256 KiB, and native code is some ten times as large.
const ARTIFACT_BYTES_MAX: u64 = 64 << 20;

/// What of a compiler's complaint is passed on.
const COMPLAINT_BYTES_MAX: u64 = 4 << 10;

/// Who compiles plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// This process: for tools and tests, where a slow compilation harms nobody else.
    InProcess,
    /// A process of its own for each plugin, killed when it takes too long.
    Child(CompilerProcess),
}

/// The compiler of every runtime of this process that is not given another.
static OF_THIS_PROCESS: OnceLock<CompilerProcess> = OnceLock::new();

impl Compiler {
    /// Makes every runtime of this process start `process` for its compilations. A binary that can
    /// be started as a compiler calls this first of all; later calls change nothing.
    pub fn use_in_this_process(process: CompilerProcess) {
        OF_THIS_PROCESS.get_or_init(|| process);
    }

    /// The compiler of runtimes that are not given another: this process, unless told otherwise.
    pub fn of_this_process() -> Self {
        let process = OF_THIS_PROCESS.get().cloned();
        process.map_or(Self::InProcess, Self::Child)
    }

    pub(crate) fn compile(
        &self,
        engine: &Engine,
        limits: &PluginLimits,
        instrumented: &[u8],
    ) -> Result<Vec<u8>, NotCompiled> {
        match self {
            Self::InProcess => precompile(engine, instrumented),
            Self::Child(process) => process.compile(limits, instrumented),
        }
    }
}

/// A program that calls [`compile_for_parent`] when it is started with these arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProcess {
    /// The program; of the same build as this one, or it makes what this one does not load.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// After which it is killed.
    pub time_max: Duration,
}

impl CompilerProcess {
    /// This very program, even where its file was replaced meanwhile.
    pub fn this_program(arguments: impl IntoIterator<Item = OsString>) -> std::io::Result<Self> {
        let program = match cfg!(target_os = "linux") {
            true => PathBuf::from("/proc/self/exe"),
            false => std::env::current_exe()?,
        };
        Ok(Self {
            program,
            arguments: arguments.into_iter().collect(),
            time_max: Duration::from_secs(COMPILE_SECONDS_MAX),
        })
    }

    fn compile(&self, limits: &PluginLimits, instrumented: &[u8]) -> Result<Vec<u8>, NotCompiled> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| not_compiled("its compiler does not start", error))?;
        let input = child.stdin.take().expect("the input is piped");
        let output = child.stdout.take().expect("the output is piped");
        let complaint = child.stderr.take().expect("the complaints are piped");
        let order = order(limits, instrumented);
        let (answer, answered) = mpsc::channel();
        let talk = thread::spawn(move || {
            // Whoever was killed has said nothing; an answer that nobody waits for is no loss.
            let _ = answer.send(talk(&order, input, output, complaint));
        });
        let said = answered.recv_timeout(self.time_max);
        if said.is_err() {
            // Its pipes close, and the conversation with it ends. It may have ended by itself.
            let _ = child.kill();
        }
        let status = child
            .wait()
            .map_err(|error| not_compiled("its compiler is lost", error))?;
        let talked = talk.join();
        let Ok(said) = said else {
            return Err(NotCompiled(match talked {
                Ok(()) => format!("it took more than {:?} and was stopped", self.time_max),
                Err(_) => "the conversation with its compiler failed".into(),
            }));
        };
        let (artifact, complaint) = said.map_err(|error| not_compiled("its compiler", error))?;
        match status.success() {
            true => Ok(artifact),
            false => Err(NotCompiled(format!(
                "its compiler ended with {status}: {}",
                complaint.trim()
            ))),
        }
    }
}

/// The host did not turn an accepted module into native code, for want of time, memory or processes.
///
/// Other hosts may well have done it, so a node that must run the plugin has to stop. Nothing is said
/// about the plugin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the plugin was not compiled here: {0}")]
pub struct NotCompiled(pub(crate) String);

fn not_compiled(what: &str, error: impl std::fmt::Display) -> NotCompiled {
    NotCompiled(format!("{what}: {error}"))
}

/// Compiles what a parent process orders on `input`, and writes the native code to `output`.
///
/// The caller bounds this process's memory and processor time first.
pub fn compile_for_parent(mut input: impl Read, mut output: impl Write) -> Result<(), NotCompiled> {
    let broken = |error: std::io::Error| not_compiled("its compiler was not understood", error);
    let mut order = Vec::new();
    input.read_to_end(&mut order).map_err(broken)?;
    let (limits, instrumented) = read_order(&order).map_err(broken)?;
    let engine = engine::compiling(&limits).map_err(|error| not_compiled("its compiler", error))?;
    let artifact = precompile(&engine, instrumented)?;
    output.write_all(&artifact).map_err(broken)?;
    output.flush().map_err(broken)
}

fn precompile(engine: &Engine, instrumented: &[u8]) -> Result<Vec<u8>, NotCompiled> {
    engine
        .precompile_module(instrumented)
        .map_err(|error| not_compiled("its compiler", format!("{error:#}")))
}

/// What a child is told: the length of the limits, the limits as JSON, the module.
fn order(limits: &PluginLimits, instrumented: &[u8]) -> Vec<u8> {
    let limits = serde_json::to_vec(limits).expect("plain data serialises");
    let mut order = (limits.len() as u64).to_le_bytes().to_vec();
    order.extend(limits);
    order.extend(instrumented);
    order
}

fn read_order(order: &[u8]) -> std::io::Result<(PluginLimits, &[u8])> {
    let short = || std::io::Error::other("the order is too short");
    let (len, rest) = order.split_first_chunk().ok_or_else(short)?;
    let len = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
    let (limits, instrumented) = rest.split_at_checked(len).ok_or_else(short)?;
    Ok((serde_json::from_slice(limits)?, instrumented))
}

/// Gives the order and takes what is made of it, with what is complained about.
fn talk(
    order: &[u8],
    mut input: impl Write,
    output: impl Read,
    complaint: impl Read,
) -> std::io::Result<(Vec<u8>, String)> {
    // A child that ended before it had read everything says why in its complaint and its status.
    let given = input.write_all(order);
    drop(input);
    let mut artifact = Vec::new();
    output.take(ARTIFACT_BYTES_MAX).read_to_end(&mut artifact)?;
    let mut text = Vec::new();
    complaint.take(COMPLAINT_BYTES_MAX).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    match given {
        Err(error) if artifact.is_empty() && text.is_empty() => Err(error),
        _ => Ok((artifact, text)),
    }
}
