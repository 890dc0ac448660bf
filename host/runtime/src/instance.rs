//! One instance of a plugin, and the calls of the ABI on it.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

use wasmtime::{
    Engine, Global, InstancePre, Memory, Module, ModuleExport, ResourceLimiter, Store, Trap,
    TypedFunc, Val, WasmParams, WasmResults,
};

use crate::instrument;
use crate::verdict::{Fault, FaultKind, HostFault};
use tabella_limits::PluginLimits;

/// Fuel for asking a trapped instance for its message, and the message's length. Both only reach
/// people, so they need not be the same everywhere.
const LAST_WORDS_FUEL: u64 = 100_000;
const LAST_WORDS_BYTES: u64 = 512;

/// What a module said of what it was given.
#[derive(Debug)]
pub(crate) enum Ruling<R> {
    /// It takes it.
    Accepted,
    /// It does not, for this reason.
    Refused(R),
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The plugin failed, on every host alike.
    Plugin(Fault),
    /// The host failed.
    Host(HostFault),
}

impl From<HostFault> for CallError {
    fn from(fault: HostFault) -> Self {
        Self::Host(fault)
    }
}

impl CallError {
    pub(crate) fn bad_output(message: impl Into<String>) -> Self {
        Self::Plugin(Fault {
            kind: FaultKind::BadOutput,
            message: message.into(),
        })
    }
}

/// Bounds how many instances exist at once; the pool has no room for more.
pub(crate) struct Slots {
    free: Mutex<u32>,
    freed: Condvar,
}

impl Slots {
    pub(crate) fn new(count: u32) -> Arc<Self> {
        Arc::new(Self {
            free: Mutex::new(count),
            freed: Condvar::new(),
        })
    }

    fn take(self: &Arc<Self>) -> Slot {
        let mut free = self.free.lock();
        while *free == 0 {
            self.freed.wait(&mut free);
        }
        *free -= 1;
        Slot(Arc::clone(self))
    }
}

/// The right to one instance.
struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}

/// A compiled module with its exports looked up.
pub(crate) struct Template {
    instance: InstancePre<Bounds>,
    memory: ModuleExport,
    buffer: ModuleExport,
    describe: ModuleExport,
    configure: ModuleExport,
    validate: ModuleExport,
    fold: ModuleExport,
    merge: ModuleExport,
    save: ModuleExport,
    finish: ModuleExport,
    message: ModuleExport,
    height: ModuleExport,
    globals: Vec<ModuleExport>,
    slots: Arc<Slots>,
    stack_slots: u64,
}

impl Template {
    pub(crate) fn new(
        engine: &Engine,
        module: &Module,
        slots: Arc<Slots>,
        limits: &PluginLimits,
    ) -> Result<Self, HostFault> {
        let fault = |error: wasmtime::Error| HostFault(format!("cannot link: {error:#}"));
        let export = |name: &str| {
            module
                .get_export_index(name)
                .ok_or_else(|| HostFault(format!("the compiled module has lost `{name}`")))
        };
        Ok(Self {
            instance: wasmtime::Linker::new(engine)
                .instantiate_pre(module)
                .map_err(fault)?,
            memory: export("memory")?,
            buffer: export("buffer")?,
            describe: export("describe")?,
            configure: export("configure")?,
            validate: export("validate")?,
            fold: export("fold")?,
            merge: export("merge")?,
            save: export("save")?,
            finish: export("finish")?,
            message: export("message")?,
            height: export(instrument::HEIGHT)?,
            globals: module
                .exports()
                .filter(|found| found.name().starts_with(instrument::GLOBAL_PREFIX))
                .map(|found| export(found.name()))
                .collect::<Result<_, _>>()?,
            slots,
            stack_slots: limits.stack_slots,
        })
    }
}

/// What an instance may still do.
struct Bounds {
    memory_bytes: usize,
    /// Memory was asked for beyond the limit.
    refused: bool,
    /// The last growth was within the limit, so only the system can still refuse it.
    granted: bool,
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.granted = desired <= self.memory_bytes.min(maximum.unwrap_or(usize::MAX));
        self.refused |= !self.granted;
        Ok(self.granted)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Another host may well have the memory: this one must not answer for the plugin.
        if self.granted { Err(error) } else { Ok(()) }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Only the initial size: there is no operator to grow a table.
        Ok(current == 0 || desired == current)
    }
}

/// A running plugin. Dropping it wipes its memory for the next one.
pub(crate) struct Instance {
    store: Store<Bounds>,
    instance: wasmtime::Instance,
    memory: Memory,
    template: Arc<Template>,
    fuel_used: u64,
    /// Last: the slot is free once the store is gone.
    _slot: Slot,
}

impl Instance {
    /// Of a plugin that was instantiated before.
    pub(crate) fn new(template: &Arc<Template>, memory_bytes: u64) -> Result<Self, HostFault> {
        Self::first(template, memory_bytes).map_err(|error| match error {
            CallError::Plugin(fault) => HostFault(format!("no instance this time: {fault}")),
            CallError::Host(fault) => fault,
        })
    }

    /// Of a plugin whose segments may not fit its tables and memory.
    pub(crate) fn first(template: &Arc<Template>, memory_bytes: u64) -> Result<Self, CallError> {
        let slot = template.slots.take();
        let bounds = Bounds {
            memory_bytes: usize::try_from(memory_bytes).unwrap_or(usize::MAX),
            refused: false,
            granted: false,
        };
        let mut store = Store::new(template.instance.module().engine(), bounds);
        store.limiter(|bounds| bounds);
        let fault = |error: wasmtime::Error| HostFault(format!("no instance: {error:#}"));
        // Instantiation runs no function of the plugin, but setting up its tables and memory takes fuel
        // as well. The structure of a module bounds it, and no call begins with what is left of it.
        store.set_fuel(u64::MAX).map_err(fault)?;
        let instance = template.instance.instantiate(&mut store).map_err(|error| {
            match error.downcast_ref::<Trap>() {
                Some(trap) => CallError::Plugin(Fault {
                    kind: FaultKind::Trap,
                    message: format!("its tables and memory cannot be set up: {trap}"),
                }),
                None => CallError::Host(fault(error)),
            }
        })?;
        let memory = instance
            .get_module_export(&mut store, &template.memory)
            .and_then(wasmtime::Extern::into_memory)
            .ok_or_else(|| HostFault("the instance has no memory".into()))?;
        Ok(Self {
            store,
            instance,
            memory,
            template: Arc::clone(template),
            fuel_used: 0,
            _slot: slot,
        })
    }

    /// Fuel used by all calls so far; the whole grant of a call that trapped.
    pub(crate) fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    /// Runs several calls on one grant of fuel.
    fn with_fuel<T>(
        &mut self,
        fuel: u64,
        calls: impl FnOnce(&mut Self) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let fault = |error: wasmtime::Error| HostFault(format!("no fuel: {error:#}"));
        self.store.set_fuel(fuel).map_err(fault)?;
        let result = calls(self);
        let left = match &result {
            Ok(_) => self.store.get_fuel().map_err(fault)?,
            // After a trap the rest is not exact.
            Err(_) => 0,
        };
        self.fuel_used = self.fuel_used.saturating_add(fuel.saturating_sub(left));
        result
    }

    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        export: ModuleExport,
        params: P,
    ) -> Result<R, CallError> {
        let function: TypedFunc<P, R> = self
            .instance
            .get_module_export(&mut self.store, &export)
            .and_then(wasmtime::Extern::into_func)
            .and_then(|function| function.typed(&self.store).ok())
            .ok_or_else(|| HostFault("an export has changed its type".into()))?;
        function
            .call(&mut self.store, params)
            .map_err(|error| self.failure(&error))
    }

    fn failure(&mut self, error: &wasmtime::Error) -> CallError {
        let Some(trap) = error.downcast_ref::<Trap>().copied() else {
            return CallError::Host(HostFault(format!("{error:#}")));
        };
        let (kind, message) = match trap {
            Trap::OutOfFuel => {
                let message = "it used all the fuel of the call; bound its loops, or do less";
                (FaultKind::OutOfFuel, message.to_owned())
            }
            // The height counter stops every plugin before the native stack ends, so this is not
            // the plugin's doing.
            Trap::StackOverflow => {
                return CallError::Host(HostFault("the native stack overflowed".into()));
            }
            Trap::UnreachableCodeReached if self.stack_is_full() => {
                let most = self.template.stack_slots;
                let message = format!("its calls nest deeper than {most} stack slots");
                (FaultKind::OutOfStack, message)
            }
            _ => {
                let words = self.last_words();
                let message = match (words.is_empty(), trap) {
                    (false, _) => words,
                    (true, Trap::UnreachableCodeReached) => {
                        "it executed `unreachable` and left no message".to_owned()
                    }
                    (true, trap) => format!("{trap}").replace("wasm trap: ", ""),
                };
                let refused = self.store.data().refused;
                (
                    if refused {
                        FaultKind::OutOfMemory
                    } else {
                        FaultKind::Trap
                    },
                    message,
                )
            }
        };
        CallError::Plugin(Fault { kind, message })
    }

    fn global(&mut self, export: ModuleExport) -> Option<Global> {
        self.instance
            .get_module_export(&mut self.store, &export)
            .and_then(wasmtime::Extern::into_global)
    }

    fn stack_is_full(&mut self) -> bool {
        let height = self.template.height;
        match self
            .global(height)
            .map(|height| height.get(&mut self.store))
        {
            Some(Val::I32(height)) => u64::from(height as u32) > self.template.stack_slots,
            _ => false,
        }
    }

    /// What the plugin left to say before it trapped.
    fn last_words(&mut self) -> String {
        if self.store.set_fuel(LAST_WORDS_FUEL).is_err() {
            return String::new();
        }
        let export = self.template.message;
        let function = self
            .instance
            .get_module_export(&mut self.store, &export)
            .and_then(wasmtime::Extern::into_func)
            .and_then(|function| function.typed::<(), i64>(&self.store).ok());
        let place = function.and_then(|function| function.call(&mut self.store, ()).ok());
        let bytes = place.and_then(|place| self.output("message", place, LAST_WORDS_BYTES).ok());
        bytes
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .unwrap_or_default()
    }

    /// Writes an input where the plugin wants it; returns its length.
    fn input(&mut self, bytes: &[u8]) -> Result<i32, CallError> {
        let len = i32::try_from(bytes.len())
            .map_err(|_| HostFault("an input of 2 GiB or more".into()))?;
        let address: i32 = self.call(self.template.buffer, len)?;
        let address = address as u32;
        let memory = self.memory.data_mut(&mut self.store);
        let memory_bytes = memory.len();
        let place = (address as usize)
            .checked_add(bytes.len())
            .and_then(|end| memory.get_mut(address as usize..end));
        match place {
            Some(place) => place.copy_from_slice(bytes),
            None => {
                return Err(CallError::bad_output(format!(
                    "its buffer of {len} bytes at {address} is not inside its memory of \
                     {memory_bytes} bytes"
                )));
            }
        }
        Ok(len)
    }

    /// Reads an output of at most `bytes_max` bytes; errors call it `what`.
    fn output(&self, what: &str, place: i64, bytes_max: u64) -> Result<&[u8], CallError> {
        let (address, len) = ((place as u64 >> 32) as u32, place as u32);
        if (len as i32) < 0 {
            return Err(CallError::bad_output(format!(
                "its {what} has the length {}, which is negative",
                len as i32
            )));
        }
        if u64::from(len) > bytes_max {
            return Err(CallError::bad_output(format!(
                "its {what} has {len} bytes, at most {bytes_max} allowed"
            )));
        }
        let memory = self.memory.data(&self.store);
        (address as usize)
            .checked_add(len as usize)
            .and_then(|end| memory.get(address as usize..end))
            .ok_or_else(|| {
                CallError::bad_output(format!(
                    "its {what} of {len} bytes at {address} is not inside its memory of {} bytes",
                    memory.len()
                ))
            })
    }

    fn message(&mut self, bytes_max: u64) -> Result<String, CallError> {
        let place: i64 = self.call(self.template.message, ())?;
        let bytes = self.output("message", place, bytes_max)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(CallError::bad_output(format!(
                "its message is not UTF-8 from byte {} on",
                error.valid_up_to()
            ))),
        }
    }

    pub(crate) fn describe(&mut self, limits: &PluginLimits) -> Result<Vec<u8>, CallError> {
        self.with_fuel(limits.configure_fuel, |instance| {
            let place: i64 = instance.call(instance.template.describe, ())?;
            Ok(instance
                .output("manifest", place, limits.manifest_bytes)?
                .to_vec())
        })
    }

    /// Refused with the plugin's reason.
    pub(crate) fn configure(
        &mut self,
        configuration: &[u8],
        limits: &PluginLimits,
    ) -> Result<Ruling<String>, CallError> {
        self.with_fuel(limits.configure_fuel, |instance| {
            let len = instance.input(configuration)?;
            match instance.call::<i32, i32>(instance.template.configure, len)? {
                0 => Ok(Ruling::Accepted),
                _ => Ok(Ruling::Refused(instance.message(1 << 10)?)),
            }
        })
    }

    /// Refused with the plugin's code and reason.
    pub(crate) fn validate(
        &mut self,
        ballot: &[u8],
        limits: &PluginLimits,
    ) -> Result<Ruling<(u32, String)>, CallError> {
        self.with_fuel(limits.validate_fuel, |instance| {
            let len = instance.input(ballot)?;
            match instance.call::<i32, i32>(instance.template.validate, len)? {
                0 => Ok(Ruling::Accepted),
                code => {
                    let message = instance.message(limits.message_bytes)?;
                    Ok(Ruling::Refused((code as u32, message)))
                }
            }
        })
    }

    pub(crate) fn fold(&mut self, batch: &[u8], limits: &PluginLimits) -> Result<(), CallError> {
        self.with_fuel(limits.fold_fuel, |instance| {
            let len = instance.input(batch)?;
            let code: i32 = instance.call(instance.template.fold, len)?;
            instance.done(code)
        })
    }

    pub(crate) fn merge(&mut self, saved: &[u8], limits: &PluginLimits) -> Result<(), CallError> {
        self.with_fuel(limits.finish_fuel, |instance| {
            let len = instance.input(saved)?;
            let code: i32 = instance.call(instance.template.merge, len)?;
            instance.done(code)
        })
    }

    fn done(&mut self, code: i32) -> Result<(), CallError> {
        if code == 0 {
            return Ok(());
        }
        let message = self.message(1 << 10)?;
        Err(CallError::bad_output(format!(
            "it answered {code}: {message}"
        )))
    }

    pub(crate) fn save(&mut self, limits: &PluginLimits) -> Result<Vec<u8>, CallError> {
        self.with_fuel(limits.finish_fuel, |instance| {
            let place: i64 = instance.call(instance.template.save, ())?;
            Ok(instance
                .output("saved tally", place, limits.tally_memory_bytes)?
                .to_vec())
        })
    }

    pub(crate) fn finish(
        &mut self,
        ties: &[u8],
        limits: &PluginLimits,
    ) -> Result<Vec<u8>, CallError> {
        self.with_fuel(limits.finish_fuel, |instance| {
            let len = instance.input(ties)?;
            let place: i64 = instance.call(instance.template.finish, len)?;
            Ok(instance
                .output("outcome", place, limits.outcome_bytes)?
                .to_vec())
        })
    }

    /// What differs from `fresh`, an instance in which nothing ran.
    pub(crate) fn snapshot(&mut self, fresh: &mut Self) -> Result<Snapshot, HostFault> {
        let exports = self.template.globals.clone();
        let mut globals = Vec::new();
        for export in exports {
            let global = self.global(export);
            let global = global.ok_or_else(|| HostFault("an instance lacks a global".into()))?;
            globals.push((export, Value::of(&global.get(&mut self.store))?));
        }
        let configured = self.memory.data(&self.store);
        let pristine = fresh.memory.data(&fresh.store);
        let runs = differing_runs(configured, pristine);
        Ok(Snapshot {
            pages: self.memory.size(&self.store),
            runs,
            globals,
        })
    }

    /// Brings a fresh instance to the state of the snapshot.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) -> Result<(), HostFault> {
        let pages = self.memory.size(&self.store);
        if pages < snapshot.pages {
            self.memory
                .grow(&mut self.store, snapshot.pages - pages)
                .map_err(|error| HostFault(format!("no memory for an instance: {error:#}")))?;
        }
        let memory = self.memory.data_mut(&mut self.store);
        for run in &snapshot.runs {
            memory[run.start..run.start + run.bytes.len()].copy_from_slice(&run.bytes);
        }
        for (export, value) in &snapshot.globals {
            let set = self
                .global(*export)
                .map(|global| global.set(&mut self.store, value.into()));
            if !matches!(set, Some(Ok(()))) {
                return Err(HostFault("an instance lacks a global".into()));
            }
        }
        Ok(())
    }
}

/// A configured instance's state: what to write over a fresh one.
pub(crate) struct Snapshot {
    pages: u64,
    runs: Vec<Run>,
    globals: Vec<(ModuleExport, Value)>,
}

struct Run {
    start: usize,
    bytes: Vec<u8>,
}

/// The value of a global; inspection lets no other types through.
enum Value {
    I32(i32),
    I64(i64),
}

impl Value {
    fn of(value: &Val) -> Result<Self, HostFault> {
        match value {
            Val::I32(value) => Ok(Self::I32(*value)),
            Val::I64(value) => Ok(Self::I64(*value)),
            other => Err(HostFault(format!("a global holds {other:?}"))),
        }
    }
}

impl From<&Value> for Val {
    fn from(value: &Value) -> Self {
        match value {
            Value::I32(value) => Self::I32(*value),
            Value::I64(value) => Self::I64(*value),
        }
    }
}

/// Differences closer than this are copied together.
const GAP_BYTES: usize = 64;

fn differing_runs(configured: &[u8], pristine: &[u8]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for start in (0..configured.len()).step_by(GAP_BYTES) {
        let end = (start + GAP_BYTES).min(configured.len());
        let now = &configured[start..end];
        let same = match pristine.get(start..end) {
            Some(before) => now == before,
            None => now.iter().all(|byte| *byte == 0),
        };
        if same {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.start + run.bytes.len() == start => run.bytes.extend_from_slice(now),
            _ => runs.push(Run {
                start,
                bytes: now.to_vec(),
            }),
        }
    }
    runs
}
